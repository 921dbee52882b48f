"""Where this machine keeps what can be made again: caches of engines, never part of a bundle."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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
