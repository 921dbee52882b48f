"""The reject gate: takes every verdict, waits until its frame is at the gate, and tells all outputs in order."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from nand_edge_runtime.outputs.channel import Channel
from nand_edge_runtime.outputs.gate_settings import GateSettings, WhenDown
from nand_edge_runtime.outputs.kinds import open_output
from nand_edge_runtime.outputs.schedule import Schedule
from nand_edge_runtime.outputs.settings import OutputSettings
from nand_edge_runtime.outputs.told import GateVerdict
from nand_edge_runtime.station.hub import Hub
from nand_edge_runtime.station.records import FrameRecord, Reason
from nand_edge_runtime.station.states import PartStatus

_LOG = logging.getLogger(__name__)

_LOOK_S = 0.1
"""How often the outputs are looked after."""

_IDLE_S = 0.5

_STOP_S = 0.35
"""How long stopping may take: what waits is told, and the peers hear that the gate is closed."""


class RejectGate:
    """Acts on verdicts; whatever an output does, neither the dispatcher nor another output waits for it.

    Args:
        gate: Where the gate is, and what it does when something is not as it should be.
        outputs: Who is told.
        hub: Told of the outputs' states, and of what the gate did otherwise than is on record.

    Raises:
        NandEdgeError: An output needs a package, an environment variable or a file that is not there.
    """

    def __init__(self, gate: GateSettings, outputs: Sequence[OutputSettings], *, hub: Hub) -> None:
        self._gate = gate
        self._schedule = Schedule(gate)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._closed = self._said_closed = False
        self._last_turn = float("-inf")
        self._channels = tuple(
            Channel(
                settings,
                open_output(settings, gate),
                gate,
                hub=hub,
                living=self._living,
                on_their_way=self._schedule.__len__,
            )
            for settings in outputs
        )
        self._required = tuple(channel for channel in self._channels if channel.settings.required)
        self._stopping = threading.Event()
        # Apart, because looking publishes, and what listens may be slow: a verdict's time must not wait for that.
        self._threads = tuple(
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("gate", self._tell_in_time), ("outputs", self._look_after))
        )

    def start(self) -> None:
        """Begin to connect to the outputs; until they are there, `blocked` says so.

        Until the dispatcher turns for the first time they are told that the station is stalled.
        """
        for channel in self._channels:
            channel.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close the gate within half a second.

        What has not come to the gate yet is told as a reject, and every peer hears that the station stopped.
        """
        now = time.monotonic()
        with self._changed:
            self._tell(self._schedule.close(now))
            self._closed = True
            self._changed.notify()
        self._stopping.set()
        for channel in self._channels:
            channel.stop(now + _STOP_S)
        for channel in self._channels:
            channel.join()

    def alive(self) -> None:
        """The station inspects frames: call it at every turn of the dispatcher; without it the heartbeat stops."""
        self._last_turn = time.monotonic()

    def decide(self, record: FrameRecord, taken: float) -> None:
        """Act on a verdict when its frame is at the gate; returns at once.

        Args:
            record: What became of the frame.
            taken: When it was taken, seconds of `time.monotonic()`.
        """
        now = time.monotonic()
        if record.reason is Reason.INSPECTED:
            self._last_turn = now
        with self._changed:
            if self._closed:
                if not self._said_closed:
                    _LOG.warning("frame %s came to its verdict when the gate was closed already", record.key)
                self._said_closed = True
                return
            for channel in self._channels:
                if not channel.settings.wait_for_gate and _concerns(channel, record):
                    channel.put(GateVerdict(record, now))
            before = self._schedule.next_due(now)
            self._tell(self._schedule.add(record, taken, now))
            after = self._schedule.next_due(now)
            if after is not None and (before is None or after < before):
                self._changed.notify()

    def position(self, value: float) -> None:
        """Take what the encoder says now, in the unit of the frames' positions."""
        with self._changed:
            if not self._closed:
                self._tell(self._schedule.position(value, time.monotonic()))

    def blocked(self) -> str | None:
        """Why every frame must be a reject now; None when nothing is in the way."""
        if self._gate.when_down is WhenDown.GO_ON:
            return None
        if self._schedule.full:
            return "too many verdicts are on their way to the gate"
        now = time.monotonic()
        for channel in self._required:
            fault = channel.fault(now)
            if fault is not None:
                return f"output {channel.settings.name}: {fault}"
        return None

    def statuses(self) -> tuple[PartStatus, ...]:
        """The outputs as they are now."""
        return tuple(channel.status() for channel in self._channels)

    def _tell_in_time(self) -> None:
        """Tell what is due, when it is due."""
        while not self._closed:
            try:
                with self._changed:
                    self._tell(self._schedule.due(time.monotonic()))
                    due = self._schedule.next_due(time.monotonic())
                    if not self._closed:
                        self._changed.wait(_IDLE_S if due is None else min(due, _IDLE_S))
            except Exception:  # noqa: BLE001 - what nobody foresaw must not keep verdicts from the gate for ever
                _LOG.exception("a turn of the gate failed")
                self._stopping.wait(_LOOK_S)

    def _look_after(self) -> None:
        """Look after the outputs, and say what became of them."""
        while not self._stopping.wait(_LOOK_S):
            for channel in self._channels:
                try:
                    channel.look(time.monotonic())
                except Exception:  # noqa: BLE001 - as above
                    _LOG.exception("a look at output %s failed", channel.settings.name)

    def _tell(self, verdicts: Sequence[GateVerdict]) -> None:
        for verdict in verdicts:
            for channel in self._channels:
                if channel.settings.wait_for_gate and _concerns(channel, verdict.record):
                    channel.put(verdict)

    def _living(self) -> bool:
        return time.monotonic() - self._last_turn < self._gate.heartbeat_timeout_ms / 1e3


def _concerns(channel: Channel, record: FrameRecord) -> bool:
    return not channel.settings.cameras or record.key.camera in channel.settings.cameras
