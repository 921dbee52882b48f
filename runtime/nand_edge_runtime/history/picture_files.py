"""The files of pictures: by the hour in which the frame was taken, under names that only their frame gives."""

from __future__ import annotations

import hashlib
import math
import os
import re
import time
from contextlib import suppress
from pathlib import Path

from nand_edge_runtime.station.frames import FrameKey

MAPS_SUFFIX = ".npz"

_UNDATED = "00000000T00"
_PART = ".part"
_SUFFIXES = (".jpg", ".png")
_HOUR = re.compile(r"\d{8}T\d{2}")


class PictureFiles:
    """A folder of hours, each with pictures; the oldest hour goes first.

    Args:
        folder: Its own folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bytes: dict[str, int] = {}

    @property
    def total_bytes(self) -> int:
        """What the files take, as of `measure` and what was written and removed since."""
        return sum(list(self._bytes.values()))  # other threads ask while one writes

    def measure(self) -> None:
        """Look how much is there, and remove what was cut short."""
        self._bytes.clear()
        for hour in self._hours():
            total = 0
            with os.scandir(self.folder / hour) as entries:
                for entry in entries:
                    if not entry.is_file(follow_symlinks=False):
                        continue
                    if entry.name.endswith(_PART):
                        Path(entry.path).unlink(missing_ok=True)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
            self._bytes[hour] = total

    def place(self, key: FrameKey, timestamp: float, suffix: str) -> Path:
        """Where a frame's file is, or would be."""
        # A hash: a camera's name or a run's never becomes part of a path.
        name = hashlib.sha256(f"{key.run}\0{key.camera}\0{key.number}".encode("utf-8", "replace")).hexdigest()
        return self.folder / _hour(timestamp) / f"{name}{suffix}"

    def picture(self, key: FrameKey, timestamp: float) -> Path | None:
        """A frame's picture, if it is kept."""
        places = (self.place(key, timestamp, suffix) for suffix in _SUFFIXES)
        # One without content was being written when the power went.
        return next((place for place in places if place.is_file() and place.stat().st_size), None)

    def write(self, place: Path, content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(place.name + _PART)
        try:
            part.write_bytes(content)
            part.replace(place)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        hour = place.parent.name
        self._bytes[hour] = self._bytes.get(hour, 0) + len(content)

    def remove_before(self, timestamp: float) -> None:
        """Remove the hours that ended before this moment."""
        oldest_kept = _hour(timestamp)
        for hour in self._hours():
            if hour < oldest_kept:
                self._remove_hour(hour)

    def shrink(self, limit_bytes: int) -> None:
        """Remove the oldest until the rest takes no more than so many bytes."""
        hours = self._hours()
        for gone in self._bytes.keys() - set(hours):  # somebody removed it
            del self._bytes[gone]
        for hour in hours:
            if self.total_bytes <= limit_bytes:
                return
            self._remove_files(hour, self.total_bytes - limit_bytes)

    def _hours(self) -> list[str]:
        try:
            with os.scandir(self.folder) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if _HOUR.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        except FileNotFoundError:
            return []

    def _remove_hour(self, hour: str) -> None:
        self._remove_files(hour, None)

    def _remove_files(self, hour: str, enough_bytes: int | None) -> None:
        """Remove an hour's oldest files until so many bytes are free; all of them for None."""
        with os.scandir(self.folder / hour) as entries:
            files = [
                (entry.stat(follow_symlinks=False), entry.path)
                for entry in entries
                if entry.is_file(follow_symlinks=False)
            ]
        files.sort(key=lambda file: file[0].st_mtime_ns)
        removed = 0
        for stat, path in files:
            if enough_bytes is not None and removed >= enough_bytes:
                break
            Path(path).unlink(missing_ok=True)
            removed += stat.st_size
        else:
            self._bytes.pop(hour, None)
            with suppress(OSError):
                (self.folder / hour).rmdir()
            return
        self._bytes[hour] = max(self._bytes.get(hour, 0) - removed, 0)


def _hour(timestamp: float) -> str:
    """Such as 20261124T07, UTC."""
    try:
        moment = time.gmtime(timestamp if math.isfinite(timestamp) else 0.0)
    except (OverflowError, OSError, ValueError):
        return _UNDATED
    return time.strftime("%Y%m%dT%H", moment) if 1970 <= moment.tm_year <= 9999 else _UNDATED
