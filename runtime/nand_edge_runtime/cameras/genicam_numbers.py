"""The numbers that a camera counts its frames with: a gap in them is frames that nobody has seen."""

from __future__ import annotations

import time
from collections.abc import Iterator

from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Taken

_WRAPS_AT = 65_535
"""GigE Vision cameras count to here and go on with 1; those with extended numbers and USB3 Vision count in 64 bits."""

_NEAR = 4096
"""How near a wrap a number must be to be taken for one. What jumps back further begins anew."""

_MOST = 256
"""A larger gap is one reject that says how many are missing: the station must not drown in them."""


class FrameNumbers:
    """Finds frames that the camera took and that never came, by the gaps in its numbers."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._unnumbered = 0

    def came_unnumbered(self) -> None:
        """A frame came that is on record and has no number of its own: one that is incomplete, say."""
        self._unnumbered += 1

    def missing_before(self, number: int) -> int:
        """How many frames are missing between the last one and this one; 0 where the camera begins anew."""
        gap = self._gap(number)
        self._last = number
        missing, self._unnumbered = max(gap - self._unnumbered, 0), 0
        return missing

    def _gap(self, number: int) -> int:
        last = self._last
        if last is None:
            return 0
        if number > last:
            return number - last - 1
        if number < _NEAR and _WRAPS_AT - _NEAR < last <= _WRAPS_AT:
            return _WRAPS_AT - last + max(number - 1, 0)
        return 0


def never_came(camera: str, missing: int) -> Iterator[Taken]:
    """A reject for each frame that never came, or one for a large number of them."""
    fault = "the camera took it and it never came: its packets were lost, or no buffer was free"
    if missing > _MOST:
        fault, missing = f"{missing} frames that the camera took never came", 1
    for _ in range(missing):
        yield faulty(camera, fault)


def faulty(name: str, fault: str, device_timestamp_ns: int | None = None) -> Taken:
    """A frame that cannot be inspected, taken now."""
    return Taken(BLACK_PIXEL, name, time.monotonic(), time.time(), device_timestamp_ns, fault=fault)
