"""Measure how cost grows: with the frame, the CLIP's image, PatchCore's memory, normalities, batch size and cameras.

Along each axis all sizes are measured by turns, every frame through the CLIP branch, in ONNX Runtime. The exponent is
the slope of a least-squares line through the logarithms, with its 95 % interval: 1 is cost in proportion to size. A
cost that does not depend on the size bends the line, so the exponent of the last step stands beside it.

Writes `growth.json` and `growth.svg`; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nand_benchmarks.charts import pyplot, save
from nand_benchmarks.children import Child, Work
from nand_benchmarks.fit import growth
from nand_benchmarks.machine import in_words
from nand_benchmarks.results import Ledger, Table, milliseconds
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import APRIL_GAN, PATCHCORE, Subject, bundle_of, normality_files
from nand_benchmarks.variants import REFERENCE

_SIZES = ((240, 320), (480, 640), (960, 1280), (1440, 1920), (2160, 2880), (3072, 4096))
_IMAGE_SIDES = (224, 336, 518)
_MEMORIES = (1000, 4000, 8000, 16000, 64000)
_COUNTS = (1, 2, 4, 8, 16, 32)
_CAMERAS = (1, 2, 4, 8)
_SMALL_CLIP = "ViT-S-16:random"
_TURNS, _BURST, _CAMERA_FRAMES = 8, 3, 96
_OPEN: Work = {"gate": "open"}


@dataclass(frozen=True)
class Axis:
    """What is varied.

    Attributes:
        what: In a table.
        unit: Of its sizes.
        sizes: The sizes, as numbers that cost can be proportional to.
        labels: The sizes, as a reader knows them.
        measure: Gives the cost at each size, milliseconds.
        cost: Which cost that is.
    """

    what: str
    unit: str
    sizes: tuple[float, ...]
    labels: tuple[str, ...]
    measure: Callable[[], list[float]]
    cost: str = "a frame"


class Axes:
    """The axes of this benchmark, and how each is measured.

    Args:
        settings: What the command line said.
        say: Told what is being done.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._turns, self._burst = (1, 1) if settings.quick else (_TURNS, _BURST)
        self._subject = patchcore(200 if settings.quick else 4000)

    def all(self) -> list[Axis]:
        """Every axis, with fewer and smaller sizes where it is to be quick."""
        few = 3 if self._settings.quick else None
        frames, memories, counts = _SIZES[:few], _MEMORIES[:few], _COUNTS[:few]
        cameras, sides = _CAMERAS[:few], (64, 96, 128) if self._settings.quick else _IMAGE_SIDES
        return [
            Axis(
                "frame", "pixels", tuple(float(height * width) for height, width in frames),
                tuple(f"{width} x {height}" for height, width in frames), lambda: self._frame_sizes(frames),
            ),
            Axis("CLIP's image (ViT-S-16)", "pixels", *_squares(sides), lambda: self._image_sides(sides)),
            Axis("memory of PatchCore", "patches", *_numbers(memories), lambda: self._memories(memories)),
            Axis("normalities in force", "normalities", *_numbers(counts), lambda: self._normalities(counts)),
            Axis("batch", "frames", *_numbers(counts), lambda: self._batches(counts), cost="a batch"),
            Axis(
                "cameras that share a device", "cameras", *_numbers(cameras), lambda: self._cameras(cameras),
                cost="a frame, its waiting included",
            ),
        ]  # fmt: skip

    def _frame_sizes(self, sizes: Sequence[tuple[int, int]]) -> list[float]:
        return self._by_turns([(self._subject, size) for size in sizes])

    def _image_sides(self, sides: Sequence[int]) -> list[float]:
        return self._by_turns([(_small_april_gan(side), None) for side in sides])

    def _memories(self, memories: Sequence[int]) -> list[float]:
        return self._by_turns([(patchcore(patches), None) for patches in memories])

    def _normalities(self, counts: Sequence[int]) -> list[float]:
        files = [str(file) for file in normality_files(self._subject, max(counts), self._settings.work)]

        def prepare(child: Child, count: int) -> Work:
            child.call("set_normalities", files=files[:count])
            return _OPEN

        return self._one_child(counts, prepare)

    def _batches(self, counts: Sequence[int]) -> list[float]:
        return self._one_child(counts, lambda _, count: {**_OPEN, "batch": count})

    def _cameras(self, counts: Sequence[int]) -> list[float]:
        frames = max(counts) * (2 if self._settings.quick else _CAMERA_FRAMES // max(counts))
        with self._child(self._subject) as child:
            return [child.call("cameras", threads=count, frames=frames)["wait_ms"] for count in counts]

    def _one_child(self, counts: Sequence[int], prepare: Callable[[Child, int], Work]) -> list[float]:
        times: list[list[float]] = [[] for _ in counts]
        with self._child(self._subject) as child:
            for _ in range(self._turns):
                for count, own in zip(counts, times, strict=True):
                    own.extend(child.time(prepare(child, count), self._burst))
        return [float(np.median(own)) for own in times]

    def _by_turns(self, cases: Sequence[tuple[Subject, tuple[int, int] | None]]) -> list[float]:
        times: list[list[float]] = [[] for _ in cases]
        with contextlib.ExitStack() as stack:
            children = [stack.enter_context(self._child(*case)) for case in cases]
            for _ in range(self._turns):
                for child, own in zip(children, times, strict=True):
                    own.extend(child.time(_OPEN, self._burst))
        return [float(np.median(own)) for own in times]

    def _child(self, subject: Subject, size: tuple[int, int] | None = None) -> Child:
        bundle = bundle_of(subject, self._settings.work, self._say)
        options = {
            "bundle": str(bundle), "target": REFERENCE.target, "precision": REFERENCE.precision,
            "threads": self._settings.threads, **({"size": size} if size else {}),
        }  # fmt: skip
        return Child("inspector", options)


def patchcore(patches: int) -> Subject:
    """PatchCore with the embedded CLIP."""
    return Subject(f"PatchCore, {patches:,} patches", PATCHCORE, memory_patches=patches)


def subjects(settings: Settings) -> list[Subject]:
    """All whose bundles are needed."""
    if settings.quick:
        return [patchcore(200)]
    return [*map(patchcore, _MEMORIES), *map(_small_april_gan, _IMAGE_SIDES)]


def _small_april_gan(side: int) -> Subject:
    return Subject("APRIL-GAN on ViT-S-16", APRIL_GAN, _SMALL_CLIP, side)


def _numbers(counts: Sequence[int]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    return tuple(map(float, counts)), tuple(f"{count:,}" for count in counts)


def _squares(sides: Sequence[int]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    return tuple(float(side * side) for side in sides), tuple(f"{side} x {side}" for side in sides)


def figure_of(axis: Axis, costs: Sequence[float]) -> dict[str, Any]:
    """What is kept of an axis: points and exponents."""
    fitted = growth(axis.sizes, costs)
    step = math.log(costs[-1] / costs[-2]) / math.log(axis.sizes[-1] / axis.sizes[-2])
    return {
        "unit": axis.unit,
        "cost": axis.cost,
        "sizes": list(axis.sizes),
        "labels": list(axis.labels),
        "ms": [round(cost, 3) for cost in costs],
        "exponent": round(fitted.exponent, 3),
        "interval": [round(fitted.low, 3), round(fitted.high, 3)],
        "exponent_of_last_step": round(step, 3),
    }


def table(figures: dict[str, Any], threads: int) -> Table:
    """A row for every axis."""
    return {
        "columns": ["cost against", "from", "to", "exponent (95 % interval)", "exponent of the last step"],
        "rows": [
            [
                f"{what}, {found['unit']}",
                f"{found['labels'][0]}: {milliseconds(found['ms'][0])} {found['cost']}",
                f"{found['labels'][-1]}: {milliseconds(found['ms'][-1])}",
                f"{found['exponent']:.2f} ({found['interval'][0]:.2f} to {found['interval'][1]:.2f})",
                f"{found['exponent_of_last_step']:.2f}",
            ]
            for what, found in figures.items()
        ],
        "note": (
            "Medians, every frame through the CLIP branch, PatchCore of 4,000 patches with nand-tiny on frames of "
            f"640 x 480 where nothing else is said, {REFERENCE} on {in_words(threads)}. An exponent of 1 is cost in "
            "proportion; what does not depend on the size bends the line, so the last step is closer to the limit."
        ),
    }


def draw(figures: dict[str, Any], path: Any) -> None:
    """One panel an axis, both scales logarithmic, with a line of exponent 1 through the last point."""
    if not figures:
        return
    plt = pyplot()
    rows = math.ceil(len(figures) / 3)
    figure, axes = plt.subplots(rows, 3, figsize=(11, 3.3 * rows), squeeze=False)
    for axis in axes.flat[len(figures) :]:
        axis.set_visible(False)
    for axis, (what, found) in zip(axes.flat, figures.items(), strict=False):
        sizes, costs = np.array(found["sizes"]), np.array(found["ms"])
        axis.loglog(sizes, costs[-1] * sizes / sizes[-1], color="#d1d5db", linewidth=1, linestyle="--")
        axis.loglog(sizes, costs, color="#2563eb", marker="o", markersize=4)
        axis.set_title(f"{what}\nexponent {found['exponent']:.2f}", loc="left", fontsize=10, fontweight="bold")
        shown = range(len(sizes)) if len(sizes) < 5 else range(len(sizes) - 1, -1, -2)
        axis.set_xticks([sizes[place] for place in shown], [_short(found["labels"][place]) for place in shown])
        axis.minorticks_off()
        low, high = costs.min() / 1.6, costs.max() * 1.6
        axis.set_ylim(low, high)
        ticks = [tick for tick in _ticks() if low <= tick <= high]
        axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.tick_params(labelsize=8)
        axis.set_xlabel(found["unit"], fontsize=8)
        axis.set_ylabel(f"ms {found['cost'].partition(',')[0]}", fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    save(figure, path)


def _short(label: str) -> str:
    return label.replace(",000", "k").replace(" x ", "x")


def _ticks() -> list[float]:
    return [lead * 10.0**power for power in range(-2, 5) for lead in (1, 2, 5)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not yet measured, write the results and print the table."""
    settings = parse(__doc__, arguments)
    with (
        Ledger("growth", settings, lambda figures: table(figures, settings.threads)) as ledger,
        progress_bar() as progress,
    ):
        task = progress.add_task("", total=None)
        axes = Axes(settings, lambda what: progress.update(task, description=what)).all()
        wanted = [axis for axis in axes if settings.wants(axis.what) and axis.what not in ledger]
        progress.update(task, total=len(wanted))
        for axis in wanted:
            progress.update(task, description=axis.what)
            ledger.put(axis.what, figure_of(axis, axis.measure()))
            progress.advance(task)
    draw(ledger.figures, settings.output / "growth.svg")
    for row in table(ledger.figures, settings.threads)["rows"]:
        print("  ".join(row))


if __name__ == "__main__":
    main()
