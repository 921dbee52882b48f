"""Reference frames of the few-shot methods: a folder of them, or some of the good frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images


@dataclass(frozen=True)
class Shots:
    """Where reference frames come from.

    Attributes:
        count: How many are drawn from the good frames; 0 with a folder.
        folder: A folder whose images are all reference frames, apart from the good frames.
    """

    count: int = 0
    folder: Path | None = None

    def choose(self, frames: Sequence[Path], *, seed: int) -> list[Path]:
        """The reference frames.

        Args:
            frames: The good frames.
            seed: Of the draw.

        Raises:
            NandEdgeError: There are fewer good frames than wanted, or the folder holds no images.
        """
        if self.folder is not None:
            return list_images(self.folder)
        if self.count > len(frames):
            raise NandEdgeError(
                "--shots",
                found=f"{self.count} reference frames wanted of {len(frames)} good frames",
                needed="no more than there are",
                do="give more good frames or a smaller number",
            )
        order = torch.randperm(len(frames), generator=torch.Generator().manual_seed(seed)).tolist()
        return [frames[place] for place in sorted(order[: self.count])]


def parse_shots(text: str | None) -> Shots | None:
    """What `--shots` says: a number of good frames, or a folder.

    Raises:
        NandEdgeError: It is neither.
    """
    if text is None:
        return None
    if text.isdecimal():
        return Shots(count=int(text))
    if not Path(text).is_dir():
        raise NandEdgeError(
            "--shots",
            found=f"{text!r}, no number and no folder",
            needed="a number of reference frames, or a folder of them",
            do="give 5, say",
        )
    return Shots(folder=Path(text))
