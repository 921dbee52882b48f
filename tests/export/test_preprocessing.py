from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import normalize

from nand_edge_export.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing


@pytest.mark.parametrize("shape", [(64, 64), (480, 640), (240, 240), (97, 301)])
def test_frames_are_resized_as_pillow_does_it(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = Preprocessing(96, IMAGENET_MEAN, IMAGENET_STD).resize(frame[None])[0]
    expected = Image.fromarray(np.ascontiguousarray(frame[..., ::-1])).resize((96, 96), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_frames_are_normalised_as_torchvision_does_it() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    found = Preprocessing(32, IMAGENET_MEAN, IMAGENET_STD).prepare(frames)
    pixels = torch.from_numpy(frames[..., ::-1].copy()).permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(found, normalize(pixels, list(IMAGENET_MEAN), list(IMAGENET_STD)), atol=1e-5, rtol=0)
