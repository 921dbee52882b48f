"""The ledger: what was laid before the station, written down by who laid it, before it was laid."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from nand_benchmarks.line.parts import Part


@dataclass(frozen=True)
class Laid:
    """A part that was laid before a camera.

    Attributes:
        number: Its number, unique on its line.
        part: What it is: from this follows what its verdict may be.
        at: When, seconds of `time.monotonic()`, which all processes of a machine share.
    """

    number: int
    part: Part
    at: float


class LedgerWriter:
    """Appends to a ledger; safe from any thread, and each line is whole on the disk before the part is laid.

    Args:
        path: The file; lines that are there already stay.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._stream = path.open("ab", buffering=0)

    def lay(self, number: int, part: Part) -> Laid:
        """Write down a part that is laid now."""
        laid = Laid(number, part, time.monotonic())
        line = json.dumps(asdict(laid)).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
        return laid

    def close(self) -> None:
        """Write no more."""
        self._stream.close()


def read_ledger(path: Path) -> dict[int, Laid]:
    """All parts by number; half a line at the end, of a writer that was killed, is a part that was never laid.

    Raises:
        ValueError: Two parts have one number.
    """
    found: dict[int, Laid] = {}
    content = path.read_bytes() if path.is_file() else b""
    for line in content.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            continue
        document = json.loads(line)
        laid = Laid(document["number"], Part(document["part"]), document["at"])
        if laid.number in found:
            raise ValueError(f"part {laid.number} was laid twice")
        found[laid.number] = laid
    return found
