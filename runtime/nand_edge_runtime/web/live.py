"""What browsers are shown live: made once for all of them, and only while somebody looks."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.station.control import StationControl
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, Decided, Event, PartChanged, StateChanged
from nand_edge_runtime.web.answers import harmless
from nand_edge_runtime.web.panels import live_panels
from nand_edge_runtime.web.statistics import KEPT_S, Statistics
from nand_edge_runtime.web.workers import lower_priority

_LOG = logging.getLogger(__name__)

_STATUS_EVERY_S = 1.0
_RATES_EVERY_S = 1.0
_SHARE = 0.0125
"""What making pictures may take of all the machine's cores, so that all that is shown stays below 2 %; there are fewer
pictures where they take more."""

_RATES_SENT_S = 10
"""A browser that missed messages gets the seconds that they held with the next one."""


class Viewer:
    """One browser that looks: of each topic it gets the newest message, and a slow one misses those between.

    Args:
        pictures: Whether it wants pictures.
    """

    def __init__(self, *, pictures: bool) -> None:
        self.pictures = pictures
        self._waiting: OrderedDict[str, bytes] = OrderedDict()
        self._came = asyncio.Event()
        self._ended = False

    def put(self, topic: str, message: bytes) -> None:
        """Have a message for it; from the page's loop alone."""
        self._waiting[topic] = message
        self._came.set()

    def end(self) -> None:
        """Have no more messages for it; from the page's loop alone."""
        self._ended = True
        self._came.set()

    async def next(self, timeout_s: float) -> bytes | None:
        """The next message, empty when there is none in time; None at the end."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._came.wait(), timeout_s)
        if self._ended:
            return None
        if not self._waiting:
            self._came.clear()
            return b""
        _, message = self._waiting.popitem(last=False)
        if not self._waiting:
            self._came.clear()
        return message


class Live:
    """A thread that draws, encodes and hands out; at low priority, and asleep while nobody looks.

    Args:
        station: What is shown.
        pictures_per_second: Of each camera at most.
        viewers: How many may look at once.
    """

    def __init__(self, station: StationControl, *, pictures_per_second: float, viewers: int) -> None:
        self._station, self._most = station, viewers
        self._picture_every_s, self._share = 1.0 / pictures_per_second, _SHARE * (os.cpu_count() or 1)
        self._statistics = Statistics(station.hub)
        self._viewers: tuple[Viewer, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._news = self._joined = False
        self._shown: dict[str, tuple[FrameKey, bytes]] = {}
        self._thread = threading.Thread(target=self._run, name="live page pictures", daemon=True)

    @property
    def viewers(self) -> int:
        """How many look."""
        return len(self._viewers)

    def start(self) -> None:
        """Begin."""
        self._station.hub.listen(self._listen)
        self._thread.start()

    def join(self, *, pictures: bool) -> Viewer | None:
        """Let a browser look; None when too many do. From the page's loop alone."""
        if len(self._viewers) >= self._most or self._stopping.is_set():
            return None
        viewer = Viewer(pictures=pictures)
        viewer.put("rates", _message("rates", {"seconds": self._statistics.newest(KEPT_S)}))
        self._loop = asyncio.get_running_loop()
        self._viewers = (*self._viewers, viewer)
        self._joined = True
        self._wake.set()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """It looks no more. From the page's loop alone."""
        self._viewers = tuple(known for known in self._viewers if known is not viewer)

    def stop(self) -> None:
        """Show nothing more to anybody."""
        self._stopping.set()
        self._wake.set()
        self._station.hub.forget(self._listen)
        self._statistics.close()
        self._in_loop(self._end_all)

    def _listen(self, event: Event) -> None:
        if isinstance(event, StateChanged | PartChanged | Changed):
            self._news = True
            self._wake.set()

    def _run(self) -> None:
        lower_priority()
        status_at = rates_at = picture_at = time.monotonic()
        while not self._stopping.is_set():
            now = time.monotonic()
            joined, self._joined = self._joined, False
            if now >= rates_at:
                self._guarded(self._turn)
                rates_at = max(rates_at + _RATES_EVERY_S, now)
            if not self._viewers:
                self._sleep(rates_at)
                continue
            if now >= status_at or self._news or joined:
                self._news = False
                self._guarded(self._tell_status)
                status_at = now + _STATUS_EVERY_S
            if now >= picture_at or joined:
                picture_at = now + max(self._picture_every_s, self._show(again=joined) / self._share)
            self._sleep(min(status_at, rates_at, picture_at))

    def _sleep(self, until: float) -> None:
        self._wake.wait(max(until - time.monotonic(), 0.01))
        self._wake.clear()

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except NandEdgeError as error:
            _LOG.debug("%s", error)
        except Exception:  # noqa: BLE001 - the page's fault must end neither the page nor anything else
            _LOG.exception("the live page could not show the station")

    def _turn(self) -> None:
        self._statistics.turn()
        if self._viewers:
            self._hand_out("rates", _message("rates", {"seconds": self._statistics.newest(_RATES_SENT_S)}))

    def _tell_status(self) -> None:
        status = self._station.status().to_json()
        self._hand_out(
            "status", _message("status", {**harmless(status), "now": time.time(), "viewers": len(self._viewers)})
        )

    def _show(self, *, again: bool) -> float:
        """Show the last frames; gives the seconds of a processor that it took."""
        began = time.thread_time()
        if any(viewer.pictures for viewer in self._viewers):
            for camera in self._station.cameras():
                self._guarded(lambda camera=camera: self._show_camera(camera, again=again))  # type: ignore[misc]
        return time.thread_time() - began

    def _show_camera(self, camera: str, *, again: bool) -> None:
        """Show the last frame of a camera, if it is another one than before or somebody has not seen it."""
        decided = self._station.latest(camera)
        if decided is None or self._stopping.is_set():
            return
        known = self._shown.get(camera)
        if known is None or known[0] != decided.record.key:
            known = decided.record.key, _message("frame", _shown(decided))
            self._shown[camera] = known
        elif not again:
            return
        self._hand_out(f"frame {camera}", known[1], pictures=True)

    def _hand_out(self, topic: str, message: bytes, *, pictures: bool = False) -> None:
        def put() -> None:
            for viewer in self._viewers:
                if viewer.pictures or not pictures:
                    viewer.put(topic, message)

        self._in_loop(put)

    def _end_all(self) -> None:
        for viewer in self._viewers:
            viewer.end()

    def _in_loop(self, action: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(action)


def _shown(decided: Decided) -> dict[str, Any]:
    pictures = {
        view: f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"
        for view, content in live_panels(decided).items()
    }
    height, width = decided.image.shape[:2]
    return {"record": harmless(decided.record.to_json()), "pictures": pictures, "width": width, "height": height}


def _message(kind: str, document: dict[str, Any]) -> bytes:
    """A server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(document, separators=(',', ':'), allow_nan=False)}\n\n".encode()
