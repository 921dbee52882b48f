"""A method without a toolkit: a base detector and a normality detection as two models of PyTorch, each complete."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from nand_benchmarks.frames import Frame, opencv_resize
from nand_benchmarks.subjects import Parts
from nand_edge_export.detectors import Detector
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.reference import Resize

MAP_SIZE = 256


class BaseModel(nn.Module):
    """The base detector from its image, with an encoder pass of its own where it reads the CLIP's tokens."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.detector: Detector = parts.detector
        self.encoder = parts.encoder if parts.detector.preprocessing is None else None

    @property
    def preprocessing(self) -> Preprocessing:
        """What makes its image of a frame."""
        own = self.detector.preprocessing
        if own is not None:
            return own
        if self.encoder is None:
            raise ValueError("a detector without an image of its own reads an encoder")
        return self.encoder.preprocessing

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Image float32 [N, 3, S, S] to base maps float32 [N, M, M]."""
        if self.encoder is None:
            maps: torch.Tensor = self.detector(image)
            return maps
        return self.detector(*self.encoder.read(image, self.detector.reads).values())  # type: ignore[no-any-return]


class NormalityModel(nn.Module):
    """The normality detection from its image, with one normality in the paper's form (NAND, Eq. 2 to 4)."""

    text: torch.Tensor

    def __init__(self, parts: Parts, logit_scale: float) -> None:
        super().__init__()
        self.encoder = parts.encoder
        self.logit_scale = logit_scale
        self.register_buffer("text", torch.from_numpy(np.array(parts.normality.features[0, :, 0])))

    @property
    def preprocessing(self) -> Preprocessing:
        """What makes its image of a frame."""
        return self.encoder.preprocessing

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Image float32 [N, 3, S, S] to suppression maps float32 [N, M, M]."""
        maps = []
        for tokens, (rows, columns) in zip(self.encoder(image), self.encoder.grids, strict=True):
            logits = (self.logit_scale * tokens @ self.text.T).transpose(1, 2).unflatten(2, (rows, columns))
            logits = functional.interpolate(logits, size=MAP_SIZE, mode="bilinear", align_corners=True)
            maps.append(logits.softmax(dim=1)[:, 1])
        return torch.stack(maps).mean(dim=0)


class TwoModels:
    """Both models on a frame, each with its own resize by OpenCV, then Eq. 6 of NAND.

    Args:
        parts: The subject's modules.
        logit_scale: Factor of the cosine; None for the one of the projections.
        compiled: Whether `torch.compile` compiles both.
    """

    def __init__(self, parts: Parts, logit_scale: float | None, *, compiled: bool = False) -> None:
        scale = parts.encoder.projections.logit_scale if logit_scale is None else logit_scale
        models = (BaseModel(parts).eval(), NormalityModel(parts, scale).eval())
        self._preprocessing = [model.preprocessing for model in models]
        self._models: list[Any] = [torch.compile(model) if compiled else model for model in models]

    @torch.inference_mode()
    def __call__(self, frame: Frame, resize: Resize = opencv_resize) -> NDArray[np.float32]:
        """Final map, float32 [M, M], of a frame uint8 [H, W, 3] BGR."""
        base, suppression = (
            model(preprocessing.normalise(resize(frame[None], preprocessing)))[0].numpy()
            for model, preprocessing in zip(self._models, self._preprocessing, strict=True)
        )
        final: NDArray[np.float32] = base * (1 - suppression)
        return final
