"""Adding frames to a fitted PatchCore: its memory gets the patches that it lacks most; old frames are not needed."""

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
from nand_edge_export.detectors.memory import choose_memory
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.detectors.protocol import Detector, Progress, no_progress

_ADDED_SHARE = 0.1
"""Of the new frames' patches. More of them hardly change the maps of other frames, and each makes a frame slower."""

_NOTE = ", before "


@dataclass(frozen=True)
class Addition:
    """A detector with more in its memory and what a report says of it.

    Attributes:
        detector: The new detector.
        frames: How many frames were added.
        patches: How many of their patches are in the memory now.
        scores_before: Base scores of these frames with the old memory.
        scores_after: Base scores of these frames with the new one.
        seconds: Wall-clock time.
    """

    detector: PatchCore
    frames: int
    patches: int
    scores_before: tuple[float, ...]
    scores_after: tuple[float, ...]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        threshold = self.detector.threshold
        return {
            "kind": self.detector.kind,
            "settings": self.detector.settings,
            "frames": self.frames,
            "patches": self.patches,
            "highest_score_before": max(self.scores_before),
            "highest_score_after": max(self.scores_after),
            "threshold": threshold.value if threshold else None,
            "threshold_chosen_by": threshold.chosen_by if threshold else None,
            "seconds": round(self.seconds, 3),
        }


def add_frames(
    detector: Detector,
    good: Path | str | Sequence[Path],
    *,
    patches: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Addition:
    """Add frames that are to count as good to PatchCore's memory, each next patch the one farthest from all in it.

    The unit of the map stays, and no map gets higher (`PatchCore.with_added`). So the threshold stays too: at most as
    many good frames as before reach it. Its record says that it is older than these frames.

    Args:
        detector: A PatchCore; it is left as it is.
        good: A folder of images, or the images.
        patches: How many patches are added; None for a tenth of the new frames' patches.
        seed: Of the projection that distances between patches are measured after.
        progress: Told about every step.

    Raises:
        NandEdgeError: The detector is none with a memory to add to, `patches` is below 1, or an image cannot be used.
    """
    if not isinstance(detector, PatchCore):
        raise NandEdgeError(
            "the detector to add frames to",
            found=f"one of the kind {detector.kind}",
            needed=f"the kind {PatchCore.kind}, whose memory holds patches of frames",
            do="fit a patchcore, or fit this one again with the frames among the others",
        )
    if patches is not None and patches < 1:
        raise NandEdgeError("--add-patches", found=str(patches), needed="at least 1", do="give a larger number")
    started = time.perf_counter()
    frames = list_images(good) if isinstance(good, Path | str) else list(good)
    rows, columns = detector.features.grid
    chosen = choose_memory(
        frames,
        detector.features.of_frame,
        patches or max(1, round(_ADDED_SHARE * len(frames) * rows * columns)),
        beside=detector.memory,
        seed=seed,
        progress=progress,
    )
    new = detector.with_added(chosen, len(frames))
    new.threshold = _kept(detector.threshold, new)
    before, after = _scores((detector, new), frames, progress)
    return Addition(new, len(frames), len(chosen), before, after, time.perf_counter() - started)


def _kept(threshold: ThresholdRecord | None, detector: PatchCore) -> ThresholdRecord | None:
    if threshold is None:
        return None
    frames = detector.settings["added_frames"]
    chosen_by = threshold.chosen_by.partition(_NOTE)[0]
    note = f"{_NOTE}{frames} frame{'s were' if frames != 1 else ' was'} added to the memory"
    return threshold.model_copy(update={"chosen_by": chosen_by + note})


@torch.no_grad()
def _scores(
    detectors: Sequence[PatchCore], frames: Sequence[Path], progress: Progress
) -> tuple[tuple[float, ...], ...]:
    """Base scores of the frames, for each detector."""
    scores: list[list[float]] = [[] for _ in detectors]
    for number, path in enumerate(frames, start=1):
        frame = read_frame(path)
        for detector, of_it in zip(detectors, scores, strict=True):
            of_it.append(float(detector.map_of(frame).max()))
        progress("scores", number, len(frames))
    return tuple(tuple(of_it) for of_it in scores)
