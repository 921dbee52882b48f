"""A line: parts or a stream before a station, the station, and what hears its verdicts."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from nand_benchmarks.line.book import Book, Recorded
from nand_benchmarks.line.broker import Broker
from nand_benchmarks.line.cable import Cable
from nand_benchmarks.line.feeder import Feeder
from nand_benchmarks.line.judge import Findings, Receipt, judge
from nand_benchmarks.line.ledger import Laid, read_ledger
from nand_benchmarks.line.page import Page, add_user
from nand_benchmarks.line.parts import Part
from nand_benchmarks.line.processes import Process, free_port, module, wait_for_port
from nand_benchmarks.line.received import Received
from nand_benchmarks.line.station_process import StationProcess, Surroundings
from nand_edge_runtime.station.frames import FrameKey

_SETTLE_S = 30.0
_QUIET_S = 1.0
_LOOK_S = 0.05
TOPIC = "line"

_BACK = 3
"""Verdicts of inspected frames that are heard when a line is back."""


class Source(str, Enum):
    """What stands before the station."""

    PARTS = "parts"
    """A hot folder, every part with its name."""
    HTTP = "http"
    """A camera that sends JPEG pictures over HTTP, behind a cable that can be cut."""
    RTSP = "rtsp"
    """An RTSP camera."""


class Ear(str, Enum):
    """What hears the verdicts."""

    WEBHOOK = "webhook"
    MQTT = "mqtt"


@dataclass(frozen=True)
class Plan:
    """What a line is made of.

    Attributes:
        source: What stands before the station.
        ear: What hears the verdicts.
        per_second: Parts or pictures a second.
        settings: Station settings beside the usual ones, tables merged key by key.
        surroundings: What the station runs in.
    """

    source: Source = Source.PARTS
    ear: Ear = Ear.WEBHOOK
    per_second: float = 25.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)


@dataclass(frozen=True)
class Evidence:
    """What is known of a line after its end.

    Attributes:
        records: All frames on record.
        receipts: All verdicts that the output heard.
        states: Why the station was in each of its states.
        laid: When each frame came, by its identity, where that can be known.
        findings: What is wrong.
        stop_s: Seconds that the station's stop took.
        restarts: How often the station ended by itself.
    """

    records: list[Recorded]
    receipts: list[Receipt]
    states: list[str]
    laid: dict[FrameKey, Laid]
    findings: Findings
    stop_s: float
    restarts: int


class Line:
    """Starts all of it, and at the end asks all of it what happened.

    Args:
        folder: An empty folder of its own.
        bundle: The station's bundle.
        plan: What the line is made of.
    """

    def __init__(self, folder: Path, bundle: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.hot_folder = folder / "parts"
        self.hot_folder.mkdir(parents=True)
        self._ledger = folder / "ledger.jsonl"
        self._heard = folder / "heard.jsonl"
        self.feeder = Feeder(self.hot_folder, self._ledger, per_second=plan.per_second)
        self.cable = Cable(free_port())
        self.camera = self._camera_process()
        self.broker = Broker(folder, free_port())
        self.receiver_port = free_port()
        self.receiver = self._receiver_process()
        self.received = Received(self._heard)
        self.station = StationProcess(
            folder, self._document(bundle), port=self._page_port, surroundings=plan.surroundings
        )

    def __enter__(self) -> Self:
        """Start, and wait until verdicts are heard."""
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End whatever still runs."""
        self.close()

    def is_back(self, after: float, timeout_s: float) -> bool:
        """Wait until frames that came after a moment are inspected again, and say whether they are.

        Args:
            after: Seconds of `time.monotonic()`.
            timeout_s: How long to wait.
        """
        until = time.monotonic() + timeout_s
        if not self.received.wait_for_inspected(after, _BACK, timeout_s):
            return False
        if self.plan.source is not Source.PARTS or not self._is_seen_by_all:
            return True
        # What is heard at first may have waited in the hot folder since before.
        book = Book(self.station.state_folder)
        while time.monotonic() < until:
            ledger = read_ledger(self._ledger)
            with contextlib.suppress(sqlite3.OperationalError):
                if any(ledger[number].at >= after for number in book.inspected_lately()):
                    return True
            time.sleep(_LOOK_S)
        return False

    def sign_in(self) -> Page:
        """The live page, as an engineer who signs in."""
        add_user(self.station.state_folder)
        return Page(self.station.port)

    def close(self) -> None:
        """End all processes at once."""
        self.feeder.stop()
        self.station.stop()
        for process in (self.camera, self.receiver):
            process.kill()
        self.cable.close()
        self.broker.stop()

    def finish(self, *, was_killed: bool = False) -> Evidence:
        """End the line in order: no more parts, every verdict on record, the station's stop, and the judge.

        Args:
            was_killed: Whether the station was ended by force, so that only its last run could tell all verdicts.
        """
        self.feeder.stop()
        self.camera.kill()
        self._wait_until_settled()
        stop_s = self.station.stop()
        return self._evidence(stop_s, was_killed=was_killed)

    def _start(self) -> None:
        if self.plan.ear is Ear.MQTT:
            self.broker.start()
        self.receiver.start()
        if self.plan.source is not Source.PARTS:
            self.camera.start()
            wait_for_port(self.camera_port)
            self.cable.start(to=self.camera_port)
        self.station.start()
        if self.plan.source is Source.PARTS:
            self.feeder.start()
        if not self.received.wait_for_inspected(0.0, 5, _SETTLE_S):
            raise TimeoutError(f"no verdict is heard:\n{self.station.output()[-2000:]}")

    def _wait_until_settled(self) -> None:
        """Wait until the files are taken, and for a second nothing has been new to the history and the output."""
        until = time.monotonic() + _SETTLE_S
        while time.monotonic() < until and any(self.hot_folder.glob("*.png")):
            time.sleep(_LOOK_S)
        quiet_since, known = time.monotonic(), (-1.0, -1)
        while time.monotonic() < min(until, quiet_since + _QUIET_S):
            waiting = self.station.metric("nand_edge_history_backlog_records")
            now = (waiting, len(self.received.all()))
            if now != known or waiting:
                quiet_since, known = time.monotonic(), now
            time.sleep(_LOOK_S)

    def _evidence(self, stop_s: float, *, was_killed: bool) -> Evidence:
        book = Book(self._seen_state())
        records, receipts = book.records(), list(self.received.all())
        ledger = read_ledger(self._ledger)
        is_stream = self.plan.source is not Source.PARTS
        identities: dict[FrameKey, tuple[Part, int] | None] = {}
        if is_stream:
            identities = {record.key: book.code(record) for record in records if record.reason != "station stopped"}
        runs = list(dict.fromkeys(record.key.run for record in records))
        findings = judge(
            records,
            receipts,
            parts={} if is_stream else ledger,
            identities=identities,
            stream=ledger if is_stream else {},
            killed_runs=runs[:-1] if was_killed else (),
        )
        laid = {
            record.key: ledger[number]
            for record in records
            if (number := _number(record, identities.get(record.key))) is not None and number in ledger
        }
        return Evidence(records, receipts, book.states(), laid, findings, stop_s, len(self.station.restarts))

    def _seen_state(self) -> Path:
        """The state folder, or a copy where the station has its own view of the disk: SQLite would look past it."""
        state = self.station.state_folder
        if self._is_seen_by_all:
            return state
        return Path(shutil.copytree(state, self.folder / "seen", ignore=shutil.ignore_patterns("bundles")))

    @property
    def _is_seen_by_all(self) -> bool:
        return self.plan.surroundings.root == Path("/")

    def _camera_process(self) -> Process:
        self.camera_port = free_port()
        name = "rtsp_server" if self.plan.source is Source.RTSP else "mjpeg_server"
        arguments = (
            "--port", str(self.camera_port), "--ledger", str(self._ledger), "--per-second", str(self.plan.per_second)
        )  # fmt: skip
        return Process(module(name, *arguments), self.folder / "camera.log")

    def _receiver_process(self) -> Process:
        log = ("--log", str(self._heard))
        if self.plan.ear is Ear.MQTT:
            command = module("mqtt_receiver", "--port", str(self.broker.port), "--topic", f"{TOPIC}/verdict", *log)
        else:
            command = module("webhook_receiver", "--port", str(self.receiver_port), *log)
        return Process(command, self.folder / "receiver.log")

    def _document(self, bundle: Path) -> dict[str, Any]:
        self._page_port = free_port()
        document: dict[str, Any] = {
            "name": "line",
            "bundle": str(bundle),
            "engine": {"threads": 1, "hang_timeout_s": 1.0},
            "camera": [self._camera()],
            "output": [self._output()],
            "history": {"write_every_s": 0.2, "picture_passes_every": 1, "maps": False},
            "web": {"port": self._page_port},
        }
        for key, value in self.plan.settings.items():
            known = document.get(key)
            if isinstance(known, list):
                document[key] = [{**known[0], **value}]
            else:
                document[key] = {**known, **value} if isinstance(known, dict) else value
        return document

    def _camera(self) -> dict[str, Any]:
        if self.plan.source is Source.PARTS:
            return {
                "name": "parts", "kind": "hot-folder", "source": str(self.hot_folder), "give_up_s": 0.5, "queue": 8,
                "deadline_ms": 500,
            }  # fmt: skip
        # Reading through the cable, whatever the camera is.
        scheme = "rtsp" if self.plan.source is Source.RTSP else "http"
        return {
            "name": "stream", "source": f"{scheme}://127.0.0.1:{self.cable.port}/line", "read_timeout_s": 0.5,
            "deadline_ms": 500,
        }  # fmt: skip

    def _output(self) -> dict[str, Any]:
        common = {"name": "plc", "timeout_ms": 500}
        if self.plan.ear is Ear.MQTT:
            return {**common, "kind": "mqtt", "host": "127.0.0.1", "port": self.broker.port, "topic": TOPIC}
        return {**common, "kind": "webhook", "url": f"http://127.0.0.1:{self.receiver_port}/verdicts"}


def _number(record: Recorded, identity: tuple[Part, int] | None) -> int | None:
    return record.number if record.number is not None else None if identity is None else identity[1]


def empty_folder(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
