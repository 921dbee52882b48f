"""A database that is locked, damaged, removed or without room costs no verdict, is said, and gets everything later."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from history.made_frames import OpenHistory, make_decided, make_frame, until, write_down
from pace import within

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History, Query
from nand_edge_runtime.history.database import SQLITE_FILE
from nand_edge_runtime.station.hub import Hub, PartChanged
from nand_edge_runtime.station.states import PartState, PartStatus

pytestmark = pytest.mark.station


@pytest.fixture
def told() -> list[PartStatus]:
    """What the station is told of its history."""
    return []


@pytest.fixture
def hub(told: list[PartStatus]) -> Hub:
    hub = Hub()
    hub.listen(lambda event: told.append(event.status) if isinstance(event, PartChanged) else None)
    return hub


LONG = "\N{GRINNING FACE}" * 2000
"""Of which the journal needs 24 kilobytes."""


def numbers(history: History) -> list[int]:
    return sorted(record.key.number for page in history.pages(Query(limit=5000)) for record in page)


def file_of(folder: Path) -> Path:
    return folder / "history" / SQLITE_FILE


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


def test_another_process_locks_the_database(
    tmp_path: Path, open_history: OpenHistory, hub: Hub, told: list[PartStatus]
) -> None:
    history = open_history(hub=hub)
    write_down(history, make_frame(0))
    assert history.flushed(5.0)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file_of(tmp_path))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    with within(1.5, "verdicts do not wait for the database, as the keeper does"):
        for number in range(1, 50):
            write_down(history, make_frame(number))
    assert until(lambda: history.status().state is PartState.RECONNECTING)
    assert "locked" in history.status().why
    assert numbers(history) == [0], "readers are not held up"
    holder.communicate()
    assert history.flushed(10.0)
    assert until(lambda: history.status().state is PartState.RUNNING)
    assert numbers(history) == list(range(50))
    assert [status.state for status in told] == [PartState.RECONNECTING, PartState.RUNNING]


def test_a_database_that_is_locked_at_the_start_is_waited_for(tmp_path: Path, open_history: OpenHistory) -> None:
    open_history("run-1").stop(5.0)
    with sqlite3.connect(file_of(tmp_path), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        history = open_history("run-2")
        write_down(history, make_frame(0))
        assert history.status().facts["lost"] == 0
        other.execute("ROLLBACK")
    other.close()
    assert history.flushed(10.0)
    assert numbers(history) == [0]


@pytest.mark.parametrize("damage", ["header", "middle", "all"])
def test_a_damaged_file_is_put_aside_and_filled_anew(tmp_path: Path, open_history: OpenHistory, damage: str) -> None:
    first = open_history("run-1")
    for number in range(300):
        write_down(first, make_frame(number))
    assert first.flushed(10.0)
    first.stop(5.0)
    size = file_of(tmp_path).stat().st_size
    with file_of(tmp_path).open("r+b") as stream:
        start, length = {"header": (0, 100), "middle": (8192, size - 8192), "all": (0, size)}[damage]
        stream.seek(start)
        stream.write(b"\xa5" * length)
    history = open_history("run-2")
    write_down(history, make_frame(300))
    assert until(lambda: file_is_whole(history), 10.0)
    assert history.flushed(10.0)
    assert numbers(history) == list(range(301)), "the journal still had everything"
    (aside,) = file_of(tmp_path).parent.glob("history.sqlite.damaged-*Z")
    assert aside.stat().st_size == size, "for somebody who knows how to mend it"
    assert aside.name in history.audits()[0].what


def file_is_whole(history: History) -> bool:
    """Look as a page does: a reader that meets the damage says so, and gets no answer meanwhile."""
    try:
        return len(numbers(history)) > 0
    except NandEdgeError:
        return False


def test_a_file_that_is_damaged_while_the_station_runs(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history()
    for number in range(300):
        write_down(history, make_frame(number))
    assert history.flushed(10.0)
    for path in (file_of(tmp_path), file_of(tmp_path).with_name("history.sqlite-wal")):
        with path.open("r+b") as stream:
            stream.write(b"\xa5" * path.stat().st_size)
    for number in range(300, 400):
        write_down(history, make_frame(number))
        file_is_whole(history)
    assert until(lambda: bool(list(file_of(tmp_path).parent.glob("history.sqlite.damaged-*Z"))))
    assert history.flushed(10.0)
    assert until(lambda: file_is_whole(history), 10.0)
    assert numbers(history) == list(range(400))


def test_damage_again_and_again_ends_in_waiting_not_in_a_full_disk(tmp_path: Path, open_history: OpenHistory) -> None:
    (tmp_path / "history").mkdir()
    for minute in range(5):
        (tmp_path / "history" / f"{SQLITE_FILE}.damaged-20260101T000{minute}00Z").write_text("")
    file_of(tmp_path).write_bytes(b"no database at all" * 100)
    history = open_history()
    write_down(history, make_frame(0))
    assert until(lambda: "again and again" in history.status().why)
    assert history.status().facts["lost"] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_the_database_is_removed_while_the_station_runs(tmp_path: Path, open_history: OpenHistory, what: str) -> None:
    history = open_history()
    for number in range(50):
        write_down(history, make_frame(number))
    assert history.flushed(5.0)
    if what == "file":
        file_of(tmp_path).unlink()
    else:
        (tmp_path / "history").rename(tmp_path / "moved away")
    for number in range(50, 60):
        write_down(history, make_frame(number))
    assert until(lambda: file_of(tmp_path).exists() and file_is_whole(history) and len(numbers(history)) == 60)
    assert "the file of the old one was removed" in history.audits()[0].what
    history.stop(5.0)
    with sqlite3.connect(file_of(tmp_path)) as other:
        assert other.execute("SELECT count(*) FROM nand_edge_frames").fetchone() == (60,)
    other.close()


def test_tables_that_somebody_dropped_are_made_again(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history()
    write_down(history, make_frame(0))
    assert history.flushed(5.0)
    with sqlite3.connect(file_of(tmp_path)) as other:
        other.execute("DROP TABLE nand_edge_frames")
    other.close()
    write_down(history, make_frame(1))
    assert history.flushed(10.0)
    assert numbers(history) == [1]


def test_a_newer_database_is_refused(tmp_path: Path, open_history: OpenHistory) -> None:
    open_history("run-1").stop(5.0)
    with sqlite3.connect(file_of(tmp_path)) as other:
        other.execute("UPDATE nand_edge_meta SET value = '99' WHERE key = 'version'")
    other.close()
    with pytest.raises(NandEdgeError, match="found tables of version 99"):
        open_history("run-2")


def test_what_the_database_refuses_is_put_aside_and_the_rest_goes_on(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history()
    for number in (0, 2**70, 2):
        write_down(history, make_frame(number))
    assert history.flushed(5.0)
    assert numbers(history) == [0, 2]
    assert history.status().facts["refused"] == 2, "its entrance and its verdict"
    assert str(2**70) in (tmp_path / "history" / "refused.jsonl").read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 megabytes of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=100m", "none", str(folder)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("needs the right to mount a small disk (root)")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607 - from where mount is


def test_a_full_disk(small_disk: Path, open_history: OpenHistory, hub: Hub, told: list[PartStatus]) -> None:
    history = open_history(folder=small_disk, hub=hub, picture_rejects=True, minimum_free_megabytes=2)
    write_down(history, make_frame(0))
    assert history.flushed(5.0)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\1" * (1 << 16))
        except OSError:
            assert shutil.disk_usage(small_disk).free < 1 << 16
    times: list[float] = []
    number = 0
    while not history._journal.trouble:
        number += 1
        began = time.monotonic()
        write_down(history, make_frame(number), Verdict.REJECT, detail=LONG)
        times.append(time.monotonic() - began)
        assert number < 30_000
    for _ in range(200):
        number += 1
        write_down(history, make_frame(number), detail=LONG)
    assert statistics.median(times) < 0.01, "verdicts go on"
    assert until(lambda: any("No space left" in status.why for status in told)), "it is said"
    status = history.status()
    assert status.state is PartState.RECONNECTING
    assert "No space left" in status.why
    assert status.facts["lost"] == 0
    assert status.facts["pictures_dropped"] > 0
    history.decided(make_decided(make_frame(number + 1)))  # its entrance found no room, its verdict waits in memory
    ballast.unlink()
    assert history.flushed(20.0)
    assert until(lambda: history.status().state is PartState.RUNNING and not history.status().why)
    assert numbers(history) == list(range(number + 2))
    assert told[-1].state is PartState.RUNNING
    history.stop(5.0)


def test_a_fault_that_nobody_foresaw_costs_no_verdict(open_history: OpenHistory) -> None:
    history = open_history()
    frame = make_frame(0)
    history.entered(frame)
    history.decided("no verdict at all")  # type: ignore[arg-type]  # a fault of the caller
    assert history.status().facts["lost"] >= 1
    history.decided(make_decided(frame))
    assert history.flushed(5.0)
    assert numbers(history) == [0]


def test_stop_is_quick_though_the_database_hangs(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history()
    assert history.flushed(5.0)
    with sqlite3.connect(file_of(tmp_path), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        for number in range(100):
            write_down(history, make_frame(number))
        time.sleep(0.1)
        with within(0.6):
            history.stop(0.3)
        other.execute("ROLLBACK")
    other.close()
    again = open_history("run-2")
    assert again.flushed(5.0)
    assert numbers(again) == list(range(100)), "the next start takes over what the database lacked"
