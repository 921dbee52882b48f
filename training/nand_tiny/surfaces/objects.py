"""Whole objects before a plain ground: tablets, capsules, nuts, bottles, cables, screws and zippers."""

from __future__ import annotations

import cv2
import numpy as np

from nand_tiny.canvas import Canvas, Image, Mask
from nand_tiny.noise import Field, chance, grain, pixel_grid, relief, smooth_noise, uniform

from .base import Colour, Surface, flat, grey, mix, pick_colour, tint, unevenness
from .machined import profile
from .metals import ALLOYS
from .textiles import DYES

LOW_FAULTS = frozenset({"bent", "broken line"})  # kinds that need lines from side to side
POWDERS: tuple[Colour, ...] = (
    (0.92, 0.92, 0.90),
    (0.88, 0.72, 0.45),
    (0.85, 0.60, 0.62),
    (0.60, 0.72, 0.85),
    (0.70, 0.30, 0.25),
    (0.75, 0.82, 0.62),
)
WIRES: tuple[Colour, ...] = (
    (0.45, 0.62, 0.25),
    (0.25, 0.35, 0.62),
    (0.45, 0.30, 0.22),
    (0.70, 0.70, 0.68),
    (0.70, 0.20, 0.18),
)


def table(rng: np.random.Generator, size: int, against: Colour) -> Image:
    """Return a plain ground that an object of a colour stands out from."""
    level = float(np.mean(against))
    tone = uniform(rng, 0.03, 0.2) if level > 0.45 or (level > 0.3 and chance(rng, 0.5)) else uniform(rng, 0.7, 0.92)
    return tint(grey(rng, tone, tone + 0.02), 0.02 * grain(rng, size) + unevenness(rng, size, 0.06))


def cover_of(signed: Field) -> Field:
    """Return the coverage by a shape from the signed distance (pixels, positive inside)."""
    return np.asarray(np.clip(signed + 0.5, 0, 1), dtype=np.float32)


def finish(image: Image, cover: Field, ground: Image, *, parts: list[Mask] | None = None) -> Canvas:
    """Return the canvas of an object on its ground."""
    tone = ground.mean(axis=(0, 1))
    background = (float(tone[0]), float(tone[1]), float(tone[2]))
    return Canvas(image, solid=cover > 0.6, background=background, parts=parts or [], behind=ground if parts else None)


def spots_for(rng: np.random.Generator, size: int, largest: float) -> list[tuple[float, float, float]]:
    """Return (x, y, radius) of one large object in the middle, or of several on a loose grid."""
    if chance(rng, 0.55):
        middle = rng.uniform(0.46, 0.54, 2) * size
        return [(float(middle[0]), float(middle[1]), uniform(rng, 0.75, 1.0) * largest * size)]
    rows = 2 if chance(rng, 0.6) else 3
    pitch = size / rows
    radius = pitch * largest * uniform(rng, 0.75, 0.9)
    places = [((column + 0.5) * pitch, (row + 0.5) * pitch) for row in range(rows) for column in range(rows)]
    return [(x + uniform(rng, -0.04, 0.04) * pitch, y + uniform(rng, -0.04, 0.04) * pitch, radius) for x, y in places]


def oblong(size: int, spot: tuple[float, float, float], slim: float, turn: float) -> tuple[Field, Field]:
    """Return the signed distance of a rounded bar of half length `radius`, and the place along it (-1..1)."""
    x, y = pixel_grid(size)
    right, down = x - np.float32(spot[0]), y - np.float32(spot[1])
    along = right * np.float32(np.cos(turn)) + down * np.float32(np.sin(turn))
    beside = down * np.float32(np.cos(turn)) - right * np.float32(np.sin(turn))
    half = spot[2] * slim
    beyond = np.maximum(np.abs(along) - np.float32(spot[2] - half), 0)
    return np.asarray(half - np.sqrt(beyond**2 + beside**2), dtype=np.float32), along / np.float32(spot[2])


def domed(signed: Field, depth: float, angle: float) -> Field:
    """Return the shading of a body whose rim is rounded over `depth` pixels, lit from an angle."""
    bend = np.clip(signed / np.float32(depth), 0, 1)
    height = np.sqrt(np.clip(1 - (1 - bend) ** 2, 0, 1)).astype(np.float32)
    return np.asarray(relief(height, angle) * np.float32(depth * 0.5) + 0.15 * (height - 0.8), dtype=np.float32)


