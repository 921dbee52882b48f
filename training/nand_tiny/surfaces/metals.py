"""Metal sheets: brushed, rolled, cast, ribbed, perforated and wire mesh."""

from __future__ import annotations

import numpy as np

from nand_tiny.canvas import Canvas
from nand_tiny.noise import chance, cloud_noise, grain, pixel_grid, relief, smooth_noise, uniform

from .base import Colour, Surface, flat, grey, mix, pick_colour, tint, unevenness

ALLOYS: tuple[Colour, ...] = ((0.62, 0.63, 0.65), (0.45, 0.46, 0.48), (0.70, 0.60, 0.42), (0.65, 0.48, 0.38))


def brushed(rng: np.random.Generator, size: int) -> Canvas:
    """Fine parallel brush marks."""
    marks = smooth_noise(rng, size, uniform(rng, 40, 160), 1.0) + smooth_noise(rng, size, 300, 3.0)
    shade = uniform(rng, 0.03, 0.09) * marks + 0.02 * grain(rng, size) + unevenness(rng, size, 0.08)
    return Canvas(tint(pick_colour(rng, ALLOYS), shade))


def rolled(rng: np.random.Generator, size: int) -> Canvas:
    """A matt, slightly blotchy sheet with faint rolling direction."""
    shade = 0.05 * cloud_noise(rng, size, uniform(rng, 20, 60)) + 0.03 * smooth_noise(rng, size, 80, 5)
    shade += uniform(rng, 0.02, 0.07) * grain(rng, size, uniform(rng, 0.0, 0.9)) + unevenness(rng, size, 0.05)
    return Canvas(tint(grey(rng, 0.28, 0.65), shade))


def cast(rng: np.random.Generator, size: int) -> Canvas:
    """The bumpy skin of a casting."""
    bumps = smooth_noise(rng, size, uniform(rng, 3, 8)) + 0.5 * grain(rng, size, 0.8)
    shade = uniform(rng, 0.15, 0.4) * relief(bumps, uniform(rng, 0, 6.3)) + unevenness(rng, size, 0.06)
    return Canvas(tint(grey(rng, 0.22, 0.6), shade))


def ribbed(rng: np.random.Generator, size: int) -> Canvas:
    """Parallel ribs or corrugation."""
    x, _ = pixel_grid(size)
    wave = np.sin(2 * np.pi * x / uniform(rng, 8, 40) + uniform(rng, 0, 6))
    if chance(rng, 0.4):
        wave = np.tanh(3 * wave)
    shade = uniform(rng, 0.06, 0.25) * wave + 0.03 * grain(rng, size) + unevenness(rng, size, 0.05)
    palette = (*ALLOYS, (0.75, 0.62, 0.45), (0.2, 0.2, 0.22), (0.4, 0.5, 0.6))
    return Canvas(tint(pick_colour(rng, palette), shade.astype(np.float32)))


def perforated(rng: np.random.Generator, size: int) -> Canvas:
    """A sheet with round openings in regular rows."""
    x, y = pixel_grid(size)
    pitch = uniform(rng, 14, 34)
    row = np.floor(y / pitch)
    across = (x / pitch + (row % 2) * 0.5 * float(chance(rng, 0.5))) % 1 - 0.5
    down = (y / pitch) % 1 - 0.5
    distance = np.sqrt(across**2 + down**2) * pitch
    opening = np.clip(pitch * uniform(rng, 0.2, 0.36) - distance + 0.5, 0, 1)
    sheet = tint(pick_colour(rng, ALLOYS), 0.03 * grain(rng, size) + unevenness(rng, size, 0.06))
    return Canvas(mix(sheet, flat(grey(rng, 0.03, 0.15), size), opening.astype(np.float32)))


def mesh(rng: np.random.Generator, size: int) -> Canvas:
    """Crossing wires before a plain ground."""
    ground = tint(grey(rng, 0.05, 0.25) if chance(rng, 0.6) else grey(rng, 0.75, 0.92), unevenness(rng, size, 0.05))
    x, y = pixel_grid(size)
    pitch = uniform(rng, 12, 40)
    width = uniform(rng, 0.12, 0.3)
    if chance(rng, 0.4):
        x, y = (x + y) * 0.7071, (x - y) * 0.7071
    image = ground
    wire_colour = grey(rng, 0.4, 0.65)
    for axis in (x, y):
        offset = np.abs((axis / pitch) % 1 - 0.5) / width
        cover = np.clip((1 - offset) * pitch * width + 0.5, 0, 1)
        wire = tint(wire_colour, (0.3 - 0.5 * offset**2).astype(np.float32))
        image = mix(image, wire, cover.astype(np.float32))
    image += 0.02 * grain(rng, size)[:, :, None]
    return Canvas(image)


OPEN_WORK = frozenset({"hole", "spot", "bubble", "dent", "chip"})

SURFACES: dict[str, Surface] = {
    "brushed metal": Surface(brushed, ("brushed metal", "steel plate", "aluminium sheet", "metal panel")),
    "rolled metal": Surface(rolled, ("metal sheet", "rolled steel", "steel strip")),
    "cast metal": Surface(cast, ("casting", "cast metal part", "cast iron", "metal part")),
    "ribbed sheet": Surface(ribbed, ("ribbed sheet", "corrugated panel", "grooved plate"), frozenset({"wrinkle"})),
    "perforated sheet": Surface(perforated, ("perforated sheet", "perforated plate"), OPEN_WORK),
    "wire mesh": Surface(mesh, ("wire mesh", "grid", "metal grid", "wire grid"), OPEN_WORK, can_be_part=False),
}
