"""The frames to train on: the test frames of a data set, since only those have defects and masks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DamagedFrameError, LabelledFrame, read_mask
from nand_edge.evaluation.layouts import Dataset
from nand_edge_export.detectors.protocol import Progress


@dataclass(frozen=True)
class TrainingFrames:
    """Frames of one or several classes with their masks.

    Attributes:
        data_set: Name of the data set.
        objects: For each class, what is inspected, in words.
        frames: The frames.
        classes: For each frame, the number of its class.
        left_out: Why a frame was left out, a sentence each.
    """

    data_set: str
    objects: tuple[str, ...]
    frames: tuple[LabelledFrame, ...]
    classes: tuple[int, ...]
    left_out: tuple[str, ...] = ()

    @property
    def defects(self) -> int:
        """How many frames have a defect."""
        return sum(bool(frame.kinds) for frame in self.frames)

    def digest(self) -> str:
        """Hash over the objects and the frames' names and labels: what a training that goes on must find again."""
        lines = [*self.objects, *(f"{place} {frame.label} {frame.path.name}" for place, frame in self._placed())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _placed(self) -> list[tuple[int, LabelledFrame]]:
        return list(zip(self.classes, self.frames, strict=True))

    def checked(self, *, skip_bad: bool, progress: Progress) -> TrainingFrames:
        """These frames after a look at every image and mask, so that no training stops in the middle.

        Args:
            skip_bad: Leave damaged ones out in the place of stopping.
            progress: Told about every frame.

        Raises:
            NandEdgeError: An image is damaged, a defect has no mask, or a mask has another size than its image; or
                nothing with a defect is left.
        """
        kept: list[tuple[int, LabelledFrame]] = []
        left_out = []
        for number, (place, frame) in enumerate(self._placed(), start=1):
            try:
                read_masked(frame)
                kept.append((place, frame))
            except DamagedFrameError as error:
                if not skip_bad:
                    raise
                left_out.append(str(error))
            progress("checking", number, len(self.frames))
        checked = replace(
            self,
            frames=tuple(frame for _, frame in kept),
            classes=tuple(place for place, _ in kept),
            left_out=tuple(left_out),
        )
        _require_defects(checked)
        return checked


def gather(dataset: Dataset, *, chosen: Sequence[str] = (), objects: Mapping[str, str] | None = None) -> TrainingFrames:
    """All test frames of a data set's classes.

    Args:
        dataset: The data set.
        chosen: Classes to train on; empty for all.
        objects: For a class, what is inspected, in words; else it is the class's name.

    Raises:
        NandEdgeError: A class is missing or empty, or no frame has a defect.
    """
    names = tuple(chosen) or dataset.class_names
    known = objects or {}
    for name in known:
        if name not in names:
            raise NandEdgeError(
                f"--object for class {name!r}",
                found=f"the classes {', '.join(names)}",
                needed="one of these",
                do="correct the class before the '='",
            )
    classes = [dataset.read_class(name, test_only=True) for name in names]
    gathered = TrainingFrames(
        data_set=dataset.folder.resolve().name,
        objects=tuple(known.get(name, name.replace("_", " ")) for name in names),
        frames=tuple(frame for each in classes for frame in each.test),
        classes=tuple(place for place, each in enumerate(classes) for _ in each.test),
    )
    _require_defects(gathered)
    return gathered


def read_masked(frame: LabelledFrame) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A frame, uint8 [H, W, 3] BGR, and where its defect is, bool [H, W]; nowhere on a good frame.

    Raises:
        DamagedFrameError: The image or its mask cannot be read, has another size, or a defect has no mask.
    """
    image = frame.read()
    size = (image.shape[0], image.shape[1])
    if not frame.kinds:
        return image, np.zeros(size, np.bool_)
    if frame.mask is None:
        raise DamagedFrameError(
            f"image {str(frame.path)!r}",
            found=f"no mask for its defect {frame.label!r}",
            needed="a mask in ground_truth, white where the defect is",
            do="complete the data set, or leave the frame out with --skip-bad",
        )
    return image, read_mask(frame.mask, size)


def _require_defects(frames: TrainingFrames) -> None:
    if not frames.defects:
        raise NandEdgeError(
            f"data set {frames.data_set!r}",
            found=f"{len(frames.frames)} frames without a defect",
            needed="frames with defects, and their masks",
            do="add folders of defects under test/, with masks under ground_truth/",
        )
