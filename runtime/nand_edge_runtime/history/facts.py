"""Facts: what the journal holds, one a line, each with a checksum so that half a line is told from a whole one."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import replace
from itertools import islice
from typing import Any

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Changed, StateChanged
from nand_edge_runtime.station.records import FrameRecord, Reason

RUN, ENTERED, DECIDED, AUDIT, STATE = "run", "entered", "decided", "audit", "state"

MAX_TEXT = 2000
"""Characters of a name or a sentence that are kept."""

MAX_LINE = 1 << 18
"""Bytes of a line at most."""

_CHECKSUM_DIGITS = 8
_MAX_DEPTH = 8
_MAX_ITEMS = 1000


def run_line(run: str, at: float) -> bytes:
    """A run of the station begins: frames of earlier runs that have no verdict will get none."""
    return _line({"fact": RUN, "run": run, "at": at})


def entered_line(frame: CameraFrame) -> bytes:
    """A frame entered: what a record needs if the station ends before the verdict."""
    key = frame.key
    return _line(
        {
            "fact": ENTERED,
            "run": key.run,
            "camera": key.camera,
            "number": key.number,
            "name": frame.name,
            "timestamp": frame.timestamp,
            "position": frame.position,
            "device_timestamp_ns": frame.device_timestamp_ns,
            "dropped_before": frame.dropped_before,
        }
    )


def decided_line(record: FrameRecord) -> bytes:
    """A frame got its verdict."""
    try:
        document = record.to_json()
    except (TypeError, ValueError, OverflowError):
        # A stage's time that is no number must not cost the record.
        document = replace(record, latency_ms={}).to_json()
    return _line({"fact": DECIDED, **document})


def audit_line(changed: Changed) -> bytes:
    """Somebody changed something."""
    return _line({"fact": AUDIT, "who": changed.who, "what": changed.what, "detail": changed.detail, "at": changed.at})


def state_line(changed: StateChanged) -> bytes:
    """The station went into another state."""
    return _line({"fact": STATE, "state": changed.state.value, "why": changed.why, "at": changed.at})


def parsed(line: bytes) -> dict[str, Any] | None:
    """The fact of a line without its line break; None where the line is not whole."""
    checksum, content = line[:_CHECKSUM_DIGITS], line[_CHECKSUM_DIGITS + 1 :]
    if checksum != b"%08x" % zlib.crc32(content):
        return None
    try:
        fact = json.loads(content)
    except ValueError:
        return None
    return fact if isinstance(fact, dict) else None


def record_of(fact: dict[str, Any]) -> FrameRecord:
    """The record of a `decided` fact.

    Raises:
        KeyError, ValueError, TypeError: It is none.
    """
    # What was no finite number came here as nothing, and is not known.
    latency = {stage: time for stage, time in fact["latency_ms"].items() if time is not None}
    return FrameRecord.from_json({**fact, "latency_ms": latency})


def killed(entered: dict[str, Any]) -> FrameRecord:
    """The record of a frame that entered and got no verdict: a reject.

    Raises:
        KeyError, ValueError, TypeError: The fact is no `entered`.
    """
    return FrameRecord(
        key=FrameKey(entered["run"], entered["camera"], int(entered["number"])),
        name=entered["name"],
        timestamp=entered["timestamp"],
        verdict=Verdict.REJECT,
        reason=Reason.KILLED,
        position=entered["position"],
        device_timestamp_ns=entered["device_timestamp_ns"],
        dropped_before=entered["dropped_before"],
    )


def _line(fact: dict[str, Any]) -> bytes:
    try:
        content = _encode(fact)
    except (ValueError, TypeError, RecursionError):
        # What no database takes (not a number, NUL, half a character) must not stop all that comes after it.
        content = _encode(_cleaned(fact))
    if "\\u0000" in content or "\\ud" in content or len(content) > MAX_TEXT:
        content = _encode(_cleaned(fact))
        if len(content) > MAX_LINE:
            content = _encode(
                {key: type(item)() if isinstance(item, dict | list) else item for key, item in fact.items()}
            )
    encoded = content.encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(encoded), encoded)


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _cleaned(value: Any, depth: int = 0) -> Any:
    """The value as JSON and every database take it."""
    if hasattr(value, "item") and getattr(value, "size", 0) == 1:
        value = value.item()  # a number of numpy's
    if isinstance(value, float):
        value = value if math.isfinite(value) else None
    elif isinstance(value, dict | list | tuple | set | frozenset) and depth >= _MAX_DEPTH:
        value = None
    elif isinstance(value, dict):
        value = {_text(str(key)): _cleaned(item, depth + 1) for key, item in islice(value.items(), _MAX_ITEMS)}
    elif isinstance(value, list | tuple | set | frozenset):
        value = [_cleaned(item, depth + 1) for item in islice(value, _MAX_ITEMS)]
    elif value is not None and not isinstance(value, bool | int):
        value = _text(str(value))
    return value


def _text(value: str) -> str:
    kept = value[:MAX_TEXT].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return kept.encode("utf-8", "replace").decode("utf-8")
