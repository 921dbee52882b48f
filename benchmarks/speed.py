"""Measure the speeds to reach: ratios by turns within one run, each side in a process of its own.

Every row says what is asked and what was reached. Where several engines could do it, all are tried and the fastest is
named. Absolute times hold for the machine in the note.

Writes `speed.json`; a run that was stopped goes on where it was. The bundle of ViT-L takes some minutes to export and
is kept in the work folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nand_benchmarks.children import Child, NotHereError, Work, by_turns
from nand_benchmarks.operations import operations
from nand_benchmarks.results import Ledger
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import (
    APRIL_GAN,
    PATCHCORE,
    RESNET18,
    TINY,
    Subject,
    bundle_of,
    make_parts,
    normality_files,
    resnet18_weights,
)
from nand_benchmarks.targets import (
    ANOMALIB_OPENVINO,
    ANOMALIB_TORCH,
    APRIL_BEST,
    APRIL_BF16,
    APRIL_FP32,
    BATCH,
    EMBEDDED,
    GATE,
    LARGE_BF16,
    NORMALITIES,
    PEAK_SHARE,
    table,
)
from nand_benchmarks.variants import REFERENCE, VARIANTS, Variant, build
from nand_edge_runtime.latency import Latency
from peers import ANOMALIB_OPENVINO as OPENVINO_INFERENCER
from peers import ANOMALIB_TORCH as TORCH_INFERENCER
from peers import EAGER, ours, peer

_BF16 = Variant("openvino", "bf16")
_FASTEST = tuple(variant for variant in VARIANTS if str(variant) != "openvino fp32")
"""Engines that may be the fastest of a bundle, and ONNX Runtime in fp32, which others are compared with."""

_OPEN: Work = {"gate": "open"}
_SHUT: Work = {"gate": "shut"}
_TILE = (256, 256)
_TILES = 16
_REJECT_EVERY = 100

Found = dict[str, dict[str, Any]]
"""Figures by their targets' keys: `reached`, `note`, and what they were made of."""


@dataclass(frozen=True)
class Group:
    """Targets that one measurement answers.

    Attributes:
        name: Of the measurement.
        keys: The targets' keys.
        measure: Gives their figures.
    """

    name: str
    keys: tuple[str, ...]
    measure: Callable[[], Found]


