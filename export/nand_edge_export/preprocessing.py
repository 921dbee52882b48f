"""How a frame becomes a network's input: the reference with Pillow that every graph is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resize with Pillow's antialiased bicubic filter, RGB, / 255, minus mean, / standard deviation.

    Attributes:
        size: Height, pixels, and the width of a square.
        mean: Mean of the red, green and blue channel, in 0..1.
        std: Standard deviation of the channels, in 0..1.
        width: Width, pixels, where it is not a square.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    width: int | None = None

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.size, self.width or self.size

    def resize(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resize uint8 [N, H, W, 3] BGR frames to uint8 [N, height, width, 3] RGB."""
        images = (Image.fromarray(np.ascontiguousarray(frame[..., ::-1])) for frame in frames)
        return np.stack([np.asarray(_resize(image, *self.sides)) for image in images])

    def normalise(self, images: NDArray[np.uint8]) -> torch.Tensor:
        """Turn uint8 [N, height, width, 3] RGB images into float32 [N, 3, height, width]."""
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()
        scale, offset = self.scale_and_offset()
        return pixels * torch.from_numpy(scale) + torch.from_numpy(offset)

    def prepare(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        """Turn uint8 [N, H, W, 3] BGR frames into float32 [N, 3, height, width]."""
        return self.normalise(self.resize(frames))

    def scale_and_offset(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Factor and summand, float32 [1, 3, 1, 1], that normalise grey levels 0..255 in one step."""
        mean, std = np.asarray(self.mean, np.float64), np.asarray(self.std, np.float64)
        scale = (1.0 / (255.0 * std)).astype(np.float32).reshape(1, 3, 1, 1)
        offset = (-mean / std).astype(np.float32).reshape(1, 3, 1, 1)
        return scale, offset


def _resize(image: Image.Image, height: int, width: int) -> Image.Image:
    """Both passes in the order of Pillow 13, rows first for tall images; older versions have another order.

    The order matters by some grey levels on fine textures, since each pass ends in whole levels.
    """
    rows_first = image.height - height > max(0, 2 * (image.width - width))
    first = (image.width, height) if rows_first else (width, image.height)
    return image.resize(first, Image.Resampling.BICUBIC).resize((width, height), Image.Resampling.BICUBIC)
