"""One station a state folder: a second one would mix up the journal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from nand_edge.errors import NandEdgeError

_FILE = "station.lock"


class FolderLock:
    """Holds a state folder until it is released or the process ends, however it ends.

    Args:
        folder: The state folder, which is made if it is not there.

    Raises:
        NandEdgeError: Another station holds it, or it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        what = f"state folder {str(folder)!r}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._stream: IO[str] = (folder / _FILE).open("a+", encoding="ascii")
        except OSError as error:
            raise NandEdgeError(
                what,
                found=error.strerror or type(error).__name__,
                needed="a folder that can be made and written",
                do="set another state_folder",
            ) from None
        try:
            _lock(self._stream)
        except OSError:
            self._stream.close()
            raise NandEdgeError(
                what, found="another station that uses it", needed="a folder of its own for each",
                do="stop the other station, or set another state_folder",
            ) from None  # fmt: skip

    def release(self) -> None:
        """Let others have it."""
        self._stream.close()


def _lock(stream: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        stream.seek(0)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
