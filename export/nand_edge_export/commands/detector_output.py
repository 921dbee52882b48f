"""What commands that write detectors share: the output's name."""

from __future__ import annotations

from pathlib import Path

from nand_edge.errors import NandEdgeError


def require_suffix(output: Path) -> None:
    """Refuse another name than NAME.detector.

    Raises:
        NandEdgeError: It has another suffix, or is a folder.
    """
    if output.suffix != ".detector" or output.is_dir():
        raise NandEdgeError(
            "--output", found=repr(str(output)), needed="a file named NAME.detector", do="choose such a name"
        )
