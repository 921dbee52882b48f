"""What a data set is here: classes, each with good frames to fit on and test frames whose defects are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.files import sha256_of_file
from nand_edge.images import read_frame

GOOD = "good"


class DamagedFrameError(NandEdgeError):
    """A frame or its mask that cannot be used; an evaluation may go on without it."""


@dataclass(frozen=True)
class LabelledFrame:
    """A test frame.

    Attributes:
        path: The image file.
        kinds: What is wrong with it, by the data set's own names; empty for a good one.
        mask: The file that marks the defect's pixels, where there is one.
    """

    path: Path
    kinds: tuple[str, ...] = ()
    mask: Path | None = None

    @property
    def label(self) -> str:
        """Its kinds for people, `good` without any."""
        return " + ".join(self.kinds) or GOOD

    def sha256(self) -> str:
        """Hash of the image file.

        Raises:
            DamagedFrameError: The file cannot be read.
        """
        try:
            return sha256_of_file(self.path)
        except OSError as error:
            raise DamagedFrameError(
                f"image {str(self.path)!r}",
                found=error.strerror or "a file that cannot be read",
                needed="an image file",
                do="complete the data set",
            ) from None

    def read(self) -> NDArray[np.uint8]:
        """The frame, uint8 [H, W, 3] BGR, after a look at its mask.

        Raises:
            DamagedFrameError: The image or the mask cannot be read, or their sizes differ.
        """
        try:
            frame = read_frame(self.path)
            if self.mask is not None:
                read_mask(self.mask, frame.shape[:2])
        except DamagedFrameError:
            raise
        except NandEdgeError as error:
            raise DamagedFrameError(error.what, found=error.found, needed=error.needed, do=error.do) from None
        return frame


@dataclass(frozen=True)
class DatasetClass:
    """One class of a data set: one kind of part.

    Attributes:
        name: The class's name.
        good: Frames of good parts, to fit on.
        test: The test frames, good ones among them.
    """

    name: str
    good: tuple[Path, ...]
    test: tuple[LabelledFrame, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The names of all defects in the test frames, sorted."""
        return tuple(sorted({kind for frame in self.test for kind in frame.kinds}))


def read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask, bool [H, W], True where the defect is: everything that is not black.

    Args:
        path: The mask's file.
        size: Height and width of its frame, pixels.

    Raises:
        NandEdgeError: The file cannot be read, or the mask has another size than its frame.
    """
    mask = cv2.cvtColor(read_frame(path), cv2.COLOR_BGR2GRAY) > 0
    if mask.shape != size:
        raise DamagedFrameError(
            f"mask {str(path)!r}",
            found=f"{mask.shape[1]} x {mask.shape[0]} pixels",
            needed=f"{size[1]} x {size[0]}, as its frame has",
            do="put the right mask there, or remove both",
        )
    return np.asarray(mask, dtype=np.bool_)
