"""What entered last before a start, for a hot folder whose files lie there still."""

from __future__ import annotations

from pathlib import Path

import pytest
from history.made_frames import OpenHistory, make_frame

from nand_edge_runtime.history import History, HistorySettings
from nand_edge_runtime.station.hub import Hub

pytestmark = pytest.mark.station


def asked(folder: Path, camera: str = "top") -> list[tuple[str, int | None]]:
    """What a station that starts now is told."""
    return History(HistorySettings(), folder=folder, hub=Hub(), station="cells", run="next").lately_entered(camera)


def test_before_the_first_start_nothing_entered(tmp_path: Path) -> None:
    assert asked(tmp_path) == []


def test_frames_of_earlier_runs_are_told_newest_first_and_of_their_camera_alone(
    open_history: OpenHistory, tmp_path: Path
) -> None:
    for run in ("run-1", "run-2"):
        history = open_history(run)
        for number in range(3):
            history.entered(make_frame(number, run=run, name=f"{run}-{number}", device_timestamp_ns=number))
            history.entered(make_frame(number, camera="side", run=run))
        history.stop(5.0)
    expected = [(f"{run}-{number}", number) for run in ("run-2", "run-1") for number in (2, 1, 0)]
    assert asked(tmp_path) == expected
    assert len(asked(tmp_path, "side")) == 6


def test_half_a_line_of_a_station_that_was_killed_is_no_frame(open_history: OpenHistory, tmp_path: Path) -> None:
    history = open_history()
    history.entered(make_frame(name="whole"))
    history.stop(5.0)
    (segment,) = (tmp_path / "history" / "journal").glob("*.journal")
    with segment.open("ab") as stream:
        stream.write(b'0badc0de {"fact":"entered","camera":"top","na' + bytes(4096))
    assert [name for name, _ in asked(tmp_path)] == ["whole"]


def test_only_the_last_thousand_are_told(open_history: OpenHistory, tmp_path: Path) -> None:
    history = open_history()
    for number in range(1100):
        history.entered(make_frame(number, name=str(number)))
    history.stop(5.0)
    names = [name for name, _ in asked(tmp_path)]
    assert names == [str(number) for number in range(1099, 99, -1)]
