"""Where this machine keeps what can be made again: caches of engines, never part of a bundle."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from nand_edge.errors import NandEdgeError

_NAME = "nand-edge"


def cache_folder() -> Path:
    """The user's cache folder of this program by the platform's rules; it need not exist yet.

    `XDG_CACHE_HOME` or `~/.cache` on Linux, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
    """
    if sys.platform == "win32":
        parent = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        parent = Path.home() / "Library" / "Caches"
    else:
        parent = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(parent) / _NAME


def private_folder(folder: Path) -> Path:
    """Make a folder that only this user can write: who can put an engine there can run code in this process.

    Raises:
        NandEdgeError: It is there, and other users can write to it.
        OSError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = folder.stat()
    if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise NandEdgeError(
            f"cache {str(folder)!r}",
            found="a folder that other users can write to",
            needed="one of this user alone, since engines are loaded from it",
            do="remove the folder, or correct its owner and rights",
        )
    return folder
