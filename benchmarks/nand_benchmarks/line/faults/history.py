"""Faults of what the history is written to."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from nand_benchmarks.line.book import DATABASE
from nand_benchmarks.line.faults.protocol import Fault, FaultNotHereError
from nand_benchmarks.line.line import Line, Plan
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.small_disk import SmallDisk

_DISK_MEGABYTES = 96
_PIECE = b"\0" * (1 << 16)


class DatabaseLocked(Fault):
    """Another program keeps the history's database for itself."""

    title: ClassVar[str] = "database locked"
    how: ClassVar[str] = "another process's exclusive transaction on the SQLite file, 2.5 to 4 s"
    trace: ClassVar[str] = "history is reconnecting"

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """Lock it, and let it go."""
        file = line.station.state_folder / DATABASE
        connection = sqlite3.connect(file, timeout=20, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
            with Outage.during() as outage:
                time.sleep(chance.uniform(2.5, 4.0))
                connection.execute("ROLLBACK")
        finally:
            connection.close()
        return outage


class DiskFull(Fault):
    """The disk that holds journal, history and pictures has no room left."""

    title: ClassVar[str] = "disk full"
    how: ClassVar[str] = f"state folder on a file system of {_DISK_MEGABYTES} MB, filled to the last byte, 1 to 2 s"
    trace: ClassVar[str] = "history is reconnecting"

    def __init__(self) -> None:
        self._disk: SmallDisk | None = None

    def plan(self, folder: Path) -> Plan:
        """A station whose state folder is on a small disk.

        Raises:
            FaultNotHereError: This machine does not let us have one.
        """
        try:
            self._disk = SmallDisk(folder, _DISK_MEGABYTES)
        except (OSError, subprocess.SubprocessError) as error:
            raise FaultNotHereError(f"no file system of our own: {error}") from None
        # So that pictures do not fill it by themselves, and room for records is not kept free.
        history = {"megabytes": _DISK_MEGABYTES // 3, "minimum_free_megabytes": 0, "journal_megabytes": 1}
        return Plan(surroundings=self._disk.surroundings(), settings={"history": history})

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """Fill it, and make room again."""
        filling = line.station.state_folder / "filling"
        began = time.monotonic()
        with filling.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while True:
                stream.write(_PIECE)
        until = time.monotonic() + chance.uniform(1.0, 2.0)
        while time.monotonic() < until:
            # What others free meanwhile is taken too.
            with filling.open("ab", buffering=0) as stream, contextlib.suppress(OSError):
                while shutil.disk_usage(filling.parent).free:
                    stream.write(b"\0" * 4096)
            time.sleep(0.01)
        filling.unlink()
        return Outage(began, time.monotonic())

    def close(self) -> None:
        """Give the disk back."""
        if self._disk is not None:
            self._disk.close()
