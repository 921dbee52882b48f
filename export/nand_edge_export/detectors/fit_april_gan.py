"""Making an APRIL-GAN detector: two ensembles of prompts, and the patches of the reference frames if there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from nand_edge.images import read_frame
from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip, trained_image_size
from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.method import Fitted, Frame
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.detectors.shots import Shots


@dataclass(frozen=True)
class AprilGanMethod:
    """Makes APRIL-GAN for one object.

    Attributes:
        object_name: What is inspected ("solar cell").
        shots: Reference frames for the memory; none by default, and then no frames are needed.
        clip: `nand-tiny`, `MODEL:TAG`, `MODEL:FILE` or `MODEL:random`, see `load_clip`.
        projection: File of the projections, `random`, or None for those that come with the CLIP.
        taps: Blocks or stages, counted from 1; None for the usual ones.
        image_size: Side of the CLIP's image, pixels; None for the one that the projections, else the CLIP, were trained
            with.
    """

    object_name: str
    shots: Shots = field(default_factory=Shots)
    clip: str = NAND_TINY
    projection: str | None = None
    taps: tuple[int, ...] | None = None
    image_size: int | None = None

    @property
    def learns(self) -> bool:
        """Whether the memory is drawn from the good frames."""
        return self.shots.count > 0

    def fit(self, frames: Sequence[Path] = (), *, seed: int = 0, progress: Progress = no_progress) -> Fitted:
        """Embed the prompts of the flawless and of the damaged object, and remember the reference frames' patches.

        Raises:
            NandEdgeError: The CLIP or its projections cannot be had, the object's name is blank, or reference frames
                are too few or cannot be read.
        """
        references = self.shots.choose(frames, seed=seed)
        prompts = april_gan_normal(self.object_name), april_gan_abnormal(self.object_name)
        progress("CLIP", 0, 2)
        size = self.image_size or trained_image_size(self.projection)
        clip = load_clip(self.clip, image_size=size, seed=seed)
        encoder = ClipEncoder(clip, taps=self.taps, projection=self.projection)
        progress("CLIP", 1, 2)
        text_features = np.stack([clip.text_features(ensemble) for ensemble in prompts])
        progress("CLIP", 2, 2)
        detector = AprilGan(
            torch.from_numpy(text_features),
            encoder.identity(),
            object_name=self.object_name,
            weights=clip.weights,
            logit_scale=encoder.projections.logit_scale,
            memory=_memory(references, encoder, progress),
            shots=len(references),
        ).eval()

        def base_map(frame: Frame) -> torch.Tensor:
            read = encoder.read(clip.preprocessing.prepare(frame[np.newaxis]), detector.reads)
            return detector.forward(*read.values())[0]

        return Fitted(detector, base_map, references)


def _memory(references: Sequence[Path], encoder: ClipEncoder, progress: Progress) -> list[torch.Tensor]:
    """For each tap, unit features of all patches of the reference frames, float32 [patches, C]; empty without any."""
    names = [f"features_{tap}" for tap in encoder.taps]
    patches: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    for number, path in enumerate(references, start=1):
        image = encoder.preprocessing.prepare(read_frame(path)[np.newaxis])
        with torch.no_grad():
            for name, features in encoder.read(image, names).items():
                patches[name].append(torch.nn.functional.normalize(features[0].flatten(1).T, dim=-1))
        progress("references", number, len(references))
    return [torch.cat(patches[name]) for name in names] if references else []
