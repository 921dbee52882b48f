"""Fit a base detector on frames of good parts, and choose its threshold on frames that it has not seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge.manifest import ThresholdRecord
from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge_export.detectors import AprilGan, Detector, PatchCore
from nand_edge_export.detectors.backbones import DEFAULT, load_backbone
from nand_edge_export.detectors.coreset import greedy_coreset
from nand_edge_export.detectors.patchcore import PatchFeatures
from nand_edge_export.detectors.protocol import Progress, no_progress

FEWEST_FRAMES_FOR_A_THRESHOLD = 10


@dataclass(frozen=True)
class Fitted:
    """A new detector and how to run it on one frame.

    Attributes:
        detector: The detector, in evaluation mode, without a threshold.
        base_map: From a frame, uint8 [H, W, 3] BGR, to its base map, float32 [M, M].
    """

    detector: Detector
    base_map: Callable[[NDArray[np.uint8]], torch.Tensor]


class Method(Protocol):
    """How a detector is made from good frames."""

    learns: ClassVar[bool]
    """Whether the detector depends on the frames, so that a threshold needs others."""

    def fit(self, frames: Sequence[Path], *, seed: int, progress: Progress) -> Fitted:
        """Make the detector."""


@dataclass(frozen=True)
class Fit:
    """A fitted detector and what a report says of it.

    Attributes:
        detector: The detector, with its threshold where there were frames enough to choose one.
        frames: How many good frames it was fitted on.
        held_out: How many other good frames chose the threshold.
        held_out_scores: Their base scores.
        seconds: Wall-clock time of the fit and of choosing the threshold.
    """

    detector: Detector
    frames: int
    held_out: int
    held_out_scores: tuple[float, ...]
    seconds: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        threshold = self.detector.threshold
        return {
            "kind": self.detector.kind,
            "settings": self.detector.settings,
            "frames": self.frames,
            "held_out": self.held_out,
            "threshold": threshold.value if threshold else None,
            "threshold_chosen_by": threshold.chosen_by if threshold else None,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        }


@dataclass(frozen=True)
class PatchCoreMethod:
    """Fits PatchCore.

    Attributes:
        backbone: `NAME` or `NAME:FILE`, see `load_backbone`.
        input_size: Side of the square that frames are resized to, pixels.
        memory_patches: Size of the memory: the cost of a frame grows with it.
        candidates: How many patches, drawn at random, the coreset is chosen from; by default 8 times the memory.
    """

    backbone: str = DEFAULT
    input_size: int = 256
    memory_patches: int = 4000
    candidates: int | None = None

    learns: ClassVar[bool] = True

    def fit(self, frames: Sequence[Path], *, seed: int = 0, progress: Progress = no_progress) -> Fitted:
        """Collect patches of all frames, keep those that cover the others best."""
        self._check()
        if not frames:
            raise _no_frames()
        progress("backbone", 0, 1)
        backbone = load_backbone(self.backbone, self.input_size)
        features = PatchFeatures(backbone)
        progress("backbone", 1, 1)

        def prepare(frame: NDArray[np.uint8]) -> torch.Tensor:
            return backbone.preprocessing.prepare(frame[np.newaxis])

        generator = torch.Generator().manual_seed(seed)
        share = -(-(self.candidates or 8 * self.memory_patches) // len(frames))
        drawn = []
        with torch.no_grad():
            for number, path in enumerate(frames, start=1):
                patches = features(prepare(read_frame(path)))[0].flatten(1).T  # [P, C]
                drawn.append(patches[torch.randperm(len(patches), generator=generator)[:share]])
                progress("features", number, len(frames))
        candidates = torch.cat(drawn)
        chosen = greedy_coreset(candidates, self.memory_patches, seed=seed, progress=progress)
        detector = PatchCore(features, backbone, candidates[chosen].clone()).eval()
        return Fitted(detector, lambda frame: detector(prepare(frame))[0])

    def _check(self) -> None:
        candidates = self.candidates if self.candidates is not None else self.memory_patches
        for option, value, lowest in (
            ("--input-size", self.input_size, 32),
            ("--memory-patches", self.memory_patches, 1),
            ("--candidates", candidates, self.memory_patches),
        ):
            if value < lowest:
                raise NandEdgeError(option, found=str(value), needed=f"at least {lowest}", do="give a larger number")


def fit(
    method: Method,
    good: Path | str | None,
    *,
    holdout: float = 0.1,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Fit:
    """Fit a base detector on a folder of good frames.

    The threshold is the highest base score of good frames that the detector has not seen: those held out, or all of
    them for a method that learns nothing from frames. With fewer than 10 frames there is no threshold.

    Args:
        method: How; `PatchCoreMethod` or `AprilGanMethod`.
        good: A folder of images of good parts; None only for a method that learns nothing from them.
        holdout: Share of the frames, at least one frame, that only chooses the threshold.
        seed: Of all that is drawn at random; the same seed gives the same detector.
        progress: Told about every step.

    Raises:
        NandEdgeError: The folder or an image cannot be used, or an option has no sensible value.
    """
    if not 0.0 < holdout < 1.0:
        raise NandEdgeError("--holdout", found=str(holdout), needed="a share between 0 and 1", do="give 0.1, say")
    if good is None and method.learns:
        raise _no_frames()
    frames = list_images(good) if good is not None else []
    seen, unseen = split(frames, holdout, seed=seed) if method.learns else ([], frames)
    started = time.perf_counter()
    fitted = method.fit(seen, seed=seed, progress=progress)
    finished = time.perf_counter()
    scores = []
    with torch.no_grad():
        for number, path in enumerate(unseen, start=1):
            scores.append(float(fitted.base_map(read_frame(path)).max()))
            progress("threshold", number, len(unseen))
    fitted.detector.threshold = _threshold(scores, enough=len(frames) >= FEWEST_FRAMES_FOR_A_THRESHOLD, unseen=method.learns)
    seconds = {"fit": finished - started, "threshold": time.perf_counter() - finished}
    return Fit(fitted.detector, len(seen), len(unseen), tuple(scores), seconds)


def split(frames: Sequence[Path], holdout: float, *, seed: int) -> tuple[list[Path], list[Path]]:
    """Divide frames into those to fit on and those that choose the threshold; too few frames are all fitted on."""
    if len(frames) < FEWEST_FRAMES_FOR_A_THRESHOLD:
        return list(frames), []
    order = torch.randperm(len(frames), generator=torch.Generator().manual_seed(seed)).tolist()
    count = min(max(1, round(holdout * len(frames))), len(frames) - 1)
    held = set(order[:count])
    return [f for i, f in enumerate(frames) if i not in held], [f for i, f in enumerate(frames) if i in held]


def _threshold(scores: Sequence[float], *, enough: bool, unseen: bool) -> ThresholdRecord | None:
    if not enough or not scores:
        return None
    kind = "held-out good frames" if unseen else "good frames"
    return ThresholdRecord(value=max(scores), chosen_by=f"maximum of {len(scores)} {kind}")


def _no_frames() -> NandEdgeError:
    return NandEdgeError(
        "GOOD_DIR", found="none", needed="a folder of images of good parts", do="name it after `nand-edge fit`"
    )
