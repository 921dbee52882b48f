"""How a line of the log looks: text for people, or one JSON object a line."""

from __future__ import annotations

import datetime as dt
import json
import logging
from typing import Any

from nand_edge_runtime.observability.redaction import Redactor

_CAMERA_THREAD = "camera "
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_LONGEST = 16_000
"""Characters of a message; what is longer is cut, so that no line fills the disk."""


class Stamp(logging.Filter):
    """Puts station, run and camera on each line.

    The camera is the `camera` that a line brings in `extra`, or that of the thread, `camera NAME`.

    Args:
        station: The station's name.
    """

    def __init__(self, station: str) -> None:
        super().__init__()
        self.station = station
        self.run = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Stamp the line; none is held back."""
        record.station, record.run = self.station, self.run
        if not hasattr(record, "camera"):
            thread = record.threadName or ""
            record.camera = thread.removeprefix(_CAMERA_THREAD) if thread.startswith(_CAMERA_THREAD) else ""
        return True


class TextFormatter(logging.Formatter):
    """Time, level, station, camera and message on one line.

    Args:
        redactor: Takes the secrets out.
        tracebacks: Whether a traceback follows on lines of its own; else the error's class and text stand in brackets.
        priorities: Whether each line begins with the `<4>` by which the journal of systemd tells its weight.
    """

    def __init__(self, redactor: Redactor, *, tracebacks: bool, priorities: bool = False) -> None:
        super().__init__()
        self._redactor, self._tracebacks, self._priorities = redactor, tracebacks, priorities

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several with a traceback."""
        camera = getattr(record, "camera", "")
        where = getattr(record, "station", "") + (f"/{camera}" if camera else "")
        # The journal has its own clock.
        when = "" if self._priorities else f"{_time(record)} "
        line = f"{when}{record.levelname.lower():<7} {where}: {_message(record)}"
        traceback = _traceback(record)
        if traceback:
            line += f" [{_last_line(traceback)}]"
        text = self._redactor.clean(_one_line(line))
        if traceback and self._tracebacks:
            text += "\n" + self._redactor.clean(traceback)
        if self._priorities:
            weight = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
            text = "\n".join(f"<{weight}>{part}" for part in text.splitlines())
        return text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, station, run, camera, logger, thread, message, and the traceback if any.

    Args:
        redactor: Takes the secrets out.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        document: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "station": getattr(record, "station", ""),
            "run": getattr(record, "run", ""),
            "camera": getattr(record, "camera", ""),
            "logger": record.name,
            "thread": record.threadName or "",
            "message": _message(record),
        }
        traceback = _traceback(record)
        if traceback:
            document["traceback"] = traceback
        cleaned = {key: self._redactor.clean(str(value)) for key, value in document.items()}
        return json.dumps(cleaned, ensure_ascii=True)


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, tz=dt.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        # A fault in the line itself must not cost the line.
        text = f"{record.msg} {record.args!r}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def _traceback(record: logging.LogRecord) -> str:
    if record.exc_text is None and record.exc_info:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    return record.exc_text or ""


def _last_line(traceback: str) -> str:
    lines = [line for line in traceback.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line.startswith(" ")), lines[-1] if lines else "")


def _one_line(text: str) -> str:
    """Without line breaks and control characters: a name can neither make a second line nor steer a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
