"""Contact sheet of training scenes with the outlines and names of their defects."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .defects import KINDS
from .scene import Scene, make_scene
from .surfaces import SURFACES, TRAIN_SURFACES

OUTLINES = ((255, 60, 60), (60, 220, 60), (80, 140, 255))


def label(scene: Scene) -> NDArray[np.uint8]:
    """Return the picture beside itself with outlined masks and their names."""
    marked = scene.image.copy()
    for number, (kind, mask) in enumerate(scene.masks.items()):
        around = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), dtype=np.uint8))
        contours, _ = cv2.findContours(around, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(marked, contours, -1, OUTLINES[number % 3], 1)
        cv2.putText(marked, kind, (4, 14 + 15 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(
            marked, kind, (4, 14 + 15 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.5, OUTLINES[number % 3], 1, cv2.LINE_AA
        )
    return np.asarray(np.hstack([scene.image, marked]), dtype=np.uint8)


def contact_sheet(scenes: list[Scene], columns: int = 4) -> NDArray[np.uint8]:
    """Arrange scenes in rows."""
    tiles = [label(scene) for scene in scenes]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


def main() -> None:
    """Write the sheet that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=240)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--surfaces", nargs="*", default=list(TRAIN_SURFACES), choices=list(SURFACES))
    options = parser.parse_args()
    scenes = [
        make_scene(options.seed, index, size=options.size, surfaces=options.surfaces, kinds=options.kinds)
        for index in range(options.count)
    ]
    sheet = contact_sheet(scenes)
    if not cv2.imwrite(str(options.output), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise SystemExit(f"cannot write {options.output}")


if __name__ == "__main__":
    main()
