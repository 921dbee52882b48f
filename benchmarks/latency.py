"""Measure the matrix: base detectors, engines, batch sizes and shares of suspicious frames.

Each engine of each bundle runs in a process of its own. Batches with none, some and only suspicious frames are timed by
turns; a share of suspicious frames is the mixture of such batches that it leads to when they are spread evenly. A
suspicious frame is one whose base map reaches the threshold, so that the CLIP branch runs for it.

The share of the peak compares floating-point operations a second with the most that this machine reaches in a matrix
product of the same precision. Energy is read where the processor's or the graphics card's counters can be.

Writes `latency.json`, `latency-matrix.json` and `latency.svg`; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nand_benchmarks.children import Child, NotHereError
from nand_benchmarks.latency_report import (
    FIRST_VERDICT,
    PEAK,
    PERCENTS,
    draw,
    engine_name,
    matrix,
    operations_name,
    summary,
)
from nand_benchmarks.operations import operations
from nand_benchmarks.results import Ledger, write_json
from nand_benchmarks.schedule import Mixture, kinds_of_batches
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import APRIL_GAN, PATCHCORE, Subject, bundle_of, make_parts
from nand_benchmarks.variants import REFERENCE, VARIANTS, Variant, build

BATCHES = (1, 4, 16)
SUBJECTS = (
    Subject("PatchCore, 4,000 patches, with nand-tiny", PATCHCORE, memory_patches=4000),
    Subject("PatchCore, 4,000 patches, with ViT-B-16", PATCHCORE, "ViT-B-16:random", 224, memory_patches=4000),
    Subject("APRIL-GAN on ViT-B-16 at 224, one pass for both", APRIL_GAN, "ViT-B-16:random", 224),
)
QUICK_SUBJECTS = (Subject("PatchCore, 200 patches, with nand-tiny", PATCHCORE, memory_patches=200),)
_FIRST_VERDICT_RUNS = 5
_FIRST_VERDICT = """
import sys, time
started = time.perf_counter()
import numpy
from nand_edge_runtime import Inspector
with Inspector(sys.argv[1], target="onnx") as inspector:
    inspector.inspect(numpy.zeros((480, 640, 3), numpy.uint8))
seconds = time.perf_counter() - started
from nand_edge_runtime.latency import peak_memory_mib
print(seconds, peak_memory_mib() or "nan")
"""


@dataclass(frozen=True)
class Effort:
    """How long one engine with one batch size is measured.

    Attributes:
        seconds: About how long.
        least: Fewest repetitions of each kind of batch.
        most: Most of them.
    """

    seconds: float
    least: int
    most: int


FULL, QUICK = Effort(2.5, 3, 200), Effort(0.2, 1, 3)


def measure_engine(child: Child, batch: int, effort: Effort) -> dict[str, Any]:
    """One engine with one batch size, at all shares of suspicious frames."""
    shares = {percent: kinds_of_batches(percent, batch) for percent in PERCENTS}
    kinds = sorted({kind for share in shares.values() for kind in share})
    work = {kind: {"batch": batch, "suspicious": kind} for kind in kinds}
    first = sum(child.time(work[kind], 1)[0] for kind in kinds)
    repeats = int(min(max(effort.seconds * 1e3 / first, effort.least), effort.most))
    times: dict[int, list[float]] = {kind: [] for kind in kinds}
    joules: dict[int, list[float]] = {kind: [] for kind in kinds}
    for _ in range(repeats):
        for kind in kinds:
            measured, energy = child.time_with_energy(work[kind], 1, discard=0)
            times[kind] += measured
            joules[kind] += [] if energy is None else [energy]
    return {
        "repeats": repeats,
        "shares": {
            str(percent): _figures(Mixture(times, share), _energy(joules, share), batch)
            for percent, share in shares.items()
        },
        "peak_memory_mib": child.peak_memory_mib(),
    }


def _figures(mixture: Mixture, joules: float | None, batch: int) -> dict[str, float | None]:
    return {
        "mean_ms": round(mixture.mean, 3),
        **{f"p{percent}_ms": round(mixture.percentile(percent), 3) for percent in (50, 90, 99)},
        "frames_per_s": round(batch * 1e3 / mixture.mean, 2),
        "joules_per_frame": None if joules is None else round(joules / batch, 4),
    }


def _energy(joules: dict[int, list[float]], share: dict[int, float]) -> float | None:
    if not all(joules[kind] for kind in share):
        return None
    return sum(float(np.mean(joules[kind])) * part for kind, part in share.items())


def measure_first_verdict(bundle: Path, runs: int) -> dict[str, float]:
    """Median seconds and largest peak memory, MiB, of fresh processes that import, load and judge one frame."""
    command = [sys.executable, "-c", _FIRST_VERDICT, str(bundle)]
    results = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(runs)]  # noqa: S603 - our own interpreter
    seconds, memory = (np.array([float(result[place]) for result in results]) for place in (0, 1))
    return {"seconds": round(float(np.median(seconds)), 3), "peak_memory_mib": round(float(memory.max()), 1)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not yet measured, write the results and print the table."""
    settings = parse(__doc__, arguments)
    subjects = QUICK_SUBJECTS if settings.quick else SUBJECTS
    with Ledger("latency", settings, lambda figures: summary(figures, subjects, settings.threads)) as ledger:
        _measure(settings, subjects, ledger)
    write_json(settings.output / "latency-matrix.json", matrix(ledger.figures, subjects, settings.threads))
    draw(ledger.figures, subjects, settings.output / "latency.svg")
    for row in summary(ledger.figures, subjects, settings.threads)["rows"]:
        print("  ".join(row))


