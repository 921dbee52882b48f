"""Fit a base detector on frames of good parts, and choose its threshold on frames that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge.manifest import ThresholdRecord
from nand_edge_export.detectors.method import Fitted, Method
from nand_edge_export.detectors.protocol import Detector, Progress, no_progress

FEWEST_FRAMES_FOR_A_THRESHOLD = 10


@dataclass(frozen=True)
class Fit:
    """A fitted detector and what a report says of it.

    Attributes:
        detector: The detector, with its threshold where there were frames enough to choose one.
        frames: How many good frames it was fitted on, reference frames included.
        unseen_scores: Base scores of the good frames that it was not fitted on, which chose the threshold.
        seconds: Wall-clock time of the fit and of choosing the threshold.
    """

    detector: Detector
    frames: int
    unseen_scores: tuple[float, ...]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        threshold = self.detector.threshold
        return {
            "kind": self.detector.kind,
            "input_size": self.detector.input_size,
            "settings": self.detector.settings,
            "weights": self.detector.weights.model_dump(),
            "frames": self.frames,
            "unseen_frames": len(self.unseen_scores),
            "threshold": threshold.value if threshold else None,
            "threshold_chosen_by": threshold.chosen_by if threshold else None,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        }


def fit(
    method: Method,
    good: Path | str | Sequence[Path] | None,
    *,
    holdout: float = 0.1,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Fit:
    """Fit a base detector on a folder of good frames.

    The threshold is the highest base score of good frames that the detector has not seen: those held out, or all of
    them for a method that learns nothing from frames. With fewer than 10 frames there is no threshold.

    Args:
        method: How, `PatchCoreMethod(...)` for example.
        good: A folder of images of good parts, or the images; None only for a method that learns nothing from them.
        holdout: Share of the frames, at least one frame, that only chooses the threshold.
        seed: Of all that is drawn at random; the same seed gives the same detector.
        progress: Told about every step.

    Raises:
        NandEdgeError: The folder or an image cannot be used, or an option has no sensible value.
    """
    if not 0.0 < holdout < 1.0:
        raise NandEdgeError("--holdout", found=str(holdout), needed="a share between 0 and 1", do="give 0.1, say")
    if good is None and method.learns:
        raise NandEdgeError(
            "good frames", found="none", needed="a folder of images of good parts", do="name it after `nand-edge fit`"
        )
    frames = list_images(good) if isinstance(good, Path | str) else list(good or ())
    seen, unseen = hold_out(frames, holdout, seed=seed) if method.learns else ([], frames)
    started = time.perf_counter()
    fitted = method.fit(seen, seed=seed, progress=progress)
    finished = time.perf_counter()
    if fitted.seen is not None:
        seen, unseen = list(fitted.seen), _others(frames, fitted.seen)
    scores = _scores(fitted, unseen, progress)
    if len(frames) >= FEWEST_FRAMES_FOR_A_THRESHOLD:
        kind = "held-out good frames" if method.learns else "good frames"
        fitted.detector.threshold = ThresholdRecord(value=max(scores), chosen_by=f"maximum of {len(scores)} {kind}")
    seconds = {"fit": finished - started, "threshold": time.perf_counter() - finished}
    return Fit(fitted.detector, len(seen), scores, seconds)


def hold_out(frames: Sequence[Path], share: float, *, seed: int) -> tuple[list[Path], list[Path]]:
    """Divide frames at random into those to fit on and a share that is not seen.

    With fewer than 10 frames nothing is held out: they are too few to choose a threshold, and the memory needs them.
    """
    if len(frames) < FEWEST_FRAMES_FOR_A_THRESHOLD:
        return list(frames), []
    count = min(max(1, round(share * len(frames))), len(frames) - 1)
    order = torch.randperm(len(frames), generator=torch.Generator().manual_seed(seed)).tolist()
    return [frames[index] for index in sorted(order[count:])], [frames[index] for index in sorted(order[:count])]


def _others(frames: Sequence[Path], seen: Sequence[Path]) -> list[Path]:
    places = {path.resolve() for path in seen}
    return [frame for frame in frames if frame.resolve() not in places]


def _scores(fitted: Fitted, frames: Sequence[Path], progress: Progress) -> tuple[float, ...]:
    scores = []
    for number, path in enumerate(frames, start=1):
        with torch.no_grad():
            scores.append(float(fitted.base_map(read_frame(path)).max()))
        progress("threshold", number, len(frames))
    return tuple(scores)