def laid_out(rng: np.random.Generator, size: int, colour: Colour, slim: tuple[float, float], depth: float) -> Canvas:
    """Pressed or filled bodies of one colour, alone or in rows, some with a score line or a cap."""
    ground = table(rng, size, colour)
    image, solid = ground.copy(), np.zeros((size, size), dtype=np.float32)
    narrow, turn, angle = uniform(rng, *slim), uniform(rng, 0, np.pi), uniform(rng, 0, 6.3)
    capped = slim[1] < 0.6
    cap = pick_colour(rng, POWDERS)
    scored, specks = chance(rng, 0.6) and not capped, uniform(rng, 0.0, 0.05)
    parts: list[Mask] = []
    for spot in spots_for(rng, size, 0.45):
        signed, along = oblong(size, spot, narrow, turn + uniform(rng, -0.06, 0.06))
        shade = uniform(rng, 0.9, 1.1) * domed(signed, depth * spot[2], angle)
        if scored:
            shade += uniform(rng, 0.2, 0.3) * relief(np.exp(-((along * 22) ** 2)), angle) * np.float32(6)
        if capped:
            shade += 0.35 * np.exp(-(((signed / (narrow * spot[2])) - 0.6) ** 2) * 60)
        shade += specks * np.clip(smooth_noise(rng, size, 2) - 1.2, -1, 1)
        body = tint(colour, np.asarray(shade, dtype=np.float32))
        if capped:
            body = mix(body, tint(cap, np.asarray(shade, dtype=np.float32)), cover_of(along * np.float32(spot[2])))
        cover = cover_of(signed)
        image = mix(image, body, cover)
        solid = np.maximum(solid, cover)
        parts.append(cover > 0.5)
    image += 0.012 * grain(rng, size)[:, :, None]
    return finish(image, solid, ground, parts=parts if len(parts) > 1 else None)


def tablets(rng: np.random.Generator, size: int) -> Canvas:
    """Round or oval pressed tablets."""
    return laid_out(rng, size, pick_colour(rng, POWDERS), (1.0, 1.0) if chance(rng, 0.6) else (0.6, 0.8), 0.35)


def capsules(rng: np.random.Generator, size: int) -> Canvas:
    """Capsules of two halves, glossy along the side."""
    return laid_out(rng, size, pick_colour(rng, POWDERS), (0.34, 0.42), 0.36)


def nuts(rng: np.random.Generator, size: int) -> Canvas:
    """Washers and nuts: a ring of metal, round or with flat sides."""
    colour = pick_colour(rng, ALLOYS)
    ground = table(rng, size, colour)
    image, solid = ground.copy(), np.zeros((size, size), dtype=np.float32)
    x, y = pixel_grid(size)
    sides, turn, bore = int(rng.integers(0, 3)) * 2 + 2, uniform(rng, 0, 6.3), uniform(rng, 0.4, 0.62)
    light, parts = uniform(rng, 0, 6.3), list[Mask]()
    for centre_x, centre_y, radius in spots_for(rng, size, 0.46):
        right, down = x - np.float32(centre_x), y - np.float32(centre_y)
        distance = np.sqrt(right * right + down * down)
        angle = np.arctan2(down, right)
        reach: Field | float = radius
        if sides > 2:
            turned = np.abs((angle - turn) % (2 * np.pi / sides) - np.pi / sides)
            reach = np.asarray(radius * 0.9 / np.cos(np.pi / sides - turned), dtype=np.float32)
        signed = np.minimum(reach - distance, distance - radius * bore).astype(np.float32)
        shade = domed(signed, 0.1 * radius, light) + 0.06 * profile(rng, distance, 2.0)
        shade += uniform(rng, 0.0, 0.2) * np.cos(2 * angle - light) + 0.02 * grain(rng, size)
        cover = cover_of(signed)
        image = mix(image, tint(colour, np.asarray(shade, dtype=np.float32)), cover)
        solid = np.maximum(solid, cover)
        parts.append(cover > 0.5)
    return finish(image, solid, ground, parts=parts if len(parts) > 1 else None)


