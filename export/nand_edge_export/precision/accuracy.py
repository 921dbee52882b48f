"""What a lower precision gives away and gains: an engine against fp32 in ONNX Runtime, as the device runs both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.images import read_frame
from nand_edge.inspection import Inspection, decide
from nand_edge.manifest import AccuracyRecord, EngineRecord, Target
from nand_edge.signature import MAPS
from nand_edge_export.precision.labels import LabelledFrames, mean_auroc
from nand_edge_runtime.backends.protocol import TargetUnavailableError
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.machine import processor_name

_FP32 = "fp32"
_TIMED_FRAMES = 4
_TIMED_RUNS = 4
_PIXELS = 0.99

Told = Callable[[str], None]


@dataclass(frozen=True)
class Frames:
    """What engines are compared on.

    Attributes:
        files: Frames of any kind.
        labels: Test frames of a data set whose groups are normalities of the bundle; None without labels.
        threads: CPU threads for one frame; None lets the engines choose.
    """

    files: Sequence[Path]
    labels: LabelledFrames | None = None
    threads: int | None = None


@dataclass
class _Differences:
    maps: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: int = 0


def measure(bundle: Bundle, engine: EngineRecord, frames: Frames, *, told: Told) -> AccuracyRecord | None:
    """Compare an engine of a bundle with the bundle's graph in ONNX Runtime.

    Both judge every frame with the gate open; verdicts are those at the bundle's threshold. Both are timed by turns on
    a few of the frames.

    Args:
        bundle: The bundle, with the engine in its manifest.
        engine: The engine.
        frames: What to compare on.
        told: Told what is being done.

    Returns:
        The figures; None where the engine cannot run on this machine.

    Raises:
        NandEdgeError: A frame cannot be read, or the engine fails.
    """
    normalities = normalities_to_compare(bundle)
    with Inspector(bundle, target=Target.ONNX, normalities=normalities, threads=frames.threads) as exact:
        try:
            lowered = Inspector(
                bundle,
                target=engine.target,
                precision=engine.precision,
                normalities=normalities,
                threads=frames.threads,
            )
        except TargetUnavailableError:
            return None
        with lowered:
            exact.complete = lowered.complete = True
            found = _differences(exact, lowered, frames.files, told)
            told("timing both by turns")
            ratio = _speed_ratio(exact, lowered, frames.files[:_TIMED_FRAMES])
            aurocs = _aurocs(exact, lowered, frames.labels, told)
    pixels = np.concatenate(found.maps) if found.maps else None
    return AccuracyRecord(
        frames=len(frames.files),
        compared_with=f"{Target.ONNX.value} {_FP32}",
        max_map_error=None if pixels is None else float(pixels.max()),
        p99_map_error=None if pixels is None else float(np.quantile(pixels, _PIXELS)),
        max_score_error=max(found.scores),
        verdicts_changed=found.verdicts,
        speed_ratio=ratio,
        auroc=aurocs and aurocs[1],
        auroc_of_compared=aurocs and aurocs[0],
        machine=processor_name(),
    )


def normalities_to_compare(bundle: Bundle) -> list[str]:
    """The normalities that engines are compared with: those in force, or all of the bundle's if none is."""
    records = bundle.manifest.normalities
    return [record.name for record in records if record.active] or [record.name for record in records]


def _differences(exact: Inspector, lowered: Inspector, files: Sequence[Path], told: Told) -> _Differences:
    found = _Differences()
    for place, file in enumerate(files):
        told(f"comparing with fp32: frame {place + 1} of {len(files)}")
        frame = read_frame(file)
        one, other = exact.inspect(frame), lowered.inspect(frame)
        found.scores.append(_difference(one.score, other.score))
        found.verdicts += decide(one.score, exact.threshold) is not decide(other.score, exact.threshold)
        if one.has_maps and other.has_maps:
            found.maps.extend(_map_difference(one, other, name) for name in MAPS)
    return found


def _map_difference(one: Inspection, other: Inspection, name: str) -> NDArray[np.float32]:
    difference = np.abs(getattr(one, name) - getattr(other, name))
    return np.asarray(np.nan_to_num(difference, nan=np.inf), np.float32).ravel()


def _difference(one: float, other: float) -> float:
    difference = abs(one - other)
    return difference if difference == difference else float("inf")  # noqa: PLR0124 - NaN


def _speed_ratio(exact: Inspector, lowered: Inspector, files: Sequence[Path]) -> float:
    """Median time of a frame in fp32 over that in the lower precision; by turns, so that the machine is the same."""
    images = [read_frame(file) for file in files]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TIMED_RUNS):
        for image in images:
            for inspector, taken in zip((exact, lowered), seconds, strict=True):
                start = time.perf_counter()
                inspector.inspect(image)
                taken.append(time.perf_counter() - start)
    return float(np.median(seconds[0]) / np.median(seconds[1]))


def _aurocs(
    exact: Inspector, lowered: Inspector, labels: LabelledFrames | None, told: Told
) -> tuple[float, float] | None:
    if labels is None:
        return None

    def scores_of(inspector: Inspector) -> Callable[[NDArray[np.uint8]], dict[str, float]]:
        def scores(frame: NDArray[np.uint8]) -> dict[str, float]:
            found = {}
            for group in labels.groups:
                inspector.set_normalities([group.name])
                found[group.name] = inspector.inspect(frame).score
            return found

        return scores

    told("AUROC of fp32")
    before = mean_auroc(labels, scores_of(exact))
    told("AUROC of the lower precision")
    return before, mean_auroc(labels, scores_of(lowered))