def _measure(settings: Settings, subjects: Sequence[Subject], ledger: Ledger) -> None:
    wanted = [
        (subject, variant)
        for subject in subjects
        for variant in VARIANTS
        if settings.wants(engine_name(subject, variant)) and engine_name(subject, variant) not in ledger
    ]
    with progress_bar() as progress:
        task = progress.add_task("", total=len(wanted) + 2)

        def say(what: str) -> None:
            progress.update(task, description=what)

        say("the machine's peak")
        ledger.put(PEAK, _peak(settings, ledger.figures.get(PEAK, {})))
        progress.advance(task)
        for subject, variant in wanted:
            bundle = bundle_of(subject, settings.work, say)
            counted = operations_name(subject)
            if counted not in ledger:
                base, clip_runs = operations(make_parts(subject))
                ledger.put(counted, {"base": base, "clip_runs": clip_runs})
            ledger.put(engine_name(subject, variant), _measured(bundle, variant, settings, say))
            progress.advance(task)
        # Once more: a peak must not be of minutes in which something else ran.
        ledger.put(PEAK, _peak(settings, ledger.figures[PEAK]))
        if FIRST_VERDICT not in ledger:
            say("first verdict in a fresh process")
            bundle = bundle_of(subjects[0], settings.work, say)
            ledger.put(FIRST_VERDICT, measure_first_verdict(bundle, 1 if settings.quick else _FIRST_VERDICT_RUNS))
        progress.advance(task)


def _peak(settings: Settings, before: dict[str, float]) -> dict[str, float]:
    """The most that was ever reached, GFLOP/s by precision."""
    with Child("peak", {"threads": settings.threads}) as child:
        now: dict[str, float] = child.call("gigaflops", repeats=2 if settings.quick else 20)
    return {precision: max(rate, before.get(precision, 0.0)) for precision, rate in now.items()}


def _measured(bundle: Path, variant: Variant, settings: Settings, say: Any) -> dict[str, Any]:
    """All batch sizes of one engine, or why there is none."""
    options = {
        "bundle": str(bundle), "target": variant.target, "precision": variant.precision, "threads": settings.threads,
    }  # fmt: skip
    try:
        build(bundle, variant, say)
        with Child("inspector", options) as child:
            found = {}
            for batch in BATCHES[:2] if settings.quick else BATCHES:
                say(f"{bundle.parent.name}, {variant}, batch of {batch}")
                found[str(batch)] = measure_engine(child, batch, QUICK if settings.quick else FULL)
            return found
    except NotHereError as error:
        if variant == REFERENCE:
            raise
        return {"unavailable": str(error)}


if __name__ == "__main__":
    main()
