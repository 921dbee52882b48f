"""Moments as people type them: ISO 8601, a time of today, or so long ago."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from nand_edge.errors import NandEdgeError

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AGO = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(s|m|min|h|d|w)(?:\s+ago)?")
_TIME_OF_DAY = re.compile(r"\d{2}:\d{2}(:\d{2})?")
_DAYS = {"today": 0, "yesterday": 1}


def moment_of(text: str, now: datetime | None = None) -> float:
    """Seconds since 1970 of a moment.

    Args:
        text: ISO 8601 such as `2026-11-27 06:00` (local unless it names its zone), `06:00` for today, `today` or
            `yesterday` for their beginning, or a stretch before now: `90s`, `15m`, `2h`, `3d`, `1w`.
        now: Local time without a zone; the clock's by default.

    Raises:
        NandEdgeError: It is none.
    """
    now = now or datetime.now()  # noqa: DTZ005 - what people type is local
    words = text.strip().lower()
    try:
        if ago := _AGO.fullmatch(words):
            return now.timestamp() - float(ago[1]) * _SECONDS[ago[2]]
        if words == "now":
            return now.timestamp()
        if words in _DAYS:
            return _beginning(now.date() - timedelta(days=_DAYS[words])).timestamp()
        if _TIME_OF_DAY.fullmatch(words):
            return datetime.fromisoformat(f"{now.date().isoformat()}T{words}").timestamp()
        iso = text.strip()
        return datetime.fromisoformat(iso[:-1] + "+00:00" if iso[-1:] in ("Z", "z") else iso).timestamp()
    except (ValueError, OverflowError, OSError):
        raise NandEdgeError(
            "moment",
            found=repr(text[:60]),
            needed="a time such as 2026-11-27, 2026-11-27T06:00, 06:00, today, 2h or 3d (ago)",
            do="write it like one of these",
        ) from None


def _beginning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - local midnight
