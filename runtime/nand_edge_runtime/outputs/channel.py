"""One output's thread: connects, gives the sign of life, tells verdicts in order, and comes back by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from nand_edge_runtime.observability.redaction import REDACTOR
from nand_edge_runtime.outputs.deviations import Deviation, Deviations
from nand_edge_runtime.outputs.gate_settings import GateSettings, WhenLate
from nand_edge_runtime.outputs.protocol import Output, OutputFault, VerdictRefused
from nand_edge_runtime.outputs.settings import CommonSettings
from nand_edge_runtime.outputs.told import GateState, GateVerdict, Override
from nand_edge_runtime.outputs.waiting import WaitingVerdicts
from nand_edge_runtime.station.hub import Hub, PartChanged
from nand_edge_runtime.station.states import PartState, PartStatus

_LOG = logging.getLogger(__name__)

_GRACE_S = 0.25
"""An exchange may last so much longer than its time-out before the output is taken for hanging."""

_HANGS = "it does not answer"
_BEHIND = "it does not keep up with the verdicts"
_LONGEST_WAIT_S = 0.5
_FAREWELL_S = 0.1
"""How much of the time for stopping is kept for saying so."""


class Channel:
    """An output with its thread and its queue; nothing that the peer does reaches beyond.

    Args:
        settings: The output's.
        output: Speaks with the peer.
        gate: When a verdict is late, and what then.
        hub: Told of its states, and of what was late or lost.
        living: Says whether the station inspects frames.
        on_their_way: Says how many verdicts have not come to the gate yet.
    """

    def __init__(
        self,
        settings: CommonSettings,
        output: Output,
        gate: GateSettings,
        *,
        hub: Hub,
        living: Callable[[], bool],
        on_their_way: Callable[[], int],
    ) -> None:
        self.settings = settings
        self._output, self._gate, self._hub = output, gate, hub
        self._living, self._on_their_way = living, on_their_way
        self._waiting = WaitingVerdicts(settings.queue)
        self._deviations = Deviations(settings.name, hub)
        self._lock = threading.Lock()
        self._state, self._why, self._since = PartState.STARTING, "not connected yet", time.time()
        self._connected = False
        self._sent = self._late = self._dropped = self._connects = self._beats = 0
        self._at_gate = settings.wait_for_gate and (gate.by_place or gate.delay_ms is not None)
        self._busy_since: float | None = None
        self._next_beat = 0.0
        self._retry_s = settings.reconnect_min_ms / 1e3
        self._stop_by: float | None = None
        self._told_all = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"output {settings.name}", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._hub.publish(PartChanged(self.status()))
        self._thread.start()

    def put(self, verdict: GateVerdict) -> None:
        """Have a verdict told; never waits."""
        given_up = self._waiting.put(verdict, time.monotonic())
        if given_up is not None:
            self._lost(Deviation.DROPPED, given_up)

    def fault(self, now: float) -> str | None:
        """Why a frame's verdict would not come through now; None where it would."""
        if not self._connected:
            return self._why or self._state.value
        return self._slow(now)

    def look(self, now: float) -> None:
        """Say what came up since the last look: that the peer hangs or keeps up again, what was late or lost."""
        slow = self._slow(now)
        self._enter(PartState.RUNNING if slow is None else PartState.RECONNECTING, slow or "", if_connected=True)
        self._deviations.say(now)

    def stop(self, by: float) -> None:
        """Tell what waits and that the station stops, until this moment of `time.monotonic()`; see `join`."""
        self._stop_by = by
        self._waiting.wake()

    def join(self) -> None:
        """Wait for the end of `stop`, and say what could not be told; the connection may be closed after that."""
        if self._thread.ident is not None:
            self._told_all.wait(max((self._stop_by or 0.0) - time.monotonic(), 0.0))
        for verdict in self._waiting.close():
            self._lost(Deviation.DROPPED, verdict)
        self._deviations.say(time.monotonic(), at_once=True)
        self._enter(PartState.STOPPED, connected=False)

    def status(self) -> PartStatus:
        """Its state and figures."""
        with self._lock:
            facts: dict[str, float] = {
                "queue": len(self._waiting),
                "reconnects": max(self._connects - 1, 0),
                "sent": self._sent,
                "late": self._late,
                "dropped": self._dropped,
                "on_their_way": self._on_their_way(),
            }
            return PartStatus(f"output {self.settings.name}", self._state, self._why, self._since, facts)

    def _run(self) -> None:
        while self._stop_by is None:
            try:
                if self._connected:
                    self._turn()
                else:
                    self._connect()
            except OutputFault as fault:
                self._broken(str(fault))
            except Exception as error:  # noqa: BLE001 - whatever a driver raises, the output comes back
                _LOG.exception("output %s failed in a way that was not foreseen", self.settings.name)
                self._broken(type(error).__name__)
        if self._connected:
            self._end()
        self._told_all.set()
        with suppress(Exception):  # as in _broken
            self._output.disconnect()

    def _connect(self) -> None:
        with self._exchange():
            self._output.connect(self._gate_state())
        self._connects += 1
        self._retry_s = self.settings.reconnect_min_ms / 1e3
        self._next_beat = time.monotonic() + self.settings.heartbeat_ms / 1e3
        self._enter(PartState.RUNNING, connected=True)

    def _broken(self, why: str) -> None:
        """Let go, and wait before the next try."""
        self._enter(PartState.RECONNECTING, REDACTOR.clean(why), connected=False)
        self._waiting.returned()
        with suppress(Exception):  # the peer is gone already; what letting go raises helps nobody
            self._output.disconnect()
        until = time.monotonic() + self._retry_s
        most = max(self.settings.reconnect_max_ms, self.settings.reconnect_min_ms) / 1e3
        self._retry_s = min(self._retry_s * 2, most)
        while self._stop_by is None and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    def _turn(self) -> None:
        """End pulses, give the sign of life if it is time, tell one verdict, or wait for one."""
        now = time.monotonic()
        with self._exchange():
            again = self._output.rest(now)
        if now >= self._next_beat:
            self._beat()
        verdict = self._waiting.first()
        if verdict is not None:
            self._tell(verdict)
            return
        soonest = min(self._next_beat, now + _LONGEST_WAIT_S, *([] if again is None else [again]))
        self._waiting.wait(soonest - time.monotonic())

    def _beat(self) -> None:
        state = self._gate_state()
        if state is GateState.RUNNING:
            self._beats += 1
        self._next_beat = time.monotonic() + self.settings.heartbeat_ms / 1e3
        with self._exchange():
            self._output.beat(self._beats, state)

    def _tell(self, verdict: GateVerdict) -> None:
        verdict = self._judged(verdict, time.monotonic())
        try:
            with self._exchange():
                self._output.tell(verdict)
        except VerdictRefused as refused:
            self._waiting.confirmed()
            self._lost(Deviation.REFUSED, verdict)
            _LOG.error("output %s: %s", self.settings.name, REDACTOR.clean(str(refused)))
            return
        self._waiting.confirmed()
        late_now = verdict.late or (self._at_gate and self._is_late(verdict, time.monotonic()))
        with self._lock:
            self._sent += 1
            self._late += late_now
        if late_now or verdict.override is not None:
            self._deviations.add(_told(verdict, late_now=late_now), verdict)

    def _judged(self, verdict: GateVerdict, now: float) -> GateVerdict:
        """The verdict as it is to be told now: late or in time."""
        if not self._is_late(verdict, now):
            return verdict
        as_reject = verdict.passes and self._gate.when_late is WhenLate.REJECT
        return replace(verdict, late=True, override=Override.LATE if as_reject else verdict.override)

    def _is_late(self, verdict: GateVerdict, now: float) -> bool:
        return now - verdict.due > self._gate.late_after_ms / 1e3

    def _end(self) -> None:
        """Tell what still waits, then close the gate and say that the station stopped."""
        try:
            until = (self._stop_by or 0.0) - _FAREWELL_S
            while time.monotonic() < until and (verdict := self._waiting.first()) is not None:
                self._tell(verdict)
            self._output.farewell()
        except OutputFault as fault:
            _LOG.warning("output %s was not told that the station stops: %s", self.settings.name, fault)
        except Exception:  # noqa: BLE001 - the station stops all the same
            _LOG.exception("output %s failed at its end", self.settings.name)
        finally:
            self._waiting.returned()

    def _gate_state(self) -> GateState:
        return GateState.RUNNING if self._living() else GateState.STALLED

    def _slow(self, now: float) -> str | None:
        timeout_s = self.settings.timeout_ms / 1e3
        busy, waits = self._busy_since, self._waiting.waits_since()
        if busy is not None and now - busy > timeout_s + _GRACE_S:
            return _HANGS
        if waits is not None and now - waits > timeout_s + _GRACE_S:
            return _BEHIND
        return None

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        """Around whatever waits for the peer, so that others see how long it lasts."""
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None

    def _lost(self, deviation: Deviation, verdict: GateVerdict) -> None:
        with self._lock:
            self._dropped += 1
        self._deviations.add(deviation, verdict)

    def _enter(
        self, state: PartState, why: str = "", *, connected: bool | None = None, if_connected: bool = False
    ) -> None:
        """Go into a state and publish it, unless it is the state already or, if that is asked for, not connected."""
        with self._lock:
            if if_connected and not self._connected:
                return
            if connected is not None:
                self._connected = connected
            if (state, why) == (self._state, self._why):
                return
            self._state, self._why, self._since = state, why, time.time()
        self._hub.publish(PartChanged(self.status()))


def _told(verdict: GateVerdict, *, late_now: bool) -> Deviation:
    """Which deviation a verdict is that was told late, or otherwise than it is on record."""
    if not late_now:
        return Deviation.OTHERWISE
    return Deviation.LATE if verdict.late else Deviation.CONFIRMED_LATE