def bottle(rng: np.random.Generator, size: int) -> Canvas:
    """A bottle seen from above or below: rings of glass, bright and dark, about a calm middle."""
    x, y = pixel_grid(size)
    centre = rng.uniform(0.48, 0.52, 2) * size
    distance = np.sqrt((x - np.float32(centre[0])) ** 2 + (y - np.float32(centre[1])) ** 2)
    radius = uniform(rng, 0.38, 0.48) * size
    glass: tuple[Colour, ...] = ((0.35, 0.20, 0.08), (0.15, 0.30, 0.18), (0.5, 0.55, 0.58), (0.25, 0.25, 0.28))
    colour = pick_colour(rng, glass)
    rings = profile(rng, distance, uniform(rng, 5, 14))
    wall = np.clip((distance - radius * uniform(rng, 0.45, 0.75)) / 4, 0, 1)
    shade = wall * uniform(rng, 0.25, 0.6) * rings + uniform(rng, 0.0, 0.5) * (1 - wall) + 0.02 * grain(rng, size)
    body = tint(colour, np.asarray(shade + unevenness(rng, size, 0.04), dtype=np.float32))
    ground = table(rng, size, colour) if chance(rng, 0.3) else flat(grey(rng, 0.85, 0.95), size)
    cover = cover_of(np.asarray(radius - distance, dtype=np.float32))
    return finish(mix(ground, body, cover), cover, ground)


def cable(rng: np.random.Generator, size: int) -> Canvas:
    """A cable cut across: sheath, two to four insulated wires, and their strands."""
    sheath = grey(rng, 0.3, 0.8)
    ground = table(rng, size, sheath)
    middle, radius = size / 2, uniform(rng, 0.42, 0.47) * size
    ring = np.zeros((size, size), dtype=np.uint8)
    cv2.circle(ring, (round(middle), round(middle)), round(radius), 255, -1, cv2.LINE_AA)
    cover = ring.astype(np.float32) / np.float32(255)
    empty = mix(ground, tint(sheath, 0.05 * smooth_noise(rng, size, 6) + 0.03 * grain(rng, size)), cover)
    cv2.circle(empty, (round(middle), round(middle)), round(radius * 0.84), grey(rng, 0.04, 0.12), -1, cv2.LINE_AA)
    image, count, parts = empty.copy(), int(rng.integers(2, 5)), list[Mask]()
    own = radius * {2: 0.4, 3: 0.37, 4: 0.33}[count]
    turn, copper = uniform(rng, 0, 6.3), pick_colour(rng, ((0.8, 0.55, 0.35), (0.75, 0.72, 0.68)))
    lattice = np.stack(np.meshgrid(np.arange(-5, 6), np.arange(-5, 6)), axis=-1).reshape(-1, 2)
    strands = lattice @ np.asarray([[1.0, 0.0], [0.5, 0.87]])
    step = own * uniform(rng, 0.17, 0.26)
    for number in range(count):
        angle = turn + 2 * np.pi * number / count
        x, y = (middle + (radius * 0.82 - own) * float(v) for v in (np.cos(angle), np.sin(angle)))
        cv2.circle(image, (round(x), round(y)), round(own), pick_colour(rng, WIRES), -1, cv2.LINE_AA)
        for offset in strands[np.hypot(strands[:, 0], strands[:, 1]) * step < own * 0.6] * step:
            tone = uniform(rng, 0.7, 1.2)
            place = (round(x + float(offset[0])), round(y + float(offset[1])))
            lit = (copper[0] * tone, copper[1] * tone, copper[2] * tone)
            cv2.circle(image, place, max(1, round(step * 0.46)), lit, -1, cv2.LINE_AA)
        wire = np.zeros((size, size), dtype=np.uint8)
        cv2.circle(wire, (round(x), round(y)), round(own), 1, -1)
        parts.append(wire > 0)
    image += (0.025 * grain(rng, size))[:, :, None]
    return finish(image, cover, np.asarray(empty, dtype=np.float32), parts=parts)


