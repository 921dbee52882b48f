"""What another process prints goes to the log, line by line, and no more of it than a person can read."""

from __future__ import annotations

import logging
import threading
import time
from typing import IO

_LOG = logging.getLogger(__name__)

_LONGEST = 500
"""Characters of a line."""
_LINES, _PERIOD_S = 50, 10.0
"""So many lines in so many seconds; what is beyond is counted."""
_CHUNK = 1 << 14


class OutputLog:
    """Reads a process's output in a thread of its own until it ends.

    Args:
        stream: The output, binary; it is closed at its end.
        what: Whose output it is.
    """

    def __init__(self, stream: IO[bytes], what: str) -> None:
        self._stream, self._what = stream, what
        self._last = ""
        self._began, self._lines = 0.0, 0
        self._thread = threading.Thread(target=self._read, name=f"{what} output", daemon=True)
        self._thread.start()

    def last_words(self, timeout_s: float) -> str:
        """The last line of all; waits so long at most for the end of the output."""
        self._thread.join(timeout_s)
        return self._last

    def _read(self) -> None:
        rest = b""
        with self._stream:
            while chunk := self._stream.read1(_CHUNK):  # type: ignore[attr-defined]  # a pipe is a BufferedReader
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._take(line)
                rest = rest[:_LONGEST]
        self._take(rest)

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").rstrip()[:_LONGEST]
        if not text:
            return
        self._last = text
        now = time.monotonic()
        if now - self._began > _PERIOD_S:
            if self._lines > _LINES:
                _LOG.warning("%s: %d more lines", self._what, self._lines - _LINES)
            self._began, self._lines = now, 0
        self._lines += 1
        if self._lines <= _LINES:
            _LOG.warning("%s: %s", self._what, text)
