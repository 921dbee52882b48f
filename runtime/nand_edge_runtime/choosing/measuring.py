"""Measuring one engine in this process: loaded, compared with the bundle's samples, and timed."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import SAMPLES, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.samples import Samples
from nand_edge_runtime.choosing.trial import Load, Measurement
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.latency import peak_memory_mib
from nand_edge_runtime.verification import EngineCheck, Outcome, compare_with_samples, reference_of

_SHUT = 1e30
"""A threshold that no finite base score reaches."""
_NOISE = (480, 640)
_FEWEST, _MOST = 3, 200


def measure(folder: str, target: str, options: dict[str, Any], load: dict[str, Any]) -> dict[str, Any]:
    """Measure an engine in this process.

    Args:
        folder: The bundle, its files already checked.
        target: The engine's target.
        options: The fields of `BackendOptions`.
        load: The fields of `Load`.

    Raises:
        NandEdgeError: The engine cannot run here, refuses the frames or disagrees with the reference.
    """
    own = Load(**load)
    bundle = open_bundle(folder, check_files=False)
    has_samples = any(name.startswith(f"{SAMPLES}/") for name in bundle.manifest.files)
    like, samples = reference_of(bundle, Target(target), options["provider"]) if has_samples else (None, None)
    started = time.perf_counter()
    with Inspector(bundle, target=target, **_of_inspector(options)) as inspector:
        loaded = time.perf_counter() - started
        if samples is not None:
            _require_agreement(compare_with_samples(inspector, samples, precision=options["precision"], like=like))
        if samples is None or own.frame_size is not None:
            # A region costs the same wherever it lies, and frames of noise may have any proportions.
            inspector.region = replace(inspector.region, aspect=None)
        shut, opened = _time(inspector, _batches(samples, own), own.seconds)
        return asdict(
            Measurement(
                shut_ms=round(shut, 4),
                open_ms=round(opened, 4),
                load_s=round(loaded, 3),
                peak_memory_mib=peak_memory_mib(),
                device=inspector.device,
                compared=len(samples.frames) if samples else 0,
            )
        )


def _of_inspector(options: dict[str, Any]) -> dict[str, Any]:
    """The options that an inspector takes; it leaves the others as they are in `BackendOptions`."""
    return {name: value for name, value in options.items() if name in inspect.signature(Inspector).parameters}


def _require_agreement(check: EngineCheck) -> None:
    if check.outcome is not Outcome.AGREES:
        raise NandEdgeError(
            f"engine for {check.name}",
            found=check.reason,
            needed="what the reference gave for the bundle's sample frames",
            do="build the engine again on this device, or use another target",
        )


def _batches(samples: Samples | None, load: Load) -> list[list[NDArray[np.uint8]]]:
    """Batches of frames of one size: each sample by itself repeated, or noise."""
    if samples is not None and load.frame_size is None:
        return [[frame] * load.batch for frame in samples.frames]
    shape = (load.batch, *(load.frame_size or _NOISE), 3)
    return [list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))]


def _time(inspector: Inspector, batches: Sequence[list[NDArray[np.uint8]]], seconds: float) -> tuple[float, float]:
    """Median milliseconds with the gate shut and open, by turns, after one run of each batch that does not count."""
    calls: list[Callable[[], object]] = [
        partial(inspector.inspect, batch[0]) if len(batch) == 1 else partial(inspector.inspect_batch, batch)
        for batch in batches
    ]
    inspector.threshold = _SHUT
    times: dict[bool, list[float]] = {False: [], True: []}
    for run in range(-len(calls), _MOST):
        call = calls[run % len(calls)]
        for is_open, own in times.items():
            inspector.complete = is_open
            started = time.perf_counter()
            call()
            if run >= 0:
                own.append(time.perf_counter() - started)
        if run + 1 >= _FEWEST and sum(times[False]) + sum(times[True]) >= 2 * seconds:
            break
    return float(np.median(times[False])) * 1e3, float(np.median(times[True])) * 1e3
