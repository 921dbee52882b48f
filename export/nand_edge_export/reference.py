"""The method in torch and numpy, step by step: the reference that every engine is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge.signature import ANOMALY_MAP, BASE_MAP, BASE_SCORE, SCORE, SUPPRESSION_MAP
from nand_edge.suppression import NormalityTensors, normality_map, score, suppress
from nand_edge_export.clip import ClipEncoder
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.preprocessing import Preprocessing

Resize = Callable[[NDArray[np.uint8], Preprocessing], NDArray[np.uint8]]


def pillow_resize(frames: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The resize that all others are compared with."""
    return preprocessing.resize(frames)


@dataclass(frozen=True)
class Reference:
    """Base detector and normality detection as two eager networks with Pillow's resize before each.

    Attributes:
        detector: The base detector.
        encoder: The CLIP encoder with its projections.
        logit_scale: Factor of the cosine.
    """

    detector: Detector
    encoder: ClipEncoder
    logit_scale: float

    @torch.inference_mode()
    def run(
        self,
        frames: NDArray[np.uint8],
        normalities: NormalityTensors,
        *,
        region: NDArray[np.float32] | None = None,
        resize: Resize = pillow_resize,
    ) -> dict[str, NDArray[np.float32]]:
        """Maps [N, M, M] and scores [N] by the signature's names, the CLIP branch run for every frame.

        Args:
            frames: uint8 [N, H, W, 3] BGR.
            normalities: K normalities for the encoder's taps.
            region: float32 [M, M], 1 where frames are inspected, else 0; None inspects them everywhere.
            resize: Frames and preprocessing to uint8 [N, S, S, 3] RGB.
        """
        clip, own = self.encoder.preprocessing, self.detector.preprocessing
        read = self.encoder.read(clip.normalise(resize(frames, clip)), (*self.detector.reads, *self.encoder.tokens))
        inputs = [read[name] for name in self.detector.reads] if own is None else [own.normalise(resize(frames, own))]
        base = self.detector(*inputs)
        base_map = base.numpy() if region is None else base.numpy() * region
        maps = normality_map(
            [read[tap].numpy() for tap in self.encoder.tokens],
            self.encoder.grids,
            normalities,
            logit_scale=self.logit_scale,
            map_size=self.detector.map_size,
        )
        final, suppression = suppress(base_map, maps)
        return {
            BASE_MAP: base_map,
            SUPPRESSION_MAP: suppression,
            ANOMALY_MAP: final,
            BASE_SCORE: score(base_map),
            SCORE: score(final),
        }
