"""The verdicts that one output has not yet confirmed: bounded, in order, and none is given up unsaid."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

from nand_edge_runtime.outputs.told import GateVerdict


@dataclass(frozen=True)
class _Entry:
    verdict: GateVerdict
    since: float


class WaitingVerdicts:
    """A queue between the gate, which never waits, and one output, which may.

    Args:
        size: How many wait at most; then the oldest is given up.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._entries: deque[_Entry] = deque()
        self._sequence = 0
        self._in_hand = False

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, verdict: GateVerdict, now: float) -> GateVerdict | None:
        """Add a verdict and give it its sequence number; returns the one that was given up for it, if any."""
        with self._changed:
            self._sequence += 1
            given_up = self._give_up() if len(self._entries) >= self._size else None
            self._entries.append(_Entry(replace(verdict, sequence=self._sequence), now))
            self._changed.notify()
        return given_up

    def first(self) -> GateVerdict | None:
        """The oldest; it stays, and is not given up, until `confirmed` or `returned`."""
        with self._changed:
            self._in_hand = bool(self._entries)
            return self._entries[0].verdict if self._entries else None

    def confirmed(self) -> None:
        """The first has been told, or never will be."""
        with self._changed:
            if self._in_hand:  # not after `close`
                self._entries.popleft()
            self._in_hand = False

    def returned(self) -> None:
        """The first could not be told now."""
        with self._changed:
            self._in_hand = False

    def waits_since(self) -> float | None:
        """Since when the oldest waits."""
        with self._changed:
            return self._entries[0].since if self._entries else None

    def wait(self, timeout_s: float) -> None:
        """Until there is one, `wake` is called, or the time is over."""
        with self._changed:
            if not self._entries:
                self._changed.wait(max(timeout_s, 0.0))

    def wake(self) -> None:
        """End a `wait`."""
        with self._changed:
            self._changed.notify_all()

    def close(self) -> list[GateVerdict]:
        """Take out what was not told."""
        with self._changed:
            left = [entry.verdict for entry in self._entries]
            self._entries.clear()
            self._in_hand = False
            return left

    def _give_up(self) -> GateVerdict | None:
        """Take out the oldest that is not being told just now."""
        index = 1 if self._in_hand else 0
        if index >= len(self._entries):
            return None  # room for one, and that one is being told: the queue holds one more for a moment
        verdict = self._entries[index].verdict
        del self._entries[index]
        return verdict
