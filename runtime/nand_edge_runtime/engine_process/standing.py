"""How the engine is, and who is told when that changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from nand_edge_runtime.station.states import PartState, PartStatus

NAME = "engine"


class Standing:
    """The state of the engine as a part of the station; safe from any thread.

    Args:
        on_change: Told of every change.
        facts: Gives the figures of the moment.
    """

    def __init__(self, on_change: Callable[[PartStatus], None], facts: Callable[[], dict[str, float]]) -> None:
        self._on_change, self._facts = on_change, facts
        self._lock = threading.Lock()
        self._state, self._why, self._since = PartState.STARTING, "", time.time()

    def change(self, state: PartState, why: str = "") -> None:
        """It is in this state from now on."""
        with self._lock:
            if (state, why) == (self._state, self._why):
                return
            self._state, self._why, self._since = state, why, time.time()
        self._on_change(self.status())

    def status(self) -> PartStatus:
        """The state with the figures of the moment."""
        facts = self._facts()
        with self._lock:
            return PartStatus(NAME, self._state, self._why, self._since, facts)
