"""What one step sees: frames and masks at the CLIP's size, some of them 2 x 2 mosaics, the same in every run."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.training.frames import TrainingFrames, read_masked
from nand_edge_export.training.recipe import Recipe

Picture = tuple[NDArray[np.uint8], NDArray[np.bool_]]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Images float32 [N, 3, S, S], masks float32 [N, S, S], and numbers of the classes int64 [N]."""


class Pictures(Dataset[tuple[torch.Tensor, torch.Tensor, int]]):
    """The picture that stands for (epoch, frame); equal arguments give equal pictures, whatever was drawn before."""

    def __init__(self, frames: TrainingFrames, preprocessing: Preprocessing, recipe: Recipe) -> None:
        self._frames, self._preprocessing, self._recipe = frames, preprocessing, recipe

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor, int]:
        epoch, number = key
        place = self._frames.classes[number]
        generator = np.random.default_rng((self._recipe.seed, epoch, number))
        if generator.random() < self._recipe.mosaics:
            image, mask = mosaic([read_masked(frame) for frame in self._four(place, generator)])
        else:
            image, mask = read_masked(self._frames.frames[number])
        return self._preprocessing.prepare(image[np.newaxis])[0], shrunk(mask, self._preprocessing.size), place

    def _four(self, place: int, generator: np.random.Generator) -> list[LabelledFrame]:
        """Four frames of a class: for each a kind of defect or `good`, then one of its frames."""
        own = [frame for frame, other in zip(self._frames.frames, self._frames.classes, strict=True) if other == place]
        labels = sorted({frame.label for frame in own})
        chosen = []
        for _ in range(4):
            label = labels[int(generator.integers(len(labels)))]
            same = [frame for frame in own if frame.label == label]
            chosen.append(same[int(generator.integers(len(same)))])
        return chosen


def mosaic(four: list[Picture]) -> Picture:
    """Four pictures as 2 x 2, each at the first one's size."""
    height, width = four[0][1].shape
    images = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image, _ in four]
    masks = [cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) for _, mask in four]
    together, covered = (
        np.concatenate([np.concatenate(parts[:2], axis=1), np.concatenate(parts[2:], axis=1)])
        for parts in (images, masks)
    )
    return np.asarray(together, np.uint8), covered > 0


def shrunk(mask: NDArray[np.bool_], size: int) -> torch.Tensor:
    """A mask at the CLIP's size, float32 [size, size] of 0 and 1: bilinear as the image shrinks, then halved."""
    grey = Image.fromarray(mask.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy((np.asarray(grey) > 127).astype(np.float32))


def steps_an_epoch(frames: TrainingFrames, recipe: Recipe) -> int:
    """Steps in which every frame is seen once; the last one may have fewer frames."""
    return -(-len(frames.frames) // recipe.batch)


def batches(
    frames: TrainingFrames, preprocessing: Preprocessing, recipe: Recipe, *, first: int, workers: int
) -> Iterator[Batch]:
    """The batches from step `first` to the end, each epoch in an order of its own.

    Args:
        frames: The frames, all of them whole.
        preprocessing: Of the CLIP.
        recipe: Epochs, batch, mosaics and seed.
        first: Number of the first step, counted from 0.
        workers: Processes that read and shrink images; 0 does it in this one.
    """
    keys = [keys for epoch in range(recipe.epochs) for keys in _epoch(len(frames.frames), epoch, recipe)]
    loader = DataLoader(
        Pictures(frames, preprocessing, recipe), batch_sampler=keys[first:], num_workers=workers, collate_fn=_collate
    )
    return iter(loader)


def _epoch(count: int, epoch: int, recipe: Recipe) -> list[list[tuple[int, int]]]:
    """The epoch's batches of (epoch, frame)."""
    order = np.random.default_rng((recipe.seed, epoch)).permutation(count)
    starts = range(0, count, recipe.batch)
    return [[(epoch, int(number)) for number in order[start : start + recipe.batch]] for start in starts]


def _collate(pictures: list[tuple[torch.Tensor, torch.Tensor, int]]) -> Batch:
    images, masks, places = zip(*pictures, strict=True)
    return torch.stack(images), torch.stack(masks), torch.tensor(places)
