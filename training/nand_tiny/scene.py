"""One training picture: a surface, up to three defects with their masks, photographed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask
from .defects import DEFECTS, KINDS
from .defects.prints import print_lines
from .framing import cut_out
from .lookalikes import add_look_alike
from .noise import chance
from .photograph import photograph
from .surfaces import SURFACES, TRAIN_SURFACES

COUNT_SHARES = (0.15, 0.50, 0.25, 0.10)  # of scenes with 0, 1, 2 and 3 defects
PART_SHARE = 0.2  # of surfaces that are cut out to a part
LOOK_ALIKE_SHARE = 0.4  # of scenes with an ordinary structure that resembles a defect
HARMLESS_PRINT_SHARE = 0.06  # of plain surfaces that carry printed lines, so that lines alone mean nothing
SMALLEST_MASK = 6  # pixels of a 240 pixel picture; anything smaller is not worth naming


@dataclass(frozen=True)
class Scene:
    """A finished picture and where each kind of defect shows in it."""

    image: NDArray[np.uint8]
    masks: dict[str, NDArray[np.bool_]]
    surface: str


def choose_kinds(rng: np.random.Generator, canvas: Canvas, kinds: Sequence[str]) -> list[str]:
    """Draw which defects the scene gets: different ones, the important ones more often."""
    suitable = [kind for kind in kinds if DEFECTS[kind].suits(canvas)]
    count = min(int(rng.choice(len(COUNT_SHARES), p=COUNT_SHARES)), len(suitable))
    if count == 0:
        return []
    weights = np.asarray([DEFECTS[kind].weight for kind in suitable])
    chosen = rng.choice(len(suitable), size=count, replace=False, p=weights / weights.sum())
    names = [suitable[int(i)] for i in chosen]
    # Broken and bent lines may have to print lines first, which must not cover other defects.
    return sorted(names, key=lambda kind: kind not in ("broken line", "bent"))


def damage(rng: np.random.Generator, canvas: Canvas, kind: str, masks: dict[str, Mask]) -> None:
    """Add one defect and note what it covers."""
    mask = DEFECTS[kind].draw(rng, canvas)
    if int(mask.sum()) < SMALLEST_MASK:
        return
    masks[kind] = mask
    reach = max(3, canvas.size // 16)
    near = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), dtype=np.uint8))
    canvas.taken |= near > 0


def make_scene(
    seed: int,
    index: int,
    *,
    size: int = 240,
    surfaces: Sequence[str] = TRAIN_SURFACES,
    kinds: Sequence[str] = KINDS,
) -> Scene:
    """Return the scene that belongs to (seed, index); equal arguments give equal scenes."""
    rng = np.random.default_rng((seed, index))
    name = surfaces[int(rng.integers(len(surfaces)))]
    surface = SURFACES[name]
    canvas = surface.render(rng, size)
    if surface.can_be_part and chance(rng, PART_SHARE):
        cut_out(rng, canvas)
    if canvas.lines is None and chance(rng, HARMLESS_PRINT_SHARE):
        print_lines(rng, canvas)
    hidden = surface.unsuitable
    if chance(rng, LOOK_ALIKE_SHARE):
        hidden = hidden | add_look_alike(rng, canvas)
    masks: dict[str, Mask] = {}
    for kind in choose_kinds(rng, canvas, [kind for kind in kinds if kind not in hidden]):
        damage(rng, canvas, kind, masks)
    pixels, seen = photograph(rng, canvas.image, masks)
    kept = {kind: mask for kind, mask in seen.items() if int(mask.sum()) >= SMALLEST_MASK}
    return Scene(pixels, kept, name)
