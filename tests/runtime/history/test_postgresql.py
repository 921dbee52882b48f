"""The history in a real PostgreSQL server, which stops and starts again while facts are written."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from history.made_frames import OpenHistory, make_decided, make_frame, until, write_down

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History, HistorySettings, OpenedHistory, Query
from nand_edge_runtime.history.clock import WallClock
from nand_edge_runtime.history.retention import remove_old_records
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, Hub
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import PartState

pytestmark = pytest.mark.station

SECRET = "s3cret wort/with@signs"  # noqa: S105 - of a throw-away server
VARIABLE = "TEST_HISTORY_PASSWORD"


def binaries() -> Path | None:
    """Where initdb and pg_ctl are; Debian has them outside the PATH."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


class Server:
    """A throw-away cluster on a free port of this machine."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._folder, self._programs = folder, programs
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            folder.chmod(0o755)
            shutil.chown(folder, "nobody")
            self._as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        password = folder / "password"
        password.write_text(SECRET)
        password.chmod(0o644)
        data = ["-D", str(folder / "data")]
        self._run("initdb", *data, "-U", "nand", "-A", "scram-sha-256", "--pwfile", str(password), "-E", "UTF8", "-N")
        with (folder / "data" / "postgresql.conf").open("a") as stream:
            stream.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\n"
            )

    @property
    def url(self) -> str:
        return f"postgresql://nand@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._run("pg_ctl", "start", "-w", "-D", str(self._folder / "data"), "-l", str(self._folder / "log"))

    def stop(self, how: str = "fast") -> None:
        self._run("pg_ctl", "stop", "-w", "-D", str(self._folder / "data"), "-m", how)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, str(self._programs / program), *arguments],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder, timeout=60,
        )  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="needs the extra `postgresql`")
    programs = binaries()
    if programs is None or (os.geteuid() == 0 and shutil.which("setpriv") is None):
        pytest.skip("needs PostgreSQL's programs (Debian: apt-get install postgresql)")
    # Not pytest's folder, into which the server's user may not look.
    with tempfile.TemporaryDirectory(prefix="nand-edge-postgresql-") as folder:
        made = Server(Path(folder), programs)
        made.start()
        yield made
        made.stop("immediate")


@pytest.fixture
def on_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a history on the server, which is empty again."""
    import psycopg

    monkeypatch.setenv(VARIABLE, SECRET)
    with psycopg.connect(server.url, password=SECRET) as connection:
        for table in ("frames", "waiting", "audit", "states", "positions", "meta"):
            connection.execute(f"DROP TABLE IF EXISTS nand_edge_{table}")  # type: ignore[arg-type, unused-ignore]
    return {"url": server.url, "password_env": VARIABLE}


def numbers(history: History | OpenedHistory, **more: str) -> list[int]:
    return sorted(record.key.number for page in history.pages(Query(limit=500, **more)) for record in page)  # type: ignore[arg-type]


def test_records_come_back_as_they_were(tmp_path: Path, open_history: OpenHistory, on_server: dict[str, str]) -> None:
    history = open_history(**on_server)
    frame = make_frame(0, name="STRAßE 50%_\N{GRINNING FACE}\0\ud800")
    written = write_down(
        history,
        frame,
        Verdict.REJECT,
        position=0.1,
        device_timestamp_ns=2**62,
        detail="it's; DROP TABLE",
        latency_ms={"total": 9.123},
    )
    write_down(history, make_frame(1), suppressed=True)
    history.audit(Changed("eva", "moved the threshold", {"before": 0.5, "after": [1, None]}, at=12.5))
    assert history.flushed(10.0)
    record = history.get(written.key)
    assert record is not None
    assert record.name == "STRAßE 50%_\N{GRINNING FACE}\N{REPLACEMENT CHARACTER}?"
    assert (record.score, record.position, record.timestamp) == (written.score, 0.1, written.timestamp)
    assert (record.detail, record.latency_ms) == (written.detail, written.latency_ms)
    assert record.normalities == ("stain",)
    assert numbers(history, name="straße 50%_") == [0]
    assert numbers(history, name="50__") == []
    assert history.find(Query(name="\0")) == []
    assert history.get(FrameKey("\0", "\ud800", 0)) is None
    assert [r.key.number for r in history.find(Query(suppressed=True))] == [1]
    assert history.count(Query())["frames"] == 2
    assert [rate.frames for rate in history.rates(0.0, 3600.0)] == [2]
    assert history.rates(0.0, 1.0)[0].start == written.timestamp, "beyond what fits in 32 bits in 2038, too"
    assert [(c.who, c.detail) for c in history.audits()] == [("eva", {"before": 0.5, "after": [1, None]})]
    assert not (tmp_path / "history" / "history.sqlite").exists()


