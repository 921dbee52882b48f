"""Log lines as they reach the terminal and the file: stamped, on one line, without secrets, and never in the way."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.observability import LogSettings, set_up_logging
from nand_edge_runtime.observability.logs import Logging, name_run
from nand_edge_runtime.observability.redaction import REDACTOR
from nand_edge_runtime.observability.settings import LogFormat, LogLevel

pytestmark = pytest.mark.station

LOG = logging.getLogger("nand_edge_runtime.station")
SetUp = Callable[..., Logging]


@pytest.fixture
def set_up(tmp_path: Path) -> Iterator[SetUp]:
    """Sets up logging to `station.log` as JSON, or as the test wants it; takes it down at the end."""
    made: list[Logging] = []

    def call(**wished: object) -> Logging:
        settings = LogSettings(**{"file": tmp_path / "station.log", "format": LogFormat.JSON, **wished})  # type: ignore[arg-type]
        made.append(set_up_logging(settings, station="cells", secret_variables=("PLC_PASSWORD",)))
        return made[-1]

    yield call
    for logs in made:
        logs.close()
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_line_has_station_run_and_camera(set_up: SetUp, tmp_path: Path) -> None:
    logs = set_up()
    name_run("20260101T000000-abc")
    LOG.info("started")
    LOG.warning("slow", extra={"camera": "side"})
    thread = threading.Thread(target=lambda: LOG.error("no answer"), name="camera top")
    thread.start()
    thread.join()
    logs.flush()
    found = lines(tmp_path / "station.log")
    assert [line["message"] for line in found] == ["started", "slow", "no answer"]
    assert [line["camera"] for line in found] == ["", "side", "top"]
    assert {line["station"] for line in found} == {"cells"}
    assert {line["run"] for line in found} == {"20260101T000000-abc"}
    assert [line["level"] for line in found] == ["info", "warning", "error"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("rtsp://admin:s3cret@10.0.0.5/stream", "rtsp://***@10.0.0.5/stream"),
        ("rtsp://admin:p@ss:w0rd@10.0.0.5/1", "rtsp://***@10.0.0.5/1"),
        ("http://cam/mjpg?user=a&token=abc123&fps=5", "http://cam/mjpg?user=a&token=***&fps=5"),
        ("http://cam/mjpg?access_token=abc123", "http://cam/mjpg?access_token=***"),
        ("Authorization: Bearer abc.def.ghi", "Authorization: ***"),
        ("headers {'Authorization': 'Basic dXNlcjpwYXNz'}", "headers {'Authorization': '***'}"),
        ("{'password': 'a b c', 'user': 'x'}", "{'password': ***, 'user': 'x'}"),
        ("connect plc with hunter22-from-env", "connect plc with ***"),
        ("postgresql+psycopg://nand:secret@db:5432/history", "postgresql+psycopg://***@db:5432/history"),
        (
            "nothing to hide: 3 of 5 frames, see https://example.org/a@b",
            "nothing to hide: 3 of 5 frames, see https://example.org/a@b",
        ),
        ("the token that was given is no token", "the token that was given is no token"),
    ],
)
def test_secrets_are_taken_out(
    set_up: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, read: str
) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "hunter22-from-env")
    logs = set_up()
    LOG.info("%s", written)
    logs.flush()
    assert [
        line["message"].replace("Bearer ***", "***").replace("Basic ***", "***")
        for line in lines(tmp_path / "station.log")
    ] == [read]


def test_a_secret_in_a_traceback_is_taken_out_too(
    set_up: SetUp, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs = set_up()
    try:
        raise ConnectionError("cannot reach opc.tcp://line:s3cret@plc:4840")  # noqa: TRY301 - to have one to log
    except ConnectionError:
        LOG.exception("output plc failed")
    logs.flush()
    (line,) = lines(tmp_path / "station.log")
    assert "ConnectionError" in line["traceback"]
    assert "s3cret" not in (tmp_path / "station.log").read_text() + capfd.readouterr().err


def test_people_see_the_error_in_one_line_and_the_file_has_its_traceback(
    set_up: SetUp, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    logs = set_up(format=LogFormat.TEXT)
    try:
        raise RuntimeError("the unforeseen")  # noqa: TRY301 - to have one to log
    except RuntimeError:
        LOG.exception("a turn of the dispatcher failed")
    logs.flush()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("error   cells: a turn of the dispatcher failed [RuntimeError: the unforeseen]")
    assert "Traceback" in (tmp_path / "station.log").read_text()


def test_a_name_can_neither_forge_a_line_nor_steer_the_terminal(
    set_up: SetUp, capfd: pytest.CaptureFixture[str]
) -> None:
    logs = set_up(format=LogFormat.TEXT)
    LOG.info("frame %s", "a.png\n2026-01-01 error cells: all is lost \x1b[2J")
    logs.flush()
    told = capfd.readouterr().err
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told
    assert r"a.png\n2026" in told


def test_lines_below_the_level_are_left_out(set_up: SetUp, tmp_path: Path) -> None:
    logs = set_up(level=LogLevel.WARNING)
    LOG.info("detail")
    LOG.warning("weighty")
    logs.flush()
    assert [line["message"] for line in lines(tmp_path / "station.log")] == ["weighty"]


def test_a_full_file_is_put_aside_and_only_so_many_are_kept(set_up: SetUp, tmp_path: Path) -> None:
    logs = set_up(file_megabytes=0.001, files_kept=2)
    for number in range(60):
        LOG.info("line %d", number)
    logs.flush()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["station.log", "station.log.1", "station.log.2"]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    assert lines(tmp_path / "station.log")[-1]["message"] == "line 59"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_told_once_and_stops_nothing(set_up: SetUp, capfd: pytest.CaptureFixture[str]) -> None:
    logs = set_up(file=Path("/dev/full"), format=LogFormat.TEXT)
    for number in range(5):
        LOG.info("line %d", number)
    logs.flush()
    told = capfd.readouterr().err
    assert told.count("cannot be written: No space left on device") == 1
    assert told.count("cells: line") == 5
    assert "Traceback" not in told


def test_a_terminal_that_nobody_reads_holds_up_no_thread(set_up: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stderr", stream)
    logs = set_up(file=None)
    started = time.monotonic()
    for _ in range(30_000):
        LOG.info("x" * 100)
    assert time.monotonic() - started < 30  # it would wait for ever
    assert logs.dropped > 0
    os.set_blocking(writing, False)  # let go of the writer, so that it ends
    os.close(reading)
    logs.close()


def test_a_file_that_cannot_be_written_is_refused_at_the_start(set_up: SetUp, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NandEdgeError, match=r"cannot be written.*correct `file`"):
        set_up(file=tmp_path / "file" / "station.log")


def test_a_line_with_the_wrong_arguments_is_written_all_the_same(set_up: SetUp, tmp_path: Path) -> None:
    logs = set_up()
    LOG.info("%d frames", "many")
    LOG.info("x" * 100_000)
    logs.flush()
    first, second = lines(tmp_path / "station.log")
    assert first["message"] == "%d frames ('many',)"
    assert second["message"].endswith("… (100000 characters)")


def test_warnings_of_libraries_become_lines(set_up: SetUp, tmp_path: Path) -> None:
    logs = set_up()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)
    logs.flush()
    assert "old" in lines(tmp_path / "station.log")[0]["message"]


def test_set_up_again_replaces_what_was_before(set_up: SetUp, tmp_path: Path) -> None:
    set_up()
    again = set_up()
    LOG.info("once")
    again.flush()
    assert len(lines(tmp_path / "station.log")) == 1


def test_in_the_journal_lines_carry_their_weight_and_no_clock(
    set_up: SetUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w+", encoding="utf-8") as journal:
        monkeypatch.setattr(sys, "stderr", journal)
        here = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{here.st_dev}:{here.st_ino}")
        logs = set_up(file=None, format=LogFormat.TEXT)
        LOG.warning("camera top: reconnecting")
        logs.flush()
        assert (tmp_path / "journal").read_text() == "<4>warning cells: camera top: reconnecting\n"
        logs.close()


def test_a_short_value_is_not_looked_for() -> None:
    REDACTOR.hide("a")
    assert REDACTOR.clean("camera") == "camera"


@pytest.mark.parametrize(
    "wrong", [{"level": "loud"}, {"format": "xml"}, {"files_kept": 0}, {"file_megabytes": 0}, {"x": 1}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LogSettings.model_validate(wrong)
