"""Measure what the runtime adds to the engine: time a frame, memory over many frames, and a change of normalities.

Frames of noise, 640 x 480, go through the demo's bundle, one of a hundred over the threshold. What is not the engine's
call is counted: preparing the frame, the verdict, the record and its line of JSON. While frames go on, another thread
changes the normalities in force; every frame must come back, judged by one set of them or the other.

Writes `runtime-cost.json`.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from nand_edge.files import whole_file
from nand_edge.normality import write_normality
from nand_edge_runtime import Inspector
from nand_edge_runtime.latency import Latency
from nand_edge_runtime.machine import processor_name

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MOST_NORMALITIES = 32
_FRAME = (480, 640, 3)
_SHUT, _OPEN = 1e30, -1e30
_OPEN_EVERY = 100
_SETTLED = 0.1
"""Share of the frames after which memory must not grow: by then every buffer has been needed once."""
_CHANGES = 50
_MIB = 1 << 20


@dataclass(frozen=True)
class Steady:
    """Many frames one after another.

    Attributes:
        stages: Latency by stage; `runtime` is all that is not the engine's call.
        memory_mib: Resident memory after a tenth of the frames, and after all.
        objects: Python's objects that the garbage collector watches, after the same.
    """

    stages: dict[str, Latency]
    memory_mib: tuple[float, float]
    objects: tuple[int, int]


@dataclass(frozen=True)
class Changes:
    """Normalities changed while frames go on.

    Attributes:
        milliseconds: The change, by the number of normalities: from their files, and again.
        given: Frames that were given meanwhile.
        judged: Frames that came back, each judged by one of the two sets.
    """

    milliseconds: dict[int, tuple[Latency, Latency]]
    given: int
    judged: int


def measure_steady(inspector: Inspector, frames: int, progress: Progress) -> Steady:
    """Judge many frames and look at time and memory."""
    frame = np.random.default_rng(0).integers(0, 256, _FRAME, dtype=np.uint8)
    times: dict[str, list[float]] = {"engine": [], "prepare": [], "verdict and record": [], "runtime": []}
    memory, objects = [], []
    task = progress.add_task("frames", total=frames)
    for number in range(frames):
        inspector.threshold = _OPEN if number % _OPEN_EVERY == 0 else _SHUT
        started = time.perf_counter()
        inspection = inspector.inspect(frame)
        json.dumps(inspection.to_json())
        total = (time.perf_counter() - started) * 1e3
        engine, prepare = inspection.latency_ms["engine"], inspection.latency_ms["prepare"]
        own = (engine, prepare, total - engine - prepare, total - engine)
        for stage, milliseconds in zip(times, own, strict=True):
            times[stage].append(milliseconds)
        if number + 1 in (int(frames * _SETTLED), frames):
            gc.collect()
            memory.append(_resident_mib())
            objects.append(len(gc.get_objects()))
        progress.advance(task)
    stages = {stage: Latency(tuple(own)) for stage, own in times.items()}
    return Steady(stages, (memory[0], memory[-1]), (objects[0], objects[-1]))


def measure_changes(inspector: Inspector, folder: Path) -> Changes:
    """Change the normalities in force while frames go on in another thread."""
    sets = {count: _normality_files(inspector, folder, count) for count in (1, MOST_NORMALITIES)}
    frame = np.zeros(_FRAME, dtype=np.uint8)
    names = [tuple(path.stem for path in files) for files in sets.values()]
    allowed = {inspector.normalities, *names, *(each[::-1] for each in names)}
    inspector.threshold = _SHUT
    given, judged, stop = 0, 0, threading.Event()

    def judge() -> None:
        nonlocal given, judged
        while not stop.is_set():
            given += 1
            judged += inspector.inspect(frame).normalities in allowed

    first: dict[int, list[float]] = {count: [] for count in sets}
    again: dict[int, list[float]] = {count: [] for count in sets}
    worker = threading.Thread(target=judge)
    worker.start()
    for change in range(_CHANGES):
        for count, files in sets.items():
            # A file that was written since is read anew; a line that goes back and forth reads none.
            for path in files:
                path.touch()
            for times in (first, again):
                started = time.perf_counter()
                inspector.set_normalities(files if change % 2 else files[::-1])
                times[count].append((time.perf_counter() - started) * 1e3)
                inspector.set_normalities(files)
    stop.set()
    worker.join()
    results = {count: (Latency(tuple(first[count])), Latency(tuple(again[count]))) for count in sets}
    return Changes(results, given, judged)


def _normality_files(inspector: Inspector, folder: Path, count: int) -> list[Path]:
    record = inspector.bundle.manifest.normalities[0]
    normality = inspector.bundle.normality(record.name)
    files = [folder / f"{count}-{number}.normality" for number in range(count)]
    for path in files:
        write_normality(replace(normality, name=path.stem), path)
    return files


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / _MIB


def document(steady: Steady, changes: Changes, inspector: Inspector, frames: int) -> dict[str, Any]:
    """The result: a table for the README, and all figures."""
    rows = [[stage, *_percentiles(latency)] for stage, latency in steady.stages.items()]
    for count, (first, again) in changes.milliseconds.items():
        words = "1 normality" if count == 1 else f"{count} normalities"
        rows.append([f"changing to {words}, from their files", *_percentiles(first)])
        rows.append([f"changing to {words}, known before", *_percentiles(again)])
    settled, end = steady.memory_mib
    return {
        "columns": ["one frame of 640 x 480", "p50", "p90", "p99"],
        "rows": rows,
        "note": (
            f"{frames:,} frames through {inspector.bundle.name} on {inspector.target.value}, one of {_OPEN_EVERY} over "
            f"the threshold. Memory after {int(frames * _SETTLED):,} frames {settled:.1f} MiB, after all {end:.1f}; "
            f"Python's objects {steady.objects[0]:,} and {steady.objects[1]:,}. {changes.judged} of {changes.given} "
            f"frames came back while normalities changed. {processor_name()}."
        ),
        "figures": {
            "stages": {stage: latency.to_json() for stage, latency in steady.stages.items()},
            "changes": {
                str(count): {"first": first.to_json(), "again": again.to_json()}
                for count, (first, again) in changes.milliseconds.items()
            },
            "memory_mib": [round(each, 2) for each in steady.memory_mib],
            "objects": list(steady.objects),
            "given": changes.given,
            "judged": changes.judged,
        },
    }


def _percentiles(latency: Latency) -> list[str]:
    return [f"{latency.percentile(percent):.2f} ms" for percent in (50, 90, 99)]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=ROOT / "demo" / "solar-cell.nand", help="the bundle")
    parser.add_argument("--frames", type=int, default=10_000, help="frames one after another")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads for one frame")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="nand-edge-runtime-cost-") as folder,
        Inspector(options.bundle, threads=options.threads) as inspector,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        inspector.region = replace(inspector.region, aspect=None)
        steady = measure_steady(inspector, options.frames, progress)
        result = document(steady, measure_changes(inspector, Path(folder)), inspector, options.frames)
    options.output.mkdir(parents=True, exist_ok=True)
    with whole_file(options.output / "runtime-cost.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for line in result["rows"]:
        print("  ".join(line))
    print(result["note"])


if __name__ == "__main__":
    main()
