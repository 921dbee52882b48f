"""All surfaces by name, and which of them are kept for testing."""

from __future__ import annotations

from . import circuits, machined, metals, minerals, objects, organics, panels, synthetics, textiles, weaves
from .base import Surface

SURFACES: dict[str, Surface] = {
    **panels.SURFACES,
    **circuits.SURFACES,
    **textiles.SURFACES,
    **metals.SURFACES,
    **minerals.SURFACES,
    **organics.SURFACES,
    **synthetics.SURFACES,
    **weaves.SURFACES,
    **machined.SURFACES,
    **objects.SURFACES,
}

TEST_SURFACES: tuple[str, ...] = (
    "cell with bright bars",
    "knit",
    "rolled metal",
    "marble",
    "wood veneer",
    "textured plastic",
    "twill",
    "speckled tile",
    "nuts",
)
TRAIN_SURFACES: tuple[str, ...] = tuple(name for name in SURFACES if name not in TEST_SURFACES)

__all__ = ["SURFACES", "TEST_SURFACES", "TRAIN_SURFACES", "Surface"]
