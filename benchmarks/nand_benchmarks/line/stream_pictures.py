"""The pictures of a stream, each written down in the ledger before it is sent."""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nand_benchmarks.line.code import coded_picture, jpeg
from nand_benchmarks.line.ledger import LedgerWriter, read_ledger
from nand_benchmarks.line.parts import Part


class Pictures:
    """Numbered pictures at a steady pace, for one client at a time.

    Args:
        ledger: The stream's ledger; numbers go on from what is there.
        per_second: Pictures a second.
        bad_share: Share of bad parts.
    """

    def __init__(self, ledger: Path, *, per_second: float, bad_share: float = 0.1) -> None:
        self._number = max(read_ledger(ledger), default=-1) + 1
        self._ledger = LedgerWriter(ledger)
        self.per_second, self._bad_share = per_second, bad_share
        self._random = random.Random(self._number)  # noqa: S311 - an order of parts, not a secret
        self._lock = threading.Lock()

    def next(self) -> bytes:
        """The next picture as a JPEG, written down as sent."""
        part = Part.BAD if self._random.random() < self._bad_share else Part.GOOD
        with self._lock:
            number, self._number = self._number, self._number + 1
        content = jpeg(coded_picture(part, number))
        self._ledger.lay(number, part)
        return content

    def paced(self) -> Iterator[bytes]:
        """Pictures at the stream's pace, without end."""
        due = time.monotonic()
        while True:
            yield self.next()
            due = max(due + 1 / self.per_second, time.monotonic() - 1.0)
            time.sleep(max(due - time.monotonic(), 0.0))


def server_arguments(description: str | None) -> argparse.Namespace:
    """What every stream's server is told: `port`, `ledger`, `per_second`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--per-second", type=float, default=25.0)
    return parser.parse_args()
