"""Scenes must be reproducible, and their masks must lie where the picture changed."""

from __future__ import annotations

import numpy as np
import pytest

from nand_tiny.canvas import Canvas
from nand_tiny.defects import DEFECTS, KINDS
from nand_tiny.lookalikes import LOOK_ALIKES
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
    assert len(SURFACES) >= 45
    assert {"twill", "speckled tile", "nuts"} <= set(TEST_SURFACES)
    assert not set(TEST_SURFACES) & set(TRAIN_SURFACES)


@pytest.mark.parametrize("name", list(SURFACES))
def test_surface_is_a_picture(name: str) -> None:
    image = SURFACES[name].render(np.random.default_rng(2), 120).image
    assert image.shape == (120, 120, 3)
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert 0.0 < image.mean() < 1.0
    assert set(SURFACES[name].unsuitable) <= set(KINDS)


def test_yarns_are_at_fault_on_fabrics_only() -> None:
    found = {
        scene.surface
        for scene in (make_scene(2, index, size=96, kinds=["weave fault"]) for index in range(150))
        if scene.masks
    }
    assert found
    assert all(SURFACES[name].render(np.random.default_rng(0), 96).yarn is not None for name in found)


@pytest.mark.parametrize("name", ["tablets", "cable", "zipper", "bare board"])
def test_a_missing_part_is_one_of_the_object(name: str) -> None:
    for index in range(20):
        rng = np.random.default_rng((3, index))
        canvas = SURFACES[name].render(rng, 160)
        if canvas.parts:
            break
    assert canvas.behind is not None
    mask = DEFECTS["missing part"].draw(rng, canvas)
    shown = np.abs(canvas.image - canvas.behind).mean(axis=2)
    assert mask.any()
    assert not (mask & ~np.any(canvas.parts, axis=0)).any()
    assert shown[mask].mean() < 0.05


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_look_alike_shows_where_it_may_and_keeps_off_what_it_would_hide(name: str) -> None:
    look = LOOK_ALIKES[name]
    changes = []
    for index, surface in enumerate(TRAIN_SURFACES):
        canvas = SURFACES[surface].render(np.random.default_rng(index), 96)
        if look.suits(canvas):
            before = canvas.image.copy()
            look.draw(np.random.default_rng(index), canvas)
            changes.append(float(np.abs(canvas.image - before).max()))
    assert len(changes) >= 5
    assert np.median(changes) > 0.03
    assert look.hides <= set(KINDS)


def test_look_alikes_change_what_lies_beneath_lines_too() -> None:
    canvas = SURFACES["printed sheet"].render(np.random.default_rng(0), 96)
    assert canvas.lines is not None
    assert canvas.lines.ground is not None
    before = canvas.lines.ground.copy()
    LOOK_ALIKES["vignette"].draw(np.random.default_rng(0), canvas)
    assert canvas.lines.ground[2, 2].mean() < 0.9 * before[2, 2].mean()


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
