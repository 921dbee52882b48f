"""A station as a process: checked, started, watched over until a signal comes, and stopped."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import cv2
from rich.console import Console

from nand_edge.bundle import open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge_runtime.normalities import activate
from nand_edge_runtime.observability import ServiceManager, metrics_of, routes, set_up_logging
from nand_edge_runtime.outputs import RejectGate
from nand_edge_runtime.station.hub import Hub
from nand_edge_runtime.station.settings import StationSettings
from nand_edge_runtime.station.station import Station
from nand_edge_runtime.web import WebServer

_LOG = logging.getLogger(__name__)

_LOOK_S = 0.2
_SWITCH_S = 0.0005
"""How long a thread may go on while another one wants Python. Python's own 5 ms would be added to a frame's verdict
whenever the page, the history or a picture is at work."""


def serve_station(
    settings: StationSettings, *, check: bool = False, exit_when_finished: bool = False, as_json: bool = False
) -> None:
    """Run a station until SIGTERM, Ctrl-C or, if wanted, the end of its sources.

    Args:
        settings: What it is made of.
        check: Only check settings, bundle and normalities.
        exit_when_finished: Stop when all folders and videos are read to their end.
        as_json: Print what was found, or the counts at the end, as JSON.

    Raises:
        NandEdgeError: Something that the station cannot do without is not there.
    """
    if check:
        _print(_checked(settings), as_json=as_json)
        return
    set_up_logging(settings.log, station=settings.name)
    sys.setswitchinterval(_SWITCH_S)
    # Pictures are drawn and packed beside the line, not on all its processors at once.
    cv2.setNumThreads(1)
    with _stop_signals() as stopping:
        manager = ServiceManager()
        station = Station(settings, beat=manager.beat)
        try:
            _run(station, manager, stopping, exit_when_finished=exit_when_finished)
        finally:
            manager.stopping()
            station.stop()
    if as_json:
        # After the stop: by now every frame has its verdict.
        print(json.dumps(station.status().counts))


def _run(station: Station, manager: ServiceManager, stopping: threading.Event, *, exit_when_finished: bool) -> None:
    metrics = metrics_of(station)
    web = WebServer(station.settings.web, station, station.history, extra_routes=routes(station, metrics))
    try:
        if station.settings.web.enabled:
            web.start()
            _say_where(web, station)
        if not _started(station, stopping):
            return
        manager.ready()
        while not stopping.wait(_LOOK_S):
            if exit_when_finished and station.finished():
                break
    finally:
        web.stop()


def _started(station: Station, stopping: threading.Event) -> bool:
    """Start it; False when it was told to stop meanwhile.

    Raises:
        NandEdgeError: It cannot be started.
    """
    try:
        station.start(stopping)
    except NandEdgeError:
        if stopping.is_set():
            return False
        raise
    return True


def _checked(settings: StationSettings) -> dict[str, Any]:
    """What a station of these settings would be.

    Raises:
        NandEdgeError: The bundle is damaged, a normality does not fit, or an output lacks something.
    """
    bundle = open_bundle(settings.bundle)
    active = activate(bundle, settings.normalities)
    # Made, not started: packages, variables and certificates that are missing are found without telling anybody.
    RejectGate(settings.gate, settings.output, hub=Hub())
    threshold = bundle.manifest.threshold.value if settings.threshold is None else settings.threshold
    return {
        "station": settings.name,
        "bundle": bundle.name,
        "bundle_sha256": bundle.sha256,
        "normalities": list(active.names),
        "threshold": threshold,
        "cameras": [camera.name for camera in settings.camera],
        "outputs": [output.name for output in settings.output],
        "state_folder": str(settings.state_folder),
        "live_page": settings.web.enabled,
    }


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    console = Console()
    console.print(f"[green]station {found['station']!r} can be served[/]")
    for key, value in found.items():
        text = ", ".join(value) or "none" if isinstance(value, list) else str(value)
        console.print(f"  {key.replace('_', ' ')}: {text}", highlight=False, soft_wrap=True)


def _say_where(web: WebServer, station: Station) -> None:
    console = Console(stderr=True)
    console.print(f"live page: {web.url}", highlight=False)
    first = web.first_sign_in
    if first:
        console.print(f"first sign-in: {first}", highlight=False)
    console.print(f"state and history: {station.settings.state_folder}", highlight=False)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second one ends the process at once."""
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        _LOG.info("stopping at %s", signal.Signals(number).name)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
