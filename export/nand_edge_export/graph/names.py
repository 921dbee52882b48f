"""Names of values in a graph by which engines' builders find what they may put their own kernels in place of."""

from __future__ import annotations

import re
from typing import NamedTuple

_RESIZED = "pillow_resize"
_PATTERN = re.compile(rf"{_RESIZED}/(?P<height>\d+)x(?P<width>\d+)/\d+")

NETWORKS = ("detector/", "clip/")
"""What the names of nodes of the base detector's and the CLIP's networks begin with."""


class Sides(NamedTuple):
    """What frames are resized to, pixels."""

    height: int
    width: int


def resized_name(sides: tuple[int, int], number: int) -> str:
    """The name of frames that were resized as Pillow does it, float32 [N, 3, height, width] RGB."""
    return f"{_RESIZED}/{sides[0]}x{sides[1]}/{number}"


def resized_sides(name: str) -> Sides | None:
    """The sides in a name that `resized_name` made; None for any other name."""
    found = _PATTERN.fullmatch(name)
    return Sides(int(found["height"]), int(found["width"])) if found else None
