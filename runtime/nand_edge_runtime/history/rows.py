"""A record as a row of the database, and back."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Row

from nand_edge_runtime.station.records import FrameRecord

_LARGEST = 2**63 - 1


def row_of(record: FrameRecord, station: str) -> dict[str, Any]:
    """The columns of a record."""
    row = record.to_json()
    row["station"] = station
    row["timestamp"] = _number(row["timestamp"]) or 0.0
    for name in ("position", "score", "base_score", "threshold"):
        row[name] = _number(row[name])
    clock = row["device_timestamp_ns"]
    # A camera whose clock is beyond what databases hold has none; its records are kept all the same.
    row["device_timestamp_ns"] = clock if clock is not None and abs(clock) <= _LARGEST else None
    row["dropped_before"] = min(int(row["dropped_before"]), _LARGEST)
    for name in ("suppressed", "clip_ran", "score_is_bound"):
        row[name] = bool(row[name])
    return row


def record_of_row(row: Row[Any]) -> FrameRecord:
    """The record of a row."""
    return FrameRecord.from_json(dict(row._mapping))  # noqa: SLF001 - the documented name


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
