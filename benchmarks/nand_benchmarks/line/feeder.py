"""The feeder: lays parts into a hot folder at a steady pace, as a triggered camera's driver does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from nand_benchmarks.line.ledger import LedgerWriter
from nand_benchmarks.line.parts import Part, picture_file

USUAL: Mapping[Part, float] = {Part.GOOD: 0.9, Part.BAD: 0.1}
"""How often each part comes when nothing is wrong."""

_PICTURES = 16
"""Different pictures of each part."""


class Feeder:
    """Lays a part at each beat, in a thread of its own.

    Args:
        folder: The hot folder.
        ledger: Where each part is written down first.
        per_second: Parts a second.
        seed: Of the order of parts.
    """

    def __init__(self, folder: Path, ledger: Path, *, per_second: float, seed: int = 0) -> None:
        self._folder, self._period = folder, 1 / per_second
        self._ledger = LedgerWriter(ledger)
        self._random = random.Random(seed)  # noqa: S311 - an order of parts, not a secret
        self._files = {part: [picture_file(part, number) for number in range(_PICTURES)] for part in Part}
        self._shares: Mapping[Part, float] = USUAL
        self._laid = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    @property
    def laid(self) -> int:
        """Parts that were laid so far."""
        return self._laid

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def lay_mostly(self, shares: Mapping[Part, float]) -> None:
        """From now on, lay parts in these shares."""
        self._shares = dict(shares)

    def stop(self) -> None:
        """Lay no more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        self._ledger.close()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            shares = self._shares
            (part,) = self._random.choices(list(shares), list(shares.values()))
            self._lay(part)
            # A beat that was missed is left out: parts never come in a heap that the pace does not allow.
            due = max(due + self._period, time.monotonic() - self._period)
            self._stopping.wait(max(due - time.monotonic(), 0.0))

    def _lay(self, part: Part) -> None:
        number, files = self._laid, self._files[part]
        name = f"{part.value}-{number:07d}.png"
        temporary = self._folder / f".{name}.part"
        temporary.write_bytes(files[number % len(files)])
        self._ledger.lay(number, part)
        temporary.replace(self._folder / name)
        self._laid += 1
