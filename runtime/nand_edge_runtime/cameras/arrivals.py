"""Which files of a folder were written to their end: seen by their content, or by staying as they are for a while.

Only what does not change between two looks counts, never a file's time against the clock, which may be set back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nand_edge.images import SUFFIXES
from nand_edge_runtime.cameras.image_files import whole_on_disk

Identity = tuple[int, int]
"""A file's size and time of change: another one under the same name differs in it."""

_SHORTEST_RETRY_S = 0.05

_MOST = 512
"""Files that are looked at more closely at a time."""


@dataclass
class Arrival:
    """An image file that was found.

    Attributes:
        name: Its name in the folder.
        identity: Which file of this name it is.
        changed: When it was last seen to change, seconds of `time.monotonic()`.
        is_whole: Whether its end is there; None where its format does not tell.
        next_try: When it may be tried, again if it was.
    """

    name: str
    identity: Identity
    changed: float
    is_whole: bool | None
    next_try: float


class Arrivals:
    """Looks at a folder again and again.

    Hidden files, folders, links and files with other suffixes than an image's are left out.

    Args:
        folder: The folder.
        settle_s: A file whose end cannot be seen may be tried when it was unchanged so long.
    """

    def __init__(self, folder: Path, settle_s: float) -> None:
        self._folder, self._settle_s = folder, settle_s
        self._found: dict[str, Arrival] = {}

    def ready(self, is_left_out: Callable[[str, Identity], bool]) -> list[Arrival]:
        """Files that may be tried now, the oldest first; each is given again after a while, unless it is left out.

        Args:
            is_left_out: Whether a file need not be looked at.

        Raises:
            OSError: The folder cannot be read.
        """
        now = time.monotonic()
        images = [image for image in _images(self._folder) if not is_left_out(*image)]
        # The oldest first, and not all of a folder that holds very many: the first frame is not to wait for the last.
        images.sort(key=lambda image: (image[1][1], image[0]))
        known = self._found
        self._found = {}
        for name, identity in images[:_MOST]:
            arrival = known.get(name)
            if arrival is None or arrival.identity != identity:
                arrival = self._arrived(name, identity, now)
            self._found[name] = arrival
        due = [arrival for arrival in self._found.values() if arrival.next_try <= now]
        for arrival in due:
            arrival.next_try = now + max(self._settle_s, _SHORTEST_RETRY_S)
        return due

    def _arrived(self, name: str, identity: Identity, now: float) -> Arrival:
        try:
            is_whole = whole_on_disk(self._folder / name)
        except OSError:
            is_whole = None
        return Arrival(name, identity, now, is_whole, now if is_whole else now + self._settle_s)


def identity_of(found: os.stat_result) -> Identity:
    """Which file it is, of those of one name."""
    return found.st_size, found.st_mtime_ns


def _images(folder: Path) -> list[tuple[str, Identity]]:
    images = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    images.append((entry.name, identity_of(entry.stat(follow_symlinks=False))))
            except FileNotFoundError:
                continue
    return images
