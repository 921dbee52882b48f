"""The benchmark of a bundle on this machine: latency by stage, throughput and memory, at a given rate of rejects."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.latency import Latency, peak_memory_mib

_OPEN, _SHUT = -1e30, 1e30
"""Thresholds that every, or no, finite base score reaches."""


@dataclass(frozen=True)
class BenchmarkOptions:
    """What to measure.

    Attributes:
        frames: Runs of the engine that count.
        height: Height of the frames, pixels.
        width: Width of the frames, pixels.
        batch: Frames a run.
        reject_rate: Share of the runs in which the base score reaches the threshold, in [0, 1].
        warmup: Runs beforehand that do not count.
        seed: Seed of the frames' noise.
    """

    frames: int = 100
    height: int = 480
    width: int = 640
    batch: int = 1
    reject_rate: float = 1.0
    warmup: int = 10
    seed: int = 0


@dataclass(frozen=True)
class BenchmarkResult:
    """What was measured.

    Attributes:
        stages: Latency of each stage of a run; `total` is all of them.
        clip_share: Share of the runs in which the CLIP branch ran.
        frames_per_second: Frames in the time of all runs.
        peak_memory_mib: Most memory that the process held, if the system tells.
        setting: Bundle, target, device, versions and options, for the record.
    """

    stages: dict[str, Latency]
    clip_share: float
    frames_per_second: float
    peak_memory_mib: float | None
    setting: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """All of it as one JSON object."""
        return {
            **self.setting,
            "latency_ms": {stage: latency.to_json() for stage, latency in self.stages.items()},
            "clip_share": round(self.clip_share, 4),
            "frames_per_second": round(self.frames_per_second, 2),
            "peak_memory_mib": None if self.peak_memory_mib is None else round(self.peak_memory_mib, 1),
        }


def run_benchmark(
    inspector: Inspector, options: BenchmarkOptions, *, on_run: Callable[[], None] | None = None
) -> BenchmarkResult:
    """Measure an inspector on frames of noise; its threshold and region are put back afterwards.

    Args:
        inspector: The inspector; with no active normality its CLIP branch never runs.
        options: What to measure.
        on_run: Called after every run, warm-up included.

    Raises:
        NandEdgeError: An option is out of its range, or the engine refuses the frames.
    """
    _check(options)
    noise = np.random.default_rng(options.seed)
    shape = (options.batch, options.height, options.width, 3)
    batch = list(noise.integers(0, 256, shape, dtype=np.uint8))
    threshold, region = inspector.threshold, inspector.region
    times: dict[str, list[float]] = {}
    clip_runs = 0
    # A region costs the same wherever it lies, and frames of noise may have any proportions.
    inspector.region = replace(region, aspect=None)
    try:
        for run in range(-options.warmup, options.frames):
            inspector.threshold = _OPEN if _rejects(max(run, 0), options.reject_rate) else _SHUT
            inspection = inspector.inspect(batch[0]) if options.batch == 1 else inspector.inspect_batch(batch)[0]
            if on_run is not None:
                on_run()
            if run >= 0:
                clip_runs += inspection.clip_ran
                for stage, milliseconds in inspection.latency_ms.items():
                    times.setdefault(stage, []).append(milliseconds)
    finally:
        inspector.threshold, inspector.region = threshold, region
    stages = {stage: Latency(tuple(own)) for stage, own in times.items()}
    return BenchmarkResult(
        stages=stages,
        clip_share=clip_runs / options.frames,
        frames_per_second=options.batch * 1e3 / stages["total"].mean,
        peak_memory_mib=peak_memory_mib(),
        setting=_setting(inspector, options),
    )


def _rejects(run: int, rate: float) -> bool:
    """Whether this run is one of the rejects, which are spread evenly: `rate` of any first n runs, rounded down."""
    return int((run + 1) * rate) > int(run * rate)


def _check(options: BenchmarkOptions) -> None:
    ranges = {
        "frames": (options.frames, 1, 10_000_000),
        "height": (options.height, 1, 16_384),
        "width": (options.width, 1, 16_384),
        "batch": (options.batch, 1, 1_024),
        "reject rate": (options.reject_rate, 0.0, 1.0),
        "warm-up": (options.warmup, 0, 10_000),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise NandEdgeError(
                f"{name} of the benchmark", found=str(value), needed=f"{low} to {high}", do="correct the option"
            )


def _setting(inspector: Inspector, options: BenchmarkOptions) -> dict[str, Any]:
    return {
        "bundle": inspector.bundle.name,
        "bundle_sha256": inspector.bundle.sha256,
        "target": inspector.target.value,
        "device": inspector.device,
        "normalities": list(inspector.normalities),
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "size": f"{options.width}x{options.height}",
        "batch": options.batch,
        "reject_rate": options.reject_rate,
        **({} if inspector.choice is None else {"choice": inspector.choice.to_json()}),
    }