def screw(rng: np.random.Generator, size: int) -> Canvas:
    """A screw seen from the side: head, neck and thread."""
    x, y = pixel_grid(size)
    colour = pick_colour(rng, ALLOYS)
    ground = table(rng, size, colour)
    neck, pitch = uniform(rng, 0.05, 0.11) * size, uniform(rng, 6, 14)
    top, head = uniform(rng, 0.06, 0.12) * size, uniform(rng, 0.1, 0.18) * size
    thread, end = top + head + uniform(rng, 0.1, 0.35) * size, uniform(rng, 0.85, 0.95) * size
    aside = x - np.float32(size / 2)
    phase = (y + np.float32(0.35) * aside) / np.float32(pitch)
    ridge = np.abs(phase % 1 - 0.5) * 2
    half = np.full((size, size), neck, dtype=np.float32)
    half += np.where(y > thread, (ridge - 0.3) * np.float32(0.35 * neck), 0).astype(np.float32)
    if chance(rng, 0.5):
        half += np.clip(1 - (y - top) / head, 0, 1) * np.float32(neck * 1.3)
    else:
        half += (y < top + head) * np.float32(neck * uniform(rng, 0.7, 1.2))
    half *= np.clip((end - y) / (0.08 * size), 0, 1)
    signed = np.minimum(half - 1 - np.abs(aside), y - np.float32(top)).astype(np.float32)
    round_off = aside / np.maximum(half, 1)
    shade = 0.3 * np.cos(1.4 * (round_off - uniform(rng, -0.5, 0.5))) - 0.25 + 0.04 * smooth_noise(rng, size, 2, 20)
    shade += np.where(y > thread, uniform(rng, 0.15, 0.4) * (ridge - 0.5), 0) + 0.02 * grain(rng, size)
    cover = cover_of(signed)
    return finish(mix(ground, tint(colour, np.asarray(shade, dtype=np.float32)), cover), cover, ground)


def zipper(rng: np.random.Generator, size: int) -> Canvas:
    """Two bands of cloth and the teeth that hold them together."""
    x, y = pixel_grid(size)
    cloth = pick_colour(rng, DYES)
    rib = np.sin(2 * np.pi * (x + np.where(x > size / 2, y, -y)) / np.float32(uniform(rng, 4, 8)))
    shade = 0.1 * rib + 0.05 * grain(rng, size) + unevenness(rng, size, 0.03)
    behind = tint(cloth, np.asarray(shade, dtype=np.float32))
    level = uniform(rng, 0.06, 0.3) if float(np.mean(cloth)) > 0.4 else uniform(rng, 0.55, 0.85)
    metal = grey(rng, level, level + 0.05)
    reach, pitch = uniform(rng, 0.08, 0.15) * size, uniform(rng, 10, 20)
    behind = mix(behind, tint(metal, np.full((size, size), -0.6, dtype=np.float32)), cover_of(2 - np.abs(x - size / 2)))
    image, offset, lone = behind.copy(), uniform(rng, 0, pitch), list[Mask]()
    teeth = np.zeros((size, size), dtype=np.uint8)
    for number in range(int((size + offset) / pitch) * 2 + 2):
        side = -1 if number % 2 else 1
        place = number * pitch / 2 - offset
        tooth = np.zeros((size, size), dtype=np.uint8)
        tip, root = size / 2 - side * 0.25 * reach, size / 2 + side * reach
        corners = [(tip, place), (tip, place + 0.42 * pitch), (root, place + 0.55 * pitch), (root, place - 0.1 * pitch)]
        cv2.fillPoly(tooth, [np.round(np.asarray(corners) * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
        teeth = np.maximum(teeth, tooth)
        if 0.1 * size < place < 0.9 * size:
            lone.append(tooth > 127)
    cover = teeth.astype(np.float32) / np.float32(255)
    gloss = uniform(rng, 0.3, 0.8) * relief(cv2.GaussianBlur(cover, (0, 0), 1.5), 1.2) + 0.03 * grain(rng, size)
    image = mix(image, tint(metal, np.asarray(gloss, dtype=np.float32)), cover)
    return Canvas(np.asarray(image, dtype=np.float32), parts=lone, behind=behind)


SURFACES: dict[str, Surface] = {
    "tablets": Surface(tablets, ("pill", "tablet", "tablets", "pills"), LOW_FAULTS, can_be_part=False),
    "capsules": Surface(capsules, ("capsule", "capsules", "medicine capsule"), LOW_FAULTS, can_be_part=False),
    "nuts": Surface(nuts, ("metal nut", "washer", "nuts", "ring"), LOW_FAULTS, can_be_part=False),
    "bottle": Surface(bottle, ("bottle", "glass bottle", "bottle bottom"), LOW_FAULTS, can_be_part=False),
    "cable": Surface(cable, ("cable", "cable cross-section", "wires"), LOW_FAULTS | {"hole"}, can_be_part=False),
    "screw": Surface(screw, ("screw", "bolt", "fastener"), LOW_FAULTS, can_be_part=False),
    "zipper": Surface(zipper, ("zipper", "zip", "row of teeth"), LOW_FAULTS, can_be_part=False),
}
