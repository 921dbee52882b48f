"""All kinds of defects by name."""

from __future__ import annotations

from . import areas, lines, losses, particles, prints, reliefs
from .base import Defect

DEFECTS: dict[str, Defect] = {
    **lines.DEFECTS,
    **areas.DEFECTS,
    **particles.DEFECTS,
    **reliefs.DEFECTS,
    **losses.DEFECTS,
    **prints.DEFECTS,
}
KINDS: tuple[str, ...] = tuple(DEFECTS)

__all__ = ["DEFECTS", "KINDS", "Defect"]
