"""What the gate did with frames otherwise than their record says: logged and on record, in bundles."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from enum import Enum

from nand_edge_runtime.outputs.told import GateVerdict
from nand_edge_runtime.station.hub import Changed, Hub

_LOG = logging.getLogger(__name__)

_EVERY_S = 1.0
_NAMED = 100
"""How many frames of a bundle are named; the rest is counted."""


class Deviation(str, Enum):
    """What happened."""

    LATE = "told late"
    CONFIRMED_LATE = "confirmed late by the peer"
    OTHERWISE = "told"
    DROPPED = "never told"
    REFUSED = "refused by the peer"


class Deviations:
    """Collects them, and says them once a second at most.

    Args:
        name: The output's name.
        hub: Takes them to the audit log.
    """

    def __init__(self, name: str, hub: Hub) -> None:
        self._name, self._hub = name, hub
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._frames: dict[str, list[str]] = {}
        self._said = float("-inf")

    def add(self, deviation: Deviation, verdict: GateVerdict) -> None:
        """Remember one."""
        what = deviation.value
        if verdict.override is not None:
            what += f" as a reject ({verdict.override.value})"
        with self._lock:
            self._counts[what] += 1
            frames = self._frames.setdefault(what, [])
            if len(frames) < _NAMED:
                frames.append(f"{verdict.identity} {verdict.record.verdict.value}")

    def say(self, now: float, *, at_once: bool = False) -> None:
        """Log and publish what was collected, if it is time."""
        with self._lock:
            if not self._counts or (now - self._said < _EVERY_S and not at_once):
                return
            counts, frames = dict(self._counts), self._frames
            self._counts.clear()
            self._frames, self._said = {}, now
        for what, count in counts.items():
            named = frames[what]
            _LOG.warning("output %s: %d verdicts %s, the first of frame %s", self._name, count, what, named[0])
            detail = {"output": self._name, "verdicts": count, "frames": named}
            self._hub.publish(Changed("station", f"output {self._name}: {count} verdicts {what}", detail))
