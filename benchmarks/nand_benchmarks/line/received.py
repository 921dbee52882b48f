"""What the output heard: the log of a receiver's process, read while it grows."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from nand_benchmarks.line.judge import Receipt
from nand_edge_runtime.station.frames import FrameKey

_LOOK_S = 0.01


class Received:
    """Reads a receiver's log.

    Args:
        log: The file.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._place = 0
        self._half = b""
        self._all: list[Receipt] = []

    def all(self) -> list[Receipt]:
        """All verdicts that were heard so far, in their order."""
        if self._log.is_file():
            with self._log.open("rb") as stream:
                stream.seek(self._place)
                new = stream.read()
            self._place += len(new)
            *lines, self._half = (self._half + new).split(b"\n")
            receipts = (receipt_of(json.loads(line)) for line in lines)
            self._all += [receipt for receipt in receipts if receipt is not None]
        return self._all

    def wait_for_inspected(self, after: float, count: int, timeout_s: float) -> bool:
        """Wait until so many verdicts of inspected frames were heard after a moment, and say whether they were.

        Args:
            after: Seconds of `time.monotonic()`.
            count: How many.
            timeout_s: How long to wait.
        """
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if sum(receipt.reason == "inspected" and receipt.at > after for receipt in self.all()[-1000:]) >= count:
                return True
            time.sleep(_LOOK_S)
        return False


def receipt_of(document: dict[str, Any]) -> Receipt | None:
    """The verdict of a message; None for a sign of life."""
    message = document["message"]
    if not isinstance(message, dict) or message.get("event") != "verdict":
        return None
    return Receipt(
        FrameKey(message["run"], message["camera"], int(message["frame"])),
        message["verdict"],
        message["reason"],
        message["recorded_verdict"],
        message["recorded_reason"],
        document["at"],
    )
