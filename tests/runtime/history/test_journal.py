"""The journal has a fact on the disk before anything acts on it, through full disks, power cuts and removed folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from history.made_frames import make_frame, make_record

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.history import segments
from nand_edge_runtime.history.journal import Journal, identity_of
from nand_edge_runtime.history.segments import Position
from nand_edge_runtime.station.hub import Changed

pytestmark = pytest.mark.station

SMALL = 1 << 14


def opened(folder: Path, run: str = "run-1", **more: int) -> Journal:
    journal = Journal(folder, **{"backlog_bytes": 1 << 20, "segment_bytes": SMALL, **more})
    journal.open(run)
    return journal


def facts_in(folder: Path) -> list[dict[str, object]]:
    """All facts of a journal that is closed, or whose process is gone."""
    found: list[dict[str, object]] = []
    names = segments.segments(folder)
    start, more = Position(names[0], 0), True
    end = Position(names[-1], (folder / names[-1]).stat().st_size)
    while more:
        batch = segments.read(folder, start, end)
        found += [fact.content for fact in batch.facts]
        start, more = batch.end, batch.more
    return found


def numbers_in(folder: Path) -> list[object]:
    return [fact["number"] for fact in facts_in(folder) if fact["fact"] == "decided"]


def decide(journal: Journal, *numbers: int) -> None:
    for number in numbers:
        journal.decided(make_record(make_frame(number)))


def test_facts_are_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.entered(make_frame(0))
    decide(journal, 0)
    # Nothing is closed or flushed: another process sees them already.
    assert [fact["fact"] for fact in facts_in(tmp_path)] == ["run", "entered", "decided"]
    journal.close()


def test_full_segments_follow_each_other(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    decide(journal, *range(200))
    journal.close()
    names = segments.segments(tmp_path)
    assert len(names) > 3
    assert max((tmp_path / name).stat().st_size for name in names) <= SMALL
    assert numbers_in(tmp_path) == list(range(200))


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    decide(journal, 0, 1, 2)
    end = journal.end()
    journal.sync()
    with (tmp_path / end.segment).open("r+b") as stream:
        stream.seek(end.offset - 7)
        stream.write(b"\0" * 7)  # its last bytes did not reach the disk when the power went
    again = opened(tmp_path, "run-2")
    decide(again, 3)
    again.close()
    assert numbers_in(tmp_path) == [0, 1, 3]
    journal.close()


def test_a_page_that_the_power_cut_lost_costs_its_lines(tmp_path: Path) -> None:
    journal = opened(tmp_path, segment_bytes=1 << 20)
    decide(journal, *range(60))
    journal.close()
    (name,) = segments.segments(tmp_path)
    with (tmp_path / name).open("r+b") as stream:
        stream.seek(8192)
        stream.write(b"\0" * 4096)
    numbers = numbers_in(tmp_path)
    assert numbers == sorted(set(numbers), key=int)  # type: ignore[call-overload]  # they are numbers
    assert 60 - 4096 // 400 - 2 <= len(numbers) < 60
    assert {0, 59} <= set(numbers)


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond this: as if its disk were full."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_facts_wait_in_memory_while_the_disk_is_full(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    decide(journal, 0)
    with file_size_limit(6000):
        decide(journal, *range(1, 40))
        assert "cannot be written" in journal.trouble
        assert journal.waiting > 20
    decide(journal, 40)
    journal.retry()
    assert (journal.trouble, journal.waiting, journal.lost) == ("", 0, 0)
    journal.close()
    assert numbers_in(tmp_path) == list(range(41)), "in their order, none missing, none twice"


def test_what_finds_no_room_in_memory_either_is_counted_and_said(tmp_path: Path) -> None:
    journal = opened(tmp_path, backlog_bytes=20_000)
    with file_size_limit(100):
        journal.retry()
        decide(journal, *range(100))
        for number in range(100):
            journal.entered(make_frame(number))
        assert journal.lost > 50
        lost = journal.lost
    journal.retry()
    journal.retry()
    journal.close()
    kept = numbers_in(tmp_path)
    assert kept == list(range(100 - lost)), "the memory held the oldest"
    (said,) = [fact for fact in facts_in(tmp_path) if fact["fact"] == "audit"]
    assert said["what"] == f"lost {lost} facts: neither the disk nor the memory had room"


def test_a_full_disk_at_the_start_is_no_reason_not_to_start(tmp_path: Path) -> None:
    with file_size_limit(10):
        journal = opened(tmp_path)
        decide(journal, 0)
        assert journal.trouble
    journal.retry()
    journal.prepare()
    journal.close()
    assert [fact["fact"] for fact in facts_in(tmp_path)] == ["run", "decided"]
    assert identity_of(tmp_path) == journal.identity, "kept as soon as there was room"


def test_a_removed_folder_is_made_again_with_what_was_in_the_open_segment(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = opened(folder, segment_bytes=1 << 20)
    decide(journal, 0, 1)
    shutil.rmtree(folder)
    decide(journal, 2)
    journal.prepare()
    decide(journal, 3)
    journal.sync()
    assert numbers_in(folder) == [0, 1, 2, 3]
    assert identity_of(folder) == journal.identity
    journal.close()


def test_an_identity_stays_and_one_that_a_power_cut_emptied_is_replaced(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.close()
    again = opened(tmp_path, "run-2")
    again.close()
    assert again.identity == first.identity == identity_of(tmp_path)
    (tmp_path / "identity").write_text("")
    other = opened(tmp_path, "run-3")
    other.close()
    assert other.identity == identity_of(tmp_path) != first.identity


def test_only_so_much_is_kept_of_what_the_database_has(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    decide(journal, *range(300))
    names = segments.segments(tmp_path)
    journal.forget(names[-1], 2 * SMALL)
    kept = segments.segments(tmp_path)
    assert kept == names[-3:], "two segments' worth, and the one that is written to"
    journal.forget(names[0], 0)
    assert segments.segments(tmp_path) == kept, "nothing that the database has not got"
    journal.close()


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="needs posix_fallocate")
def test_the_next_segments_room_is_taken_in_advance(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    decide(journal, *range(50))
    journal.prepare()
    assert (tmp_path / segments.SPARE).stat().st_blocks * 512 >= SMALL
    journal.close()


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NandEdgeError, match=r"journal .*: found .*irectory.*set another state_folder"):
        opened(tmp_path / "file" / "journal")


def test_facts_before_the_opening_wait_behind_the_runs_first_line(tmp_path: Path) -> None:
    journal = Journal(tmp_path, backlog_bytes=1 << 20)
    journal.audit(Changed("settings", "began"))
    journal.open("run-1")
    journal.close()
    assert [fact["fact"] for fact in facts_in(tmp_path)] == ["run", "audit"]
