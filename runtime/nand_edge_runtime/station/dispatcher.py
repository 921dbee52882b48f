"""The dispatcher: takes frames from the cameras, has the engine inspect them, and rejects what it did not inspect."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from nand_edge.inspection import Inspection
from nand_edge_runtime.engine_process import EngineFailure
from nand_edge_runtime.station.accounts import Accounts
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Judge, Reason, inspected
from nand_edge_runtime.station.turns import Feed, Turns

_LOG = logging.getLogger(__name__)

_IDLE_S = 0.1
"""How long the loops sleep at most; also the longest time between two beats."""

_STOP_S = 0.4

_WAITED = "waited too long for the engine"
_TOO_LITTLE = "less time left than the engine takes"


class Engine(Protocol):
    """What the dispatcher needs of an engine."""

    def inspect(self, frames: Sequence[CameraFrame], *, timeout_s: float) -> list[Inspection]:
        """Judge frames of one size; raises `EngineFailure`."""


class Dispatcher:
    """Two threads: one feeds the engine, the other rejects frames whose deadline comes while they wait for it.

    Args:
        feeds: The cameras by name, each with the milliseconds from taken to verdict.
        engine: Judges the frames; called from one thread alone.
        accounts: Where frames enter and get their verdicts.
        normalities_sha256: Gives the hash of the normalities of these names.
        beat: Called at every turn: the sign of life for a watchdog.
        batches: How many frames of a camera may go through the engine at once; 1 where it is not named.
        judges: What a camera's inspections go through before they count, such as the trusted part of a tile.
    """

    def __init__(
        self,
        feeds: Mapping[str, tuple[Feed, float]],
        engine: Engine,
        accounts: Accounts,
        *,
        normalities_sha256: Callable[[tuple[str, ...]], str],
        beat: Callable[[], None],
        batches: Mapping[str, int] | None = None,
        judges: Mapping[str, Judge] | None = None,
    ) -> None:
        self._feeds = dict(feeds)
        self._deadlines_s = {name: deadline_ms / 1e3 for name, (_, deadline_ms) in feeds.items()}
        self._engine, self._accounts = engine, accounts
        self._hash, self._beat = normalities_sha256, beat
        self._batches, self._judges = dict(batches or {}), dict(judges or {})
        self._turns = Turns(list(feeds.values()))
        self._not_late: deque[CameraFrame] = deque()
        self._wake, self._stopping, self._paused = threading.Event(), threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._forever, args=(turn,), name=name, daemon=True)
            for name, turn in (("dispatcher", self._inspect_next), ("deadlines", self._reject_late))
        ]

    def start(self) -> None:
        """Begin to take frames."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that a frame is there."""
        self._wake.set()

    def pause(self) -> None:
        """Reject every frame until `resume`."""
        self._paused.set()

    def resume(self) -> None:
        """Inspect again."""
        self._paused.clear()

    def stop(self) -> None:
        """Take no more frames and reject those that wait; a frame in the engine has a moment to get its verdict."""
        self._stopping.set()
        self._wake.set()
        until = time.monotonic() + _STOP_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0.0))
        for feed, _ in self._feeds.values():
            for frame in [*feed.overdue(), *_waiting(feed)]:
                self._accounts.enter(frame)
        self._accounts.reject_open(Reason.STOPPED)

    def _forever(self, turn: Callable[[], None]) -> None:
        while not self._stopping.is_set():
            try:
                turn()
            except Exception:  # noqa: BLE001 - what nobody foresaw must not end the line: it goes on
                _LOG.exception("a turn of the %s failed", threading.current_thread().name)
                self._stopping.wait(_IDLE_S)

    def _inspect_next(self) -> None:
        self._beat()
        if self._not_late:
            frame = self._not_late.popleft()
            if self._may_inspect(frame):
                self._inspect([frame])
            return
        feed = self._turns.next()
        first = feed.take() if feed is not None else None
        if feed is None or first is None:
            self._wake.wait(_IDLE_S)
            self._wake.clear()
            return
        for same_size in _by_size(self._batch(feed, first)):
            self._inspect(same_size)

    def _batch(self, feed: Feed, frame: CameraFrame) -> list[CameraFrame]:
        """The frame and, where its camera's frames go through the engine together, those that wait behind it."""
        self._accounts.enter(frame)
        frames = [frame] if self._may_inspect(frame) else []
        while frames and len(frames) < self._batches.get(frame.key.camera, 1):
            more = feed.take()
            if more is None:
                break
            self._accounts.enter(more)
            if self._may_inspect(more):
                frames.append(more)
        return frames

    def _may_inspect(self, frame: CameraFrame) -> bool:
        """Reject what cannot be inspected, and say whether it can."""
        if frame.fault:
            # A file that was late before it was read has that as its fault.
            is_late = self._deadline(frame) <= time.monotonic()
            return not self._accounts.reject(frame, Reason.DEADLINE if is_late else Reason.FRAME_REFUSED, frame.fault)
        if self._paused.is_set():
            return not self._accounts.reject(frame, Reason.PAUSED)
        if self._stopping.is_set():
            # It came in after all that waited was rejected, and nobody else looks at it any more.
            return not self._accounts.reject(frame, Reason.STOPPED)
        return True

    def _inspect(self, frames: Sequence[CameraFrame]) -> None:
        """Have frames of one size judged; those whose time is over already cost the others nothing."""
        started = time.monotonic()
        in_time = []
        for frame in frames:
            left = self._deadline(frame) - started
            if left <= 0 or self._turns.is_hopeless(left, self._deadlines_s[frame.key.camera]):
                self._accounts.reject(frame, Reason.DEADLINE, _WAITED if left <= 0 else _TOO_LITTLE)
            else:
                in_time.append(frame)
        if in_time:
            self._inspect_in_time(in_time, started)

    def _inspect_in_time(self, frames: Sequence[CameraFrame], started: float) -> None:
        left = min(self._deadline(frame) for frame in frames) - started
        try:
            inspections = self._engine.inspect(frames, timeout_s=left)
            self._turns.ran(time.monotonic() - started)
            for frame, inspection in zip(frames, inspections, strict=True):
                self._decide(frame, inspection, started)
        except EngineFailure as failure:
            self._reject_all(frames, failure.reason, failure.detail)
        except Exception as error:  # noqa: BLE001 - as above, and frames that have no verdict yet are rejected
            _LOG.exception("an inspection failed in a way that was not foreseen")
            self._reject_all(frames, Reason.ENGINE_FAILED, type(error).__name__)

    def _reject_all(self, frames: Sequence[CameraFrame], reason: Reason, detail: str) -> None:
        for frame in frames:
            self._accounts.reject(frame, reason, detail)

    def _decide(self, frame: CameraFrame, inspection: Inspection, started: float) -> None:
        now = time.monotonic()
        if now > self._deadline(frame):
            self._accounts.reject(frame, Reason.DEADLINE, "the engine was too slow")
            return
        judge = self._judges.get(frame.key.camera)
        if judge is not None:
            inspection = judge(frame.name, inspection)
        record = inspected(
            frame,
            inspection,
            normalities_sha256=self._hash(inspection.normalities),
            latency_ms={"queue": (started - frame.taken) * 1e3, "total": (now - frame.taken) * 1e3},
        )
        self._accounts.decide(frame, record, inspection)

    def _reject_late(self) -> None:
        """Reject frames that found no room or whose deadline has come, and sleep until the next may."""
        now = time.monotonic()
        soonest = now + _IDLE_S
        for feed, _ in self._feeds.values():
            for frame in feed.overdue():
                self._accounts.enter(frame)
                self._accounts.reject(frame, Reason.QUEUE_FULL)
            deadline = feed.peek_deadline()
            while deadline is not None and deadline <= now:
                late = feed.take()
                if late is None:
                    break
                self._accounts.enter(late)
                if self._deadline(late) <= now:
                    self._accounts.reject(late, Reason.DEADLINE, late.fault or _WAITED)
                else:
                    # A newer frame took the late one's place between the look and the hand.
                    self._not_late.append(late)
                    self._wake.set()
                deadline = feed.peek_deadline()
            soonest = soonest if deadline is None else min(soonest, deadline)
        self._stopping.wait(max(soonest - time.monotonic(), 0.001))

    def _deadline(self, frame: CameraFrame) -> float:
        return frame.taken + self._deadlines_s[frame.key.camera]


def _waiting(feed: Feed) -> list[CameraFrame]:
    frames = []
    while (frame := feed.take()) is not None:
        frames.append(frame)
    return frames


def _by_size(frames: Sequence[CameraFrame]) -> list[list[CameraFrame]]:
    """Runs of frames of one size, in their order."""
    runs: list[list[CameraFrame]] = []
    for frame in frames:
        if runs and runs[-1][0].image.shape == frame.image.shape:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs
