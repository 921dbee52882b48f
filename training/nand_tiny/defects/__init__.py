"""All kinds of defects by name."""

from __future__ import annotations

from . import areas, decay, lines, losses, particles, prints, regions, reliefs, yarns
from .base import Defect

DEFECTS: dict[str, Defect] = {
    **lines.DEFECTS,
    **areas.DEFECTS,
    **particles.DEFECTS,
    **reliefs.DEFECTS,
    **losses.DEFECTS,
    **prints.DEFECTS,
    **decay.DEFECTS,
    **regions.DEFECTS,
    **yarns.DEFECTS,
}
KINDS: tuple[str, ...] = tuple(DEFECTS)

__all__ = ["DEFECTS", "KINDS", "Defect"]
