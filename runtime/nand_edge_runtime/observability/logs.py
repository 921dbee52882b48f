"""Logging set up: every line is handed to a thread that writes it, so that a slow disk costs no verdict."""

from __future__ import annotations

import atexit
import contextlib
import copy
import logging
import logging.handlers
import os
import queue
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.observability.log_format import JsonFormatter, Stamp, TextFormatter
from nand_edge_runtime.observability.redaction import REDACTOR
from nand_edge_runtime.observability.settings import LogFormat, LogLevel, LogSettings

_QUEUE = 10_000
_NOISY = (
    "asyncio",
    "uvicorn.access",
    "pymodbus",
    "asyncua",
    "httpx",
    "httpx2",
    "httpcore",
    "httpcore2",
    "PIL",
    "matplotlib",
)
"""Libraries whose INFO lines come with every message or page."""

_current: list[Logging] = []


class Logging:
    """What `set_up_logging` set up; `close` writes what waits and takes it down."""

    def __init__(self, handlers: list[logging.Handler], stamp: Stamp, level: int) -> None:
        self._stamp = stamp
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(_QUEUE)
        self._handlers = handlers
        self._entry = _Entry(self._waiting)
        self._entry.addFilter(stamp)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        root = logging.getLogger()
        self._before = root.level, list(root.handlers)
        root.handlers[:] = [self._entry]
        root.setLevel(level)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines that were given up because the disk or the terminal did not keep up."""
        return self._entry.dropped

    def name_run(self, run: str) -> None:
        """Put this run on every line from now on."""
        self._stamp.run = run

    def flush(self, timeout_s: float = 1.0) -> None:
        """Wait until what was logged so far is written."""
        written = threading.Event()
        mark = logging.makeLogRecord({"written": written})
        with contextlib.suppress(queue.Full):
            self._waiting.put(mark, timeout=timeout_s)
            written.wait(timeout_s)

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what waits, and log as before."""
        root = logging.getLogger()
        if self._entry in root.handlers:
            root.setLevel(self._before[0])
            root.handlers[:] = self._before[1]
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)
        if not self._thread.is_alive():
            for handler in self._handlers:
                handler.close()

    def _write(self) -> None:
        told = 0
        while (record := self._waiting.get()) is not None:
            written = getattr(record, "written", None)
            if isinstance(written, threading.Event):
                written.set()
                continue
            self._hand_out(record)
            dropped = self._entry.dropped
            if dropped > told and self._waiting.empty():
                self._hand_out(_lost(dropped - told, self._stamp))
                told = dropped

    def _hand_out(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            handler.handle(record)


def set_up_logging(
    settings: LogSettings, *, station: str, run: str = "", secret_variables: Iterable[str] = ()
) -> Logging:
    """Log from now on as the settings say, in the place of what was set up before.

    Args:
        settings: What, how and where.
        station: The station's name, on every line.
        run: The run, likewise; see `Logging.name_run`.
        secret_variables: Environment variables whose values must never be seen.

    Raises:
        NandEdgeError: The log's file cannot be written.
    """
    for name in secret_variables:
        REDACTOR.hide_variable(name)
    stamp = Stamp(station)
    stamp.run = run
    handlers = [_terminal(settings), *([] if settings.file is None else [_file(settings, settings.file)])]
    while _current:
        _current.pop().close()
    logging.raiseExceptions = False  # a full disk must not put a traceback on the terminal for every line
    logging.captureWarnings(True)  # noqa: FBT003 - the standard library's own way to say it
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.DEBUG if settings.level is LogLevel.DEBUG else logging.WARNING)
    made = Logging(handlers, stamp, getattr(logging, settings.level.name))
    _current.append(made)
    atexit.register(made.close)
    return made


def name_run(run: str) -> None:
    """Put this run on every line from now on, if logging was set up."""
    for made in _current:
        made.name_run(run)


class _Entry(logging.Handler):
    """Takes lines from all threads, and never waits."""

    def __init__(self, waiting: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__()
        self._waiting = waiting
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        # Made into text here: what an argument says may have changed when the line is written.
        record = copy.copy(record)
        if record.args:
            with contextlib.suppress(TypeError, ValueError):
                record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _RotatingFile(logging.handlers.RotatingFileHandler):
    """A file that is put aside when it is full; a disk that takes no more is said once on the terminal."""

    _said = False

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the last lines find no room, as was said
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - the standard library's name
        error = sys.exc_info()[1]
        if not self._said and isinstance(error, OSError) and sys.stderr is not None:
            self._said = True
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(f"log {self.baseFilename!r} cannot be written: {error.strerror or error}\n")


def _terminal(settings: LogSettings) -> logging.Handler:
    handler = logging.StreamHandler()
    if settings.format is LogFormat.JSON:
        handler.setFormatter(JsonFormatter(REDACTOR))
    else:
        tracebacks = settings.level is LogLevel.DEBUG
        handler.setFormatter(TextFormatter(REDACTOR, tracebacks=tracebacks, priorities=_into_journal()))
    return handler


def _file(settings: LogSettings, path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _RotatingFile(
            path, maxBytes=int(settings.file_megabytes * 1e6), backupCount=settings.files_kept, encoding="utf-8"
        )
    except OSError as error:
        raise NandEdgeError(
            f"log {str(path)!r}",
            found=f"a file that cannot be written ({error.strerror or type(error).__name__})",
            needed="a file in a folder that the station may write to",
            do="correct `file` in the settings' [log], or leave it out",
        ) from None
    json_lines = settings.format is LogFormat.JSON
    handler.setFormatter(JsonFormatter(REDACTOR) if json_lines else TextFormatter(REDACTOR, tracebacks=True))
    return handler


def _into_journal() -> bool:
    """Whether standard error is the journal of systemd."""
    told = os.environ.get("JOURNAL_STREAM", "")
    try:
        here = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return told == f"{here.st_dev}:{here.st_ino}"


def _lost(count: int, stamp: Stamp) -> logging.LogRecord:
    record = logging.makeLogRecord({
        "name": __name__, "levelno": logging.WARNING, "levelname": "WARNING",
        "msg": f"{count} lines of the log were given up: writing them took too long",
    })  # fmt: skip
    stamp.filter(record)
    return record
