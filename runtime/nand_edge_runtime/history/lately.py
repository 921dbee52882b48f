"""The frames that entered last before a start: a file of theirs that still lies in a hot folder was taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from nand_edge_runtime.history import facts
from nand_edge_runtime.history.segments import segments

_TAIL_BYTES = 1 << 20
"""How much of a segment's end is looked at: some thousand frames."""

_MOST_SEGMENTS = 16
"""Every start begins one; a station that ended again and again leaves many with little in them."""


def lately_entered(journal: Path, camera: str, count: int) -> list[tuple[str, int | None]]:
    """Name and device timestamp of the last frames of a camera that the journal says entered, newest first.

    Args:
        journal: The journal's folder; where there is none yet, or it cannot be read, no frame is known.
        camera: The camera's name.
        count: How many at most.
    """
    found: list[tuple[str, int | None]] = []
    with suppress(OSError):
        for segment in segments(journal)[: -_MOST_SEGMENTS - 1 : -1]:
            for fact in _newest_first(journal / segment):
                if fact["fact"] == facts.ENTERED and fact["camera"] == camera:
                    found.append((fact["name"], fact["device_timestamp_ns"]))
                    if len(found) == count:
                        return found
    return found


def _newest_first(segment: Path) -> Iterator[dict[str, Any]]:
    # Room that was taken and not written to is zeros.
    content = segment.read_bytes().rstrip(b"\0")[-_TAIL_BYTES:]
    for line in reversed(content.split(b"\n")):
        fact = facts.parsed(line.lstrip(b"\0"))
        if fact is not None:
            yield fact
