"""Making a zero-shot APRIL-GAN detector: nothing is fitted, two ensembles of prompts are embedded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.method import Fitted, Frame
from nand_edge_export.detectors.protocol import Progress, no_progress


@dataclass(frozen=True)
class AprilGanMethod:
    """Makes APRIL-GAN for one object.

    Attributes:
        object_name: What is inspected ("solar cell").
        clip: `nand-tiny`, `MODEL:TAG`, `MODEL:FILE` or `MODEL:random`, see `load_clip`.
        projection: File of the projections, `random`, or None for those that come with the CLIP.
        taps: Blocks or stages, counted from 1; None for the usual ones.
        image_size: Side of the CLIP's image, pixels; None for the size that it was trained with.
    """

    object_name: str
    clip: str = NAND_TINY
    projection: str | None = None
    taps: tuple[int, ...] | None = None
    image_size: int | None = None

    learns: ClassVar[bool] = False

    def fit(self, frames: Sequence[Path] = (), *, seed: int = 0, progress: Progress = no_progress) -> Fitted:
        """Embed the prompts of the flawless and of the damaged object.

        Raises:
            NandEdgeError: The CLIP or its projections cannot be had, or the object's name is blank.
        """
        del frames
        prompts = april_gan_normal(self.object_name), april_gan_abnormal(self.object_name)
        progress("CLIP", 0, 2)
        clip = load_clip(self.clip, image_size=self.image_size, seed=seed)
        encoder = ClipEncoder(clip, taps=self.taps, projection=self.projection)
        progress("CLIP", 1, 2)
        text_features = np.stack([clip.text_features(ensemble) for ensemble in prompts])
        progress("CLIP", 2, 2)
        detector = AprilGan(
            torch.from_numpy(text_features),
            encoder.grids,
            clip_name=clip.name,
            clip_sha256=clip.sha256,
            projection_sha256=encoder.projections.source.sha256,
            input_size=clip.preprocessing.size,
            object_name=self.object_name,
            weights=clip.weights,
        ).eval()

        def base_map(frame: Frame) -> torch.Tensor:
            return detector.forward(*encoder(clip.preprocessing.prepare(frame[np.newaxis])))[0]

        return Fitted(detector, base_map)