def test_the_server_stops_and_starts_while_facts_are_written(
    server: Server, open_history: OpenHistory, on_server: dict[str, str]
) -> None:
    history = open_history(**on_server)
    number = 0
    for how in ("fast", "immediate"):
        for _ in range(200):
            write_down(history, make_frame(number))
            number += 1
        server.stop(how)
        for _ in range(200):
            write_down(history, make_frame(number))
            number += 1
        assert until(lambda: history.status().state is PartState.RECONNECTING)
        with pytest.raises(NandEdgeError, match="needed a database that answers") as said:
            history.find(Query())
        assert SECRET not in str(said.value) + history.status().why
        server.start()
    assert history.flushed(15.0)
    assert numbers(history) == list(range(number)), "each once"
    assert history.status().facts["lost"] == 0


def test_a_server_that_is_down_at_the_start_is_waited_for(
    server: Server, open_history: OpenHistory, on_server: dict[str, str]
) -> None:
    server.stop()
    try:
        history = open_history(**on_server)
        history.entered(make_frame(0))
        history.stop(5.0)
        history = open_history("run-2", **on_server)
        write_down(history, make_frame(1, run="run-2"))
    finally:
        server.start()
    assert history.flushed(15.0)
    (first, second) = sorted(history.find(Query()), key=lambda record: record.key)
    assert (first.reason, second.reason) == (Reason.KILLED, Reason.INSPECTED)


def test_stations_that_share_a_server_see_their_own(
    tmp_path: Path, open_history: OpenHistory, settings: HistorySettings, on_server: dict[str, str]
) -> None:
    cells = open_history(**on_server)
    changed = HistorySettings.model_validate({**settings.model_dump(), **on_server})
    wood = History(changed, folder=tmp_path / "wood", hub=Hub(), station="wood", run="run-w")
    wood.start()
    write_down(cells, make_frame(1))
    wood.decided(make_decided(make_frame(2, run="run-w")))
    wood.audit(Changed("jo", "paused the station"))
    assert cells.flushed(10.0)
    assert wood.flushed(10.0)
    assert (numbers(cells), numbers(wood), numbers(cells, station="wood")) == ([1], [2], [2])
    assert (len(cells.audits()), len(wood.audits())) == (0, 1)
    assert (len(cells.rates(0, 60)), cells.count(Query())["frames"]) == (1, 1)
    opened = OpenedHistory(None, **on_server)
    assert numbers(opened) == [1, 2]
    opened.close()

    elapsed = [0.0]
    clock = WallClock(lambda: 1.8e9 + elapsed[0], lambda: elapsed[0])
    elapsed[0] = 4000.0
    assert remove_old_records(cells._records, HistorySettings(records_days=30), clock, station="cells") == 1
    assert numbers(opened) == [2], "each removes its own"
    opened.close()
    wood.stop(5.0)


def test_what_the_server_refuses_is_put_aside(open_history: OpenHistory, on_server: dict[str, str]) -> None:
    history = open_history(**on_server)
    for number in (0, 2**64, 2):
        write_down(history, make_frame(number))
    assert history.flushed(10.0)
    assert numbers(history) == [0, 2]
    assert history.status().facts["refused"] == 2


def test_a_reader_from_outside_cannot_write(open_history: OpenHistory, on_server: dict[str, str]) -> None:
    history = open_history(**on_server)
    write_down(history, make_frame(0))
    assert history.flushed(10.0)
    opened = OpenedHistory(None, **on_server)
    with opened._records.reading() as connection, pytest.raises(Exception, match="read-only transaction"):
        connection.exec_driver_sql("DELETE FROM nand_edge_frames")
    assert numbers(opened) == [0]
    opened.close()


def test_a_wrong_password_is_said_without_it(
    open_history: OpenHistory, on_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "wr0ng")
    with pytest.raises(NandEdgeError, match="password authentication failed") as said:
        OpenedHistory(None, **on_server)
    assert "wr0ng" not in str(said.value)
    history = open_history(**on_server)
    write_down(history, make_frame(0))
    assert until(lambda: "password authentication failed" in history.status().why), "the station runs all the same"
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(NandEdgeError, match=f"found no environment variable '{VARIABLE}'"):
        OpenedHistory(None, **on_server)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nand:secret@127.0.0.1/x", "found a password in the address"),
        ("postgresql://127.0.0.1:port/x", "found an address that is none|found no address"),
        ("mysql://127.0.0.1/x", "found a database of kind 'mysql'"),
        ("sqlite://", "found a database in memory"),
    ],
)
def test_an_address_that_is_none_is_said(url: str, said: str) -> None:
    with pytest.raises(NandEdgeError, match=said) as error:
        OpenedHistory(None, url=url)
    assert "secret" not in str(error.value)


def test_nothing_answers_at_the_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pytest.importorskip("psycopg")
    with pytest.raises(NandEdgeError, match="needed a database that answers"):
        OpenedHistory(None, url=f"postgresql://nand@127.0.0.1:{port}/x")
