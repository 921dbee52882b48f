"""Making a WinCLIP detector: two ensembles of prompts, and what the reference frames show if there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from nand_edge.images import read_frame
from nand_edge.prompts import winclip_anomalous, winclip_normal
from nand_edge_export.clip import Clip, load_clip
from nand_edge_export.clip.loading import has_quick_gelu
from nand_edge_export.clip.tower import EMBEDDING, ImageTower, image_tower
from nand_edge_export.detectors.method import Fitted, Frame
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.detectors.shots import Shots
from nand_edge_export.detectors.winclip import WinClip, winclip_reads

DEFAULT_CLIP = "ViT-B-16-plus-240:laion400m_e31"


@dataclass(frozen=True)
class WinClipMethod:
    """Makes WinCLIP for one object.

    Attributes:
        object_name: What is inspected ("solar cell").
        shots: Reference frames; none by default, and then no frames are needed.
        clip: `MODEL:TAG`, `MODEL:FILE` or `MODEL:random`, see `load_clip`; a vision transformer.
        image_size: Side of the CLIP's image, pixels; None for the size that it was trained with.
    """

    object_name: str
    shots: Shots = field(default_factory=Shots)
    clip: str = DEFAULT_CLIP
    image_size: int | None = None

    @property
    def learns(self) -> bool:
        """Whether the references are drawn from the good frames."""
        return self.shots.count > 0

    def fit(self, frames: Sequence[Path] = (), *, seed: int = 0, progress: Progress = no_progress) -> Fitted:
        """Embed the prompts of the flawless and of the damaged object, and what the reference frames show.

        Raises:
            NandEdgeError: The CLIP cannot be had or is no vision transformer, the object's name is blank, or reference
                frames are too few or cannot be read.
        """
        chosen = self.shots.choose(frames, seed=seed)
        prompts = winclip_normal(self.object_name), winclip_anomalous(self.object_name)
        progress("CLIP", 0, 2)
        clip = load_clip(self.clip, image_size=self.image_size, seed=seed)
        tower = image_tower(clip.name, clip.model.visual)
        grid = tower.grid(clip.preprocessing.size)
        progress("CLIP", 1, 2)
        text_features = np.stack([clip.text_features(ensemble) for ensemble in prompts])
        progress("CLIP", 2, 2)
        detector = WinClip(
            torch.from_numpy(text_features),
            {
                "clip": clip.name,
                "clip_sha256": clip.sha256,
                "input_size": clip.preprocessing.size,
                "quick_gelu": has_quick_gelu(tower),
            },
            grid,
            object_name=self.object_name,
            weights=clip.weights,
            references=_references(chosen, clip, tower, progress),
            shots=len(chosen),
            tower=tower,
            preprocessing=clip.preprocessing,
        ).eval()

        def base_map(frame: Frame) -> torch.Tensor:
            return detector.forward(clip.preprocessing.prepare(frame[np.newaxis]))[0]

        return Fitted(detector, base_map, chosen)


def _references(chosen: Sequence[Path], clip: Clip, tower: ImageTower, progress: Progress) -> dict[str, torch.Tensor]:
    """Unit vectors of the windows and patches of the reference frames, float32 [count, C]; empty without any."""
    names = [name for name in winclip_reads(shots=len(chosen)) if name != EMBEDDING]
    vectors: dict[str, list[torch.Tensor]] = {name: [] for name in names}
    for number, path in enumerate(chosen, start=1):
        with torch.no_grad():
            read = tower.read(clip.preprocessing.prepare(read_frame(path)[np.newaxis]), names)
        for name, found in read.items():
            vectors[name].append(torch.nn.functional.normalize(found[0], dim=-1))
        progress("references", number, len(chosen))
    return {name: torch.cat(vectors[name]) for name in names} if chosen else {}
