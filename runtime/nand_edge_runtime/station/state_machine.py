"""The state of the whole station, which follows from what was asked of it and from the states of its parts."""

from __future__ import annotations

import logging
import threading
import time

from nand_edge_runtime.station.hub import Event, Hub, PartChanged, StateChanged
from nand_edge_runtime.station.states import PartState, PartStatus, StationState

_LOG = logging.getLogger(__name__)

_WELL = (PartState.RUNNING, PartState.FINISHED)
_UNWELL = (PartState.RECONNECTING, PartState.FAILED)


class StateMachine:
    """Knows the parts' states and derives the station's: every change is logged and published once.

    `starting` until every part has run once or failed, then `running`; `degraded` while a part does not run; `paused`
    while somebody wants it; `stopped` for good.

    Args:
        hub: Tells of the parts' changes, and is told of the station's.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.RLock()
        self._parts: dict[str, PartStatus] = {}
        self._started = self._paused = self._stopped = False
        self._paused_why = ""
        self._changed = StateChanged(StationState.STARTING, "")
        hub.listen(self._part_changed)

    @property
    def now(self) -> StateChanged:
        """The state, why it is so, and since when."""
        with self._lock:
            return self._changed

    def started(self) -> None:
        """All parts were started."""
        with self._lock:
            self._started = True
            self._settle()

    def paused(self, why: str) -> None:
        """Somebody paused it."""
        with self._lock:
            self._paused, self._paused_why = True, why
            self._settle()

    def resumed(self) -> None:
        """Somebody resumed it."""
        with self._lock:
            self._paused = False
            self._settle()

    def stopped(self) -> None:
        """It stops, for good."""
        with self._lock:
            self._stopped = True
            self._settle()

    def part(self, status: PartStatus) -> None:
        """A part is in this state."""
        with self._lock:
            known = self._parts.get(status.name)
            self._parts[status.name] = status
            if known is None or (known.state, known.why) != (status.state, status.why):
                level = logging.WARNING if status.state in _UNWELL else logging.INFO
                _LOG.log(level, "%s: %s%s", status.name, status.state.value, f", {status.why}" if status.why else "")
            self._settle()

    def _part_changed(self, event: Event) -> None:
        if isinstance(event, PartChanged):
            self.part(event.status)

    def _settle(self) -> None:
        state, why = self._state()
        if (state, why) == (self._changed.state, self._changed.why):
            return
        self._changed = StateChanged(state, why, time.time())
        _LOG.info("station: %s%s", state.value, f", {why}" if why else "")
        self._hub.publish(self._changed)

    def _state(self) -> tuple[StationState, str]:
        if self._stopped:
            return StationState.STOPPED, ""
        if self._paused:
            return StationState.PAUSED, self._paused_why
        unwell = [part for part in self._parts.values() if part.state not in (*_WELL, PartState.STOPPED)]
        if not self._started or (unwell and all(part.state is PartState.STARTING for part in unwell)):
            return StationState.STARTING, ", ".join(part.name for part in unwell)
        if unwell:
            faults = (f"{part.name} is {part.state.value}" + (f" ({part.why})" if part.why else "") for part in unwell)
            return StationState.DEGRADED, "; ".join(faults)
        return StationState.RUNNING, ""
