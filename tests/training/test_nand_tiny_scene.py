"""Scenes must be reproducible, and their masks must lie where the picture changed."""

from __future__ import annotations

import numpy as np
import pytest

from nand_tiny.canvas import Canvas
from nand_tiny.defects import DEFECTS, KINDS
from nand_tiny.scene import make_scene
from nand_tiny.surfaces import SURFACES, TEST_SURFACES, TRAIN_SURFACES


def test_scene_depends_on_seed_and_index_only() -> None:
    first, again, other = make_scene(5, 3), make_scene(5, 3), make_scene(5, 4)
    assert np.array_equal(first.image, again.image)
    assert first.masks.keys() == again.masks.keys()
    assert all(np.array_equal(first.masks[kind], again.masks[kind]) for kind in first.masks)
    assert not np.array_equal(first.image, other.image)


def test_scene_shape_and_choice() -> None:
    counts = []
    for index in range(60):
        scene = make_scene(1, index, size=96)
        assert scene.image.shape == (96, 96, 3)
        assert scene.image.dtype == np.uint8
        assert scene.surface in TRAIN_SURFACES
        assert all(mask.shape == (96, 96) and mask.dtype == np.bool_ and mask.any() for mask in scene.masks.values())
        counts.append(len(scene.masks))
    assert set(counts) == {0, 1, 2, 3}


def test_test_surfaces_are_kept_apart() -> None:
    assert len(TEST_SURFACES) >= 4
    assert len(SURFACES) >= 20
    assert not set(TEST_SURFACES) & set(TRAIN_SURFACES)


@pytest.mark.parametrize("name", list(SURFACES))
def test_surface_is_a_picture(name: str) -> None:
    image = SURFACES[name].render(np.random.default_rng(2), 120).image
    assert image.shape == (120, 120, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert 0.0 < image.mean() < 1.0
    assert set(SURFACES[name].unsuitable) <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_mask_covers_most_of_the_change(kind: str) -> None:
    inside, outside = [], []
    for index in range(12):
        rng = np.random.default_rng((7, index))
        canvas: Canvas = SURFACES["cell with thin bars"].render(rng, 160)
        if kind in ("broken line", "bent"):
            canvas = SURFACES["printed sheet"].render(rng, 160)
        before = canvas.image.copy()
        mask = DEFECTS[kind].draw(rng, canvas)
        change = np.abs(canvas.image - before).mean(axis=2)
        if mask.any():
            inside.append(float(change[mask].mean()))
            outside.append(float(change[~mask].mean()))
    assert len(inside) >= 9
    assert np.mean(inside) > 0.03
    assert np.mean(inside) > 8 * np.mean(outside)
