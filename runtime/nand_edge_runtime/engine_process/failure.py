"""Why an engine gave no inspection of a frame: each reason is one for a reject."""

from __future__ import annotations

from nand_edge_runtime.station.records import Reason


class EngineFailure(Exception):  # noqa: N818 - it is what the frames' reject is called, not an error of the program
    """Frames that were not inspected.

    Args:
        reason: Why, for the record.
        detail: More of it, in words.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)


def too_slow() -> EngineFailure:
    """There was no answer in time."""
    return EngineFailure(Reason.DEADLINE, "the engine was too slow")
