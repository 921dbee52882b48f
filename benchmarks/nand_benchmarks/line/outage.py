"""An outage: from when to when something was not as it should be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Outage:
    """A stretch of time, in seconds of `time.monotonic()`; a blow, after which nothing is in the way, has no length.

    Attributes:
        began: When it began.
        ended: When it ended.
    """

    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began

    @classmethod
    @contextmanager
    def during(cls) -> Iterator[Outage]:
        """An outage for as long as the block takes."""
        outage = cls(time.monotonic(), 0.0)
        yield outage
        outage.ended = time.monotonic()