class Speeds:
    """All measurements of the table.

    Args:
        settings: What the command line said.
        say: Told what is being done.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings, self._say = settings, say
        self._quick = settings.quick
        patches = 200 if self._quick else 8000
        middle, middle_side = (TINY, None) if self._quick else ("ViT-B-16:random", 224)
        large, large_side = (TINY, None) if self._quick else ("ViT-L-14-336:random", 518)
        weights = f"{RESNET18}:{resnet18_weights(settings.work)}"
        self._april = Subject("APRIL-GAN", APRIL_GAN, middle, middle_side)
        self._large = Subject("APRIL-GAN, large", APRIL_GAN, large, large_side)
        self._gated = Subject("PatchCore with nand-tiny", PATCHCORE, memory_patches=200 if self._quick else 4000)
        self._tiles = Subject("PatchCore with ViT-B-16", PATCHCORE, middle, middle_side, 200 if self._quick else 4000)
        self._embedded = Subject("PatchCore, embedded", PATCHCORE, memory_patches=patches)
        self._resnet = Subject("PatchCore, resnet18", PATCHCORE, memory_patches=patches, backbone=weights)

    def engines(self) -> list[tuple[Subject, tuple[Variant, ...]]]:
        """Every subject with the engines that are measured of it."""
        alone = (REFERENCE,)
        return [
            (self._gated, alone), (self._tiles, alone), (self._april, _FASTEST), (self._embedded, _FASTEST),
            (self._resnet, _FASTEST), (self._large, (_BF16,)),
        ]  # fmt: skip

    def groups(self) -> list[Group]:
        """All measurements, short ones first."""
        return [
            Group("normalities", (NORMALITIES.key,), self._normalities),
            Group("gate", (GATE.key,), self._gate),
            Group("batch", (BATCH.key,), self._batch),
            Group("april-gan", (APRIL_FP32.key, APRIL_BF16.key, APRIL_BEST.key), self._april_gan),
            Group("anomalib", (ANOMALIB_OPENVINO.key, ANOMALIB_TORCH.key, EMBEDDED.key), self._anomalib),
            Group("large", (LARGE_BF16.key, PEAK_SHARE.key), self._large_clip),
        ]

    def _april_gan(self) -> Found:
        with contextlib.ExitStack() as stack:
            sides = {EAGER: (stack.enter_context(peer(EAGER, self._april, self._settings)), Work())}
            sides |= self._engines(stack, self._april, _FASTEST, _OPEN)
            times = self._by_turns(sides, turns=15, burst=2)
        reference, eager = times[str(REFERENCE)], times[EAGER]
        reduced = {name: time for name, time in times.items() if name not in (EAGER, str(REFERENCE))}
        best = _fastest(reduced)
        return {
            APRIL_FP32.key: _figure(eager.p50 / reference.p50, times, _medians(times, EAGER, str(REFERENCE))),
            **_if_there(APRIL_BF16.key, times, EAGER, str(_BF16), lambda time: eager.p50 / time.p50),
            **_if_there(APRIL_BEST.key, times, str(REFERENCE), best, lambda time: reference.p50 / time.p50),
        }

    def _large_clip(self) -> Found:
        self._say("operations of the large CLIP")
        _, count = operations(make_parts(self._large))
        with contextlib.ExitStack() as stack:
            sides = self._engines(stack, self._large, (_BF16,), _OPEN)
            if not sides:
                missing = {"reached": None, "note": f"no {_BF16} here"}
                return {LARGE_BF16.key: missing, PEAK_SHARE.key: missing}
            sides[EAGER] = (stack.enter_context(peer(EAGER, self._large, self._settings)), Work())
            times = self._by_turns(sides, turns=3, burst=1)
            peak_child = stack.enter_context(Child("peak", {"threads": self._settings.threads}))
            peaks, bf16 = [], []
            # The peak and the engine by turns as well: a processor's clock is not the same all day.
            for _ in range(1 if self._quick else 5):
                peaks.append(peak_child.call("gigaflops", repeats=2 if self._quick else 20)["bf16"])
                bf16 += sides[str(_BF16)][0].time(_OPEN, 1 if self._quick else 4)
        share = count / (float(np.median(bf16)) * 1e-3) / (max(peaks) * 1e9)
        note = f"{count / 1e9:,.0f} GFLOP in {np.median(bf16):.0f} ms; peak {max(peaks):,.0f} GFLOP/s"
        return {
            **_if_there(LARGE_BF16.key, times, EAGER, str(_BF16), lambda time: times[EAGER].p50 / time.p50),
            PEAK_SHARE.key: {"reached": share, "note": note, "operations": count, "peak_gflops": max(peaks)},
        }

    def _gate(self) -> Found:
        """One suspicious frame among a hundred, against the same frames with the gate shut, by turns frame by frame."""
        bundle = bundle_of(self._gated, self._settings.work, self._say)
        alone, rare = [], []
        with ours(bundle, REFERENCE, self._settings) as child:
            child.time({"suspicious": 1}, 3)
            for frame in range(_REJECT_EVERY * (1 if self._quick else 5)):
                suspicious = frame % _REJECT_EVERY == _REJECT_EVERY // 2
                alone += child.time(_SHUT, 1, discard=0)
                rare += child.time({"suspicious": int(suspicious)}, 1, discard=0)
        note = f"{REFERENCE}: {np.mean(rare):.2f} ms against {np.mean(alone):.2f} ms, means of {len(rare):,} frames"
        return {GATE.key: {"reached": float(np.mean(rare) / np.mean(alone)), "note": note}}

    def _batch(self) -> Found:
        bundle = bundle_of(self._tiles, self._settings.work, self._say)
        with ours(bundle, REFERENCE, self._settings, size=_TILE) as child:
            sides = {
                name: (child, {"batch": _TILES, "suspicious": count})
                for name, count in (("one suspicious", 1), ("all suspicious", _TILES))
            }
            times = self._by_turns(sides, turns=5, burst=1, discard=0)
        one, every = times.values()
        return {BATCH.key: _figure(one.p50 / every.p50, times, f"{REFERENCE}: {one.p50:.0f} ms and {every.p50:.0f} ms")}

    def _anomalib(self) -> Found:
        """All in one run, so that every ratio is of the same minutes."""
        with contextlib.ExitStack() as stack:
            sides: dict[str, tuple[Child, Work]] = {}
            for name in (OPENVINO_INFERENCER, TORCH_INFERENCER):
                sides[name] = (stack.enter_context(peer(name, self._resnet, self._settings)), Work())
            alone = self._engines(stack, self._resnet, _FASTEST, _SHUT)
            embedded = self._engines(stack, self._embedded, _FASTEST, _OPEN)
            sides |= {f"alone, {name}": side for name, side in alone.items()}
            sides |= {f"embedded, {name}": side for name, side in embedded.items()}
            times = self._by_turns(sides, turns=25, burst=3)
        openvino, torch = times[OPENVINO_INFERENCER], times[TORCH_INFERENCER]
        base = _fastest({name: time for name, time in times.items() if name.startswith("alone, ")})
        whole = _fastest({name: time for name, time in times.items() if name.startswith("embedded, ")})
        return {
            ANOMALIB_OPENVINO.key: _figure(
                openvino.p50 / times[base].p50, times, _medians(times, OPENVINO_INFERENCER, base)
            ),
            ANOMALIB_TORCH.key: _figure(torch.p50 / times[base].p50, times, _medians(times, TORCH_INFERENCER, base)),
            EMBEDDED.key: _figure(times[whole].p50 / openvino.p50, times, _medians(times, OPENVINO_INFERENCER, whole)),
        }

    def _normalities(self) -> Found:
        bundle = bundle_of(self._embedded, self._settings.work, self._say)
        files = [str(file) for file in normality_files(self._embedded, 3, self._settings.work)]
        with ours(bundle, REFERENCE, self._settings) as child:
            found = child.call("change_times", files=files, repeats=9 if self._quick else 300)
        latency = Latency(tuple(found["ms"]))
        note = (
            f"p50 {latency.p50:.2f} ms, three files, none and the bundle's own by turns, a frame after each; "
            f"{found['new_sessions']} new sessions, {found['lost_frames']} lost frames"
        )
        return {NORMALITIES.key: _figure(latency.percentile(99), {"change": latency}, note)}

    def _engines(
        self, stack: contextlib.ExitStack, subject: Subject, variants: Sequence[Variant], work: Work
    ) -> dict[str, tuple[Child, Work]]:
        """A process for every engine that can be built and run here."""
        bundle = bundle_of(subject, self._settings.work, self._say)
        sides: dict[str, tuple[Child, Work]] = {}
        for variant in variants:
            try:
                build(bundle, variant, self._say)
                child = stack.enter_context(ours(bundle, variant, self._settings))
                # What fails on its first frame is not here either.
                child.time(work, 1, discard=1)
                sides[str(variant)] = (child, work)
            except NotHereError as error:
                self._say(f"{variant} is not here: {error}")
        return sides

    def _by_turns(
        self, sides: dict[str, tuple[Child, Work]], *, turns: int, burst: int, discard: int = 1
    ) -> dict[str, Latency]:
        turns = 1 if self._quick else turns
        done = iter(range(1, 10**9))
        self._say(f"{', '.join(sides)} by turns")
        total = (turns + 1) * len(sides)
        latencies = by_turns(
            list(sides.values()), turns=turns, burst=burst, discard=discard,
            on_turn=lambda: self._say(f"turn {next(done)} of {total}"),
        )  # fmt: skip
        return dict(zip(sides, latencies, strict=True))


def _fastest(times: dict[str, Latency]) -> str:
    return min(times, key=lambda name: times[name].p50, default="")


def _figure(reached: float, times: dict[str, Latency], note: str) -> dict[str, Any]:
    return {"reached": reached, "note": note, "ms": {name: time.to_json() for name, time in times.items()}}


def _if_there(
    key: str, times: dict[str, Latency], against: str, name: str, ratio: Callable[[Latency], float]
) -> dict[str, dict[str, Any]]:
    """The figure of an engine, or that it is not here."""
    if name not in times:
        return {key: {"reached": None, "note": f"no such engine here: {name or 'none'}"}}
    return {key: _figure(ratio(times[name]), times, _medians(times, against, name))}


def _medians(times: dict[str, Latency], *names: str) -> str:
    return ", ".join(f"{name} {times[name].p50:.1f} ms" for name in names)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not yet measured, write the results and print the table."""
    settings = parse(__doc__, arguments)
    with (
        Ledger("speed", settings, lambda figures: table(figures, settings.threads)) as ledger,
        progress_bar() as progress,
    ):
        task = progress.add_task("", total=None)
        groups = Speeds(settings, lambda what: progress.update(task, description=what)).groups()
        wanted = [
            group for group in groups if settings.wants(group.name) and not all(key in ledger for key in group.keys)
        ]
        progress.update(task, total=len(wanted))
        for group in wanted:
            progress.update(task, description=group.name)
            for key, figure in group.measure().items():
                ledger.put(key, figure)
            progress.advance(task)
    for row in table(ledger.figures, settings.threads)["rows"]:
        print("  ".join(row))


if __name__ == "__main__":
    main()
