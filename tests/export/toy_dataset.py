"""A data set of woven surfaces with drawn defects, in MVTec AD's layout."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 96


def textile(seed: int) -> NDArray[np.uint8]:
    """A woven surface, uint8 [96, 96, 3], as the detector's good frames are."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] + generator.uniform(0, 8, (2, 1, 1))
    weave = 128 + 40 * np.sin(rows * 0.8) + 40 * np.sin(columns * 0.8) + generator.normal(0, 4, (SIDE, SIDE))
    return np.dstack([np.clip(weave, 0, 255).astype(np.uint8)] * 3)


def draw(seed: int, kind: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A frame with a defect and the defect's mask."""
    frame, mask = textile(seed), np.zeros((SIDE, SIDE), np.uint8)
    row, column = np.random.default_rng(seed).integers(20, 60, 2)
    if kind == "hole":
        mask[row : row + 14, column : column + 14] = 255
        frame[mask > 0] = 0
    else:
        cv2.line(mask, (int(column), 5), (int(row), 90), 255, 3)
        frame[mask > 0] = 250
    return frame, mask


def write_class(root: Path, *, of_each: int = 4, good: int = 12) -> Path:
    """Write a class in MVTec AD's layout."""
    for folder in ("train/good", "test/good", "test/hole", "test/thread", "ground_truth/hole", "ground_truth/thread"):
        (root / folder).mkdir(parents=True)
    for seed in range(good):
        cv2.imwrite(str(root / f"train/good/{seed:03}.png"), textile(seed))
    for number in range(of_each):
        cv2.imwrite(str(root / f"test/good/{number:03}.png"), textile(200 + number))
        for base, kind in ((300, "hole"), (400, "thread")):
            frame, mask = draw(base + number, kind)
            cv2.imwrite(str(root / f"test/{kind}/{number:03}.png"), frame)
            cv2.imwrite(str(root / f"ground_truth/{kind}/{number:03}_mask.png"), mask)
    return root
