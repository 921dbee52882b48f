"""Records are kept as long as the settings say, and a clock that was set wrong removes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from history.made_frames import OpenHistory, make_frame, write_down

from nand_edge_runtime.history import History, HistorySettings, Query
from nand_edge_runtime.history.clock import WallClock
from nand_edge_runtime.history.retention import remove_old_records
from nand_edge_runtime.station.hub import Changed

pytestmark = pytest.mark.station

DAY = 86400.0


class Clocks:
    """A wall clock and one that only goes forward, set by the test."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 1000.0
        self.watched = WallClock(lambda: self.wall, lambda: self.steady)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def days_on_record(history: History) -> list[int]:
    return sorted(record.key.number for record in history.find(Query(limit=1000)))


def filled(open_history: OpenHistory, clocks: Clocks) -> History:
    """A frame and a change a day of the last ten days."""
    history = open_history()
    for day in range(10):
        at = clocks.wall - day * DAY
        write_down(history, make_frame(day, timestamp=at))
        history.audit(Changed("eva", f"{day} days ago", at=at))
    assert history.flushed(5.0)
    return history


def test_records_go_by_age(open_history: OpenHistory, clocks: Clocks) -> None:
    history = filled(open_history, clocks)
    settings = HistorySettings(records_days=4.5)
    assert remove_old_records(history._records, settings, clocks.watched, station="cells") == 0, "not known to be right"
    clocks.pass_by(3700)
    assert remove_old_records(history._records, settings, clocks.watched, station="cells") == 10
    assert days_on_record(history) == [0, 1, 2, 3, 4]
    assert [change.what for change in history.audits()] == [f"{day} days ago" for day in range(5)]


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, 400 * DAY, -400 * DAY])
def test_a_clock_that_was_set_removes_nothing_for_an_hour(
    open_history: OpenHistory, clocks: Clocks, jump: float
) -> None:
    history = filled(open_history, clocks)
    clocks.pass_by(7200)
    assert clocks.watched.may_judge_age()
    clocks.wall += jump
    settings = HistorySettings(records_days=9.9)
    for _ in range(59):
        assert remove_old_records(history._records, settings, clocks.watched, station="cells") == 0
        clocks.pass_by(60)
    assert len(days_on_record(history)) == 10
    clocks.wall -= jump  # it is set right again: another hour of grace
    assert not clocks.watched.may_judge_age()


def test_another_name_of_the_station_ages_in_the_same_file(open_history: OpenHistory, clocks: Clocks) -> None:
    history = filled(open_history, clocks)
    clocks.watched.may_judge_age()
    clocks.pass_by(3700)
    assert remove_old_records(history._records, HistorySettings(records_days=1), clocks.watched, station="renamed") > 0


def test_the_oldest_go_when_the_file_is_too_large(tmp_path: Path, open_history: OpenHistory, clocks: Clocks) -> None:
    history = open_history()
    for number in range(3000):
        write_down(history, make_frame(number), detail="x" * 1000)
    assert history.flushed(20.0)
    assert history._records.used_bytes() > 2 << 20
    settings = HistorySettings(megabytes=1)
    for _ in range(10):
        remove_old_records(history._records, settings, clocks.watched, station="cells")
    assert history._records.used_bytes() <= 1 << 20
    numbers = days_on_record(history)
    assert len(numbers) >= 200
    assert numbers == list(range(3000 - len(numbers), 3000)), "the newest are there"
    history.stop(5.0)
    assert (tmp_path / "history" / "history.sqlite").stat().st_size < 3 << 19, "the room is given back"


def test_a_frame_from_before_1970_does_not_disturb(open_history: OpenHistory) -> None:
    history = open_history()
    for number, timestamp in enumerate([-5.0, float("nan"), float("inf"), 0.0, 1e12]):
        write_down(history, make_frame(number, timestamp=timestamp))
    assert history.flushed(5.0)
    assert days_on_record(history) == [0, 1, 2, 3, 4]
