"""The hub: what happens in a station is published here, and every part that wants to know listens."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.inspection import Inspection
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import FrameRecord
from nand_edge_runtime.station.states import PartStatus, StationState

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decided:
    """A frame got its verdict.

    Attributes:
        record: What is kept of it.
        image: uint8 [H, W, 3] BGR, the frame.
        inspection: With the maps; None where it was not inspected.
    """

    record: FrameRecord
    image: NDArray[np.uint8]
    inspection: Inspection | None


@dataclass(frozen=True)
class Entered:
    """A frame entered the station: from here on it gets exactly one verdict."""

    frame: CameraFrame


@dataclass(frozen=True)
class Dropped:
    """A free-running camera had a newer frame before this one was wanted."""

    camera: str
    count: int = 1


@dataclass(frozen=True)
class StateChanged:
    """The station went into another state."""

    state: StationState
    why: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True)
class PartChanged:
    """A part of the station went into another state."""

    status: PartStatus


@dataclass(frozen=True)
class Changed:
    """Somebody changed something: normalities, threshold, pause, resume.

    Attributes:
        who: A user's name, `settings` or `station`.
        what: In words: "switched normality 'stain' off".
        detail: Before and after.
        at: Seconds since 1970.
    """

    who: str
    what: str
    detail: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)


Event = Entered | Decided | Dropped | StateChanged | PartChanged | Changed


class Subscription:
    """A bounded queue of events for a listener that may be slow: the oldest are dropped when it does not keep up.

    Args:
        hub: Where it listens.
        kinds: Which events it wants.
        size: How many events wait at most.
    """

    def __init__(self, hub: Hub, kinds: tuple[type, ...], size: int) -> None:
        self._hub, self._kinds = hub, kinds
        self._events: queue.Queue[Event] = queue.Queue(size)
        self.dropped = 0
        hub.listen(self._put)

    def get(self, timeout_s: float) -> Event | None:
        """The next event, or None when there is none in time."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Listen no more."""
        self._hub.forget(self._put)

    def _put(self, event: Event) -> None:
        if not isinstance(event, self._kinds):
            return
        while True:
            try:
                self._events.put_nowait(event)
            except queue.Full:
                self.dropped += 1
                with suppress(queue.Empty):
                    self._events.get_nowait()
            else:
                return


class Hub:
    """Hands every event to every listener, in the thread that publishes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[Event], None], ...] = ()

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call this from now on; it must return within microseconds, or take a `Subscription`."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def forget(self, listener: Callable[[Event], None]) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners = tuple(known for known in self._listeners if known != listener)

    def subscribe(self, *kinds: type, size: int = 256) -> Subscription:
        """A queue of the events of these kinds."""
        return Subscription(self, kinds, size)

    def publish(self, event: Event) -> None:
        """Tell everybody; a listener that fails is logged and takes nothing else with it."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a listener's fault must not cost a verdict
                _LOG.exception("a listener failed at %s", type(event).__name__)
