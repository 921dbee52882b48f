"""One station a state folder, however the one before has ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.station.lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from nand_edge_runtime.station.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_station_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "state"
    first = FolderLock(folder)
    with pytest.raises(NandEdgeError, match="found another station that uses it"):
        FolderLock(folder)
    first.release()
    FolderLock(folder).release()


def test_each_folder_has_a_lock_of_its_own(tmp_path: Path) -> None:
    locks = [FolderLock(tmp_path / name) for name in ("one", "two")]
    for lock in locks:
        lock.release()


def test_a_station_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    station = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert station.stdout is not None
    with station.stdout as printed:
        assert printed.readline() == "held\n"
    with pytest.raises(NandEdgeError, match="found another station that uses it"):
        FolderLock(tmp_path)
    station.kill()
    station.wait()
    FolderLock(tmp_path).release()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(NandEdgeError, match="needed a folder that can be made and written"):
        FolderLock(tmp_path / "file" / "state")
