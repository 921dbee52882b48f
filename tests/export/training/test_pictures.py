from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import torch

from nand_edge_export.clip import Clip
from nand_edge_export.training.frames import TrainingFrames, read_masked
from nand_edge_export.training.pictures import Pictures, batches, mosaic, shrunk, steps_an_epoch
from nand_edge_export.training.recipe import Recipe, recipe_for


def test_the_numbers_are_the_official_releases() -> None:
    mvtec, visa = recipe_for("mvtec"), recipe_for("visa")
    assert (mvtec.epochs, mvtec.mosaics) == (3, 0.2)
    assert (visa.epochs, visa.mosaics) == (15, 0.0)
    assert (mvtec.learning_rate, mvtec.betas, mvtec.batch, mvtec.logit_scale) == (1e-3, (0.5, 0.999), 8, 100.0)


def test_a_picture_is_the_frame_as_the_encoder_wants_it_with_its_mask(frames: TrainingFrames, small_clip: Clip) -> None:
    number = next(place for place, frame in enumerate(frames.frames) if frame.kinds)
    pictures = Pictures(frames, small_clip.preprocessing, Recipe(mosaics=0.0))
    image, mask, place = pictures[0, number]
    pixels, covered = read_masked(frames.frames[number])
    torch.testing.assert_close(image, small_clip.preprocessing.prepare(pixels[np.newaxis])[0])
    assert mask.sum() == covered.sum() > 0
    assert place == frames.classes[number]


def test_mosaics_come_at_their_share_and_are_the_same_each_time(frames: TrainingFrames, small_clip: Clip) -> None:
    plain, half, again = (
        Pictures(frames, small_clip.preprocessing, Recipe(mosaics=share)) for share in (0.0, 0.5, 0.5)
    )
    keys = [(epoch, number) for epoch in range(2) for number in range(len(frames.frames))]
    different = [not torch.equal(plain[key][0], half[key][0]) for key in keys]
    assert 0.3 < np.mean(different) < 0.7
    assert all(torch.equal(again[key][1], half[key][1]) for key in keys)
    assert not torch.equal(half[keys[different.index(True)]][0], plain[keys[different.index(True)]][0])


def test_a_mosaic_has_four_pictures_at_the_first_ones_size() -> None:
    four = [
        (np.full((6, 8 + place, 3), 60 * place, np.uint8), np.full((6, 8 + place), place == 3)) for place in range(4)
    ]
    image, mask = mosaic(four)
    assert image.shape == (12, 16, 3)
    assert [int(image[row, column, 0]) for row, column in ((0, 0), (0, 15), (11, 0), (11, 15))] == [0, 60, 120, 180]
    assert mask[6:, 8:].all()
    assert mask.sum() == 6 * 8


def test_a_mask_shrinks_with_its_image() -> None:
    mask = np.zeros((100, 200), np.bool_)
    mask[50:, 100:] = True
    assert shrunk(mask, 10).tolist() == [[0.0] * 10] * 5 + [[0.0] * 5 + [1.0] * 5] * 5


def test_every_epoch_shows_every_frame_once_in_its_own_order_from_any_step_on(
    frames: TrainingFrames, small_clip: Clip
) -> None:
    recipe = Recipe(epochs=2, batch=5, mosaics=0.0)
    steps = steps_an_epoch(frames, recipe)
    assert steps == 7
    whole = list(batches(frames, small_clip.preprocessing, recipe, first=0, workers=0))
    assert len(whole) == 2 * steps
    first, second = (
        torch.cat([masks.flatten(1).sum(dim=1) for _, masks, _ in part]) for part in (whole[:7], whole[7:])
    )
    assert sorted(first.tolist()) == sorted(second.tolist())
    assert first.tolist() != second.tolist()
    later = next(batches(frames, small_clip.preprocessing, recipe, first=9, workers=0))
    torch.testing.assert_close(later[0], whole[9][0])


def test_other_processes_read_the_same_pictures(frames: TrainingFrames, small_clip: Clip) -> None:
    recipe = replace(Recipe(), mosaics=0.5)
    here, beside = (
        list(islice(batches(frames, small_clip.preprocessing, recipe, first=0, workers=workers), 2))
        for workers in (0, 1)
    )
    for ours, theirs in zip(here, beside, strict=True):
        torch.testing.assert_close(ours[0], theirs[0])
