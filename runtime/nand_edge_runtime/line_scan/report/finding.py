"""Finds a roll in a station's state folder by what people call it."""

from __future__ import annotations

from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.line_scan.roll_book import roll_files
from nand_edge_runtime.line_scan.roll_file import Header, read_header

_NAMED_IN_A_COMPLAINT = 5


def find_roll(state_folder: Path, *, camera: str | None = None, roll: str | None = None) -> Path:
    """The file of a roll.

    Args:
        state_folder: The station's.
        camera: Its line-scan camera; None is enough where there is only one.
        roll: Its name, or that of its file; None is the newest.

    Raises:
        NandEdgeError: There is no such roll, or there are several cameras and none is given.
    """
    headers = {path: header for path in roll_files(state_folder, camera) if (header := _header(path)) is not None}
    cameras = sorted({header.camera for header in headers.values()})
    whose = f"rolls in {str(state_folder)!r}" if camera is None else f"rolls of camera {camera[:80]!r}"
    if not headers:
        raise NandEdgeError(
            whose,
            found="none",
            needed="the state folder of a station with a line-scan camera",
            do="check the folder and the camera's name",
        )
    if len(cameras) > 1:
        raise NandEdgeError(
            whose, found=f"those of {', '.join(cameras)}", needed="one camera", do="name the camera with --camera"
        )
    named = [path for path, header in headers.items() if roll is None or roll in (header.name, path.stem)]
    if not named:
        newest = [header.name for header in headers.values()][-_NAMED_IN_A_COMPLAINT:]
        raise NandEdgeError(
            f"roll {str(roll)[:80]!r}",
            found="no roll of that name",
            needed=f"one of {len(headers)}, such as {', '.join(map(repr, newest))}",
            do="correct the name, or leave it out for the newest",
        )
    return named[-1]


def _header(path: Path) -> Header | None:
    try:
        return read_header(path)
    except NandEdgeError:
        return None
