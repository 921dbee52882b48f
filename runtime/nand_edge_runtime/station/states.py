"""The states of a station and of its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class StationState(str, Enum):
    """What the station as a whole does."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    DEGRADED = "degraded"
    """It runs, and something that it needs does not: a camera, an output, the history."""
    STOPPED = "stopped"


class PartState(str, Enum):
    """What one part of it (a camera, the engine, an output, the history, the page) does."""

    STARTING = "starting"
    RUNNING = "running"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    """It does not come back by itself."""
    FINISHED = "finished"
    """A folder or a video that was read to its end."""
    STOPPED = "stopped"


@dataclass(frozen=True)
class PartStatus:
    """A part of the station as it is now.

    Attributes:
        name: `camera top`, `engine`, `output plc`, `history`, `page`.
        state: What it does.
        why: The fault, in a sentence without secrets; empty when all is well.
        since: Seconds since 1970 when this state began.
        facts: Numbers worth showing, such as `frames`, `dropped`, `reconnects`, `queue`.
    """

    name: str
    state: PartState
    why: str
    since: float
    facts: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "name": self.name,
            "state": self.state.value,
            "why": self.why,
            "since": self.since,
            "facts": dict(self.facts),
        }
