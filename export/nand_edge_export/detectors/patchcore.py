"""PatchCore: a patch is as anomalous as it is far from the nearest patch of good frames (Roth et al., CVPR 2022)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge_export.clip import ClipEncoder
from nand_edge_export.detectors.backbones import Backbone, empty_backbone
from nand_edge_export.detectors.clip_trunk import feature_names
from nand_edge_export.detectors.method import Frame
from nand_edge_export.detectors.protocol import Detector, Settings, setting
from nand_edge_export.detectors.reweighting import NEIGHBOURS, nearest_in_memory, weight
from nand_edge_export.detectors.smoothing import smoothing_matrix
from nand_edge_export.preprocessing import Preprocessing

SIGMA = 4.0
MAXIMUM, REWEIGHTED = "maximum", "reweighted"
IMAGE_SCORES = (MAXIMUM, REWEIGHTED)
_BACKBONE = "backbone."
# A block's distances (1,024 patches x 512, 2 MB) stay in a core's cache until their minimum is taken, and its width is
# whole vectors: a tenth faster than blocks of 1,000 in ONNX Runtime and OpenVINO.
_BLOCK = 512
# Below a hundredth of the features' typical length the matmul form is mostly rounding, which no two engines share.
_FLOOR = 1e-2


def check_image_score(image_score: str, memory_patches: int) -> None:
    """Refuse an unknown image score, or a memory that is too small for it.

    Raises:
        NandEdgeError: It is so.
    """
    if image_score not in IMAGE_SCORES:
        raise NandEdgeError(
            "--image-score", found=repr(image_score), needed=" or ".join(IMAGE_SCORES), do="choose one of them"
        )
    if image_score == REWEIGHTED and memory_patches < NEIGHBOURS:
        raise NandEdgeError(
            "--image-score reweighted",
            found=f"a memory of {memory_patches} patches",
            needed=f"at least the {NEIGHBOURS} neighbours that it compares",
            do="give more frames or a larger --memory-patches, or use --image-score maximum",
        )


@dataclass(frozen=True)
class Unit:
    """What features are measured in.

    Attributes:
        centre: float32 [C], what is subtracted.
        scale: float32 [], what is multiplied by then.
    """

    centre: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, memory: torch.Tensor) -> Unit:
        """Centre a memory [M, C] at its mean, and make 1 of the root mean square of its patches' length there."""
        centre = memory.double().mean(dim=0)
        length = (memory.double() - centre).square().sum(dim=1).mean().sqrt()
        scale = 1.0 / length if length > 0 else torch.ones((), dtype=torch.float64)
        return cls(centre.float(), scale.float())


class PatchFeatures(nn.Module):
    """Features of a frame's patches: 3x3 averages of two stages, the coarser one upsampled, joined.

    The official release goes on and averages pairs of the coarser stage's channels, so that 1,024 numbers remain of a
    wide ResNet's 1,536. That saves memory, not errors: neighbouring channels have nothing in common.

    Attributes:
        width: Length C of a patch's features.
        grid: Rows and columns of patches.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = backbone.network
        self.stages = list(backbone.stages)
        self._prepare = backbone.preprocessing.prepare
        side = backbone.preprocessing.size
        with torch.no_grad():
            _, self.width, rows, columns = self(torch.zeros(1, 3, side, side)).shape
        self.grid = (int(rows), int(columns))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Give float32 [N, C, rows, columns] for images float32 [N, 3, S, S]."""
        stages: list[torch.Tensor] = self.network.forward_intermediates(
            image, indices=self.stages, stop_early=True, intermediates_only=True
        )
        return self.joined(stages)

    def joined(self, stages: Sequence[torch.Tensor]) -> torch.Tensor:
        """Give the same for the network's stages, float32 [N, channels, height, width] each."""
        finest, *coarser = [F.avg_pool2d(stage, kernel_size=3, stride=1, padding=1) for stage in stages]
        size = finest.shape[-2:]
        aligned = [
            stage if stage.shape[-2:] == size else F.interpolate(stage, size, mode="bilinear", align_corners=False)
            for stage in coarser
        ]
        return torch.cat([finest, *aligned], dim=1)

    @torch.no_grad()
    def of_frame(self, frame: Frame) -> torch.Tensor:
        """Give float32 [rows * columns, C], the features of one frame's patches."""
        return self.forward(self._prepare(frame[np.newaxis]))[0].flatten(1).T.contiguous()


class PatchCore(Detector):
    """Distance of every patch to its nearest neighbour among good patches, smoothed to a map.

    Features are centred at the memory's mean and divided by the root mean square of their length there. So distances
    keep their digits in the matmul form, in TF32 and in fp16, and maps of all backbones have one unit: 1 is how far a
    patch of the memory typically is from the memory's mean. PatchCore's order of frames is untouched by it.

    With the reweighted image score the whole map is multiplied by PatchCore's weight of the frame (`reweighting`). So
    the score is the map's maximum in either case, and suppression, which only lowers a map, keeps the gate exact. The
    weight belongs to the patch that is farthest from the memory, be it suppressed or outside the region later: any
    other choice could give the final map a higher weight than the base map.

    It carries its backbone; where that is the trunk of the CLIP that the normality detection runs, it reads the
    stages from there (see `beside`).

    Args:
        features: Where patches get their features from.
        backbone: Its name, preprocessing and weights.
        memory: float32 [M, C], features of good patches, neither centred nor scaled.
        sigma: Of the Gaussian, pixels of the map.
        image_score: "maximum", or "reweighted" for PatchCore's own.
        unit: What distances are measured in; None for the memory's own.
        added_frames: How many frames were added to the memory later.

    Raises:
        NandEdgeError: `image_score` is another word, or the memory is too small for it.
    """

    kind = "patchcore"

    centre: torch.Tensor
    scale: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    neighbours: torch.Tensor

    def __init__(
        self,
        features: PatchFeatures,
        backbone: Backbone,
        memory: torch.Tensor,
        *,
        sigma: float = SIGMA,
        image_score: str = MAXIMUM,
        unit: Unit | None = None,
        added_frames: int = 0,
    ) -> None:
        super().__init__()
        check_image_score(image_score, len(memory))
        self.preprocessing = backbone.preprocessing
        self.input_size = backbone.preprocessing.size
        self.weights = backbone.weights
        self.threshold: ThresholdRecord | None = None
        self.settings: Settings = {
            "backbone": backbone.name,
            "memory_patches": len(memory),
            "sigma": sigma,
            "image_score": image_score,
            "added_frames": added_frames,
            **backbone.clip,
        }
        self.features = features
        self.memory, self.unit = memory, unit or Unit.of(memory)
        self._backbone = backbone
        rows, columns = features.grid
        self.register_buffer("rows", torch.from_numpy(smoothing_matrix(rows, self.map_size, sigma)))
        self.register_buffer("columns", torch.from_numpy(smoothing_matrix(columns, self.map_size, sigma).T.copy()))
        self._lay_out()

    def _lay_out(self) -> None:
        """Keep the memory as the factors of the matmul form: |f - m|^2 = |f|^2 + [f, 1] @ [-2 m, |m|^2]."""
        centre, scale = self.unit.centre, self.unit.scale
        scaled = (self.memory.double() - centre.double()) * scale.double()
        factors = torch.cat([-2.0 * scaled, scaled.square().sum(dim=1, keepdim=True)], dim=1).T.float()
        self.register_buffer("centre", centre.reshape(1, -1, 1, 1))
        self.register_buffer("scale", scale)
        self._blocks = []
        for number, block in enumerate(factors.split(_BLOCK, dim=1)):
            self.register_buffer(f"block_{number}", block.contiguous())
            self._blocks.append(f"block_{number}")
        if self.settings["image_score"] == REWEIGHTED:
            self.register_buffer("neighbours", nearest_in_memory(scaled.float()))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M], for images float32 [N, 3, S, S], or for the stages of the CLIP."""
        patches = self.patches(self.features.joined(inputs) if self.reads else self.features.forward(*inputs))
        distances = self.distances(patches)
        base_map: torch.Tensor = self.rows @ distances.unflatten(1, self.features.grid) @ self.columns
        if self.settings["image_score"] == REWEIGHTED:
            base_map = base_map * self.weight(patches, distances)[:, None, None]
        return base_map

    @torch.no_grad()
    def map_of(self, frame: Frame) -> torch.Tensor:
        """Give the base map of one frame, float32 [M, M]."""
        return self.forward(self._backbone.preprocessing.prepare(frame[np.newaxis]))[0]

    def patches(self, features: torch.Tensor) -> torch.Tensor:
        """Give the centred and scaled features of each frame's patches: [N, P, C] from [N, C, rows, columns]."""
        # The axes first, the shape then: engines that keep channels last have nothing to move.
        return ((features - self.centre) * self.scale).permute(0, 2, 3, 1).flatten(1, 2)

    def distances(self, patches: torch.Tensor) -> torch.Tensor:
        """Give the distance of each patch to the nearest one of the memory, float32 [N, P]."""
        with_one = F.pad(patches, (0, 1), value=1.0)
        nearest_of_blocks = [(with_one @ self.get_buffer(name)).amin(dim=2) for name in self._blocks]
        return _root(reduce(torch.minimum, nearest_of_blocks) + patches.square().sum(dim=2))

    def weight(self, patches: torch.Tensor, distances: torch.Tensor) -> torch.Tensor:
        """Give PatchCore's weight of each frame, float32 [N]; for the reweighted image score only."""
        farthest = distances.argmax(dim=1, keepdim=True).unsqueeze(2).expand(-1, 1, patches.shape[2])
        patch = patches.gather(1, farthest)
        with_one = F.pad(patch, (0, 1), value=1.0)
        products = torch.cat([with_one @ self.get_buffer(name) for name in self._blocks], dim=2)
        to_memory = _root(products + patch.square().sum(dim=2, keepdim=True)).squeeze(1)
        # The softmax is PatchCore's on features as the backbone gives them.
        return weight(to_memory / self.scale, self.neighbours)

    def with_added(self, patches: torch.Tensor, frames: int) -> PatchCore:
        """Give the detector with more patches in its memory, float32 [A, C] of so many frames, and without a threshold.

        The unit stays: distances mean what they meant, and none grows, because the old memory is still there. So no map
        is higher anywhere than it was, but for the weight of the reweighted image score.
        """
        return PatchCore(
            self.features,
            self._backbone,
            torch.cat([self.memory, patches]),
            sigma=setting(self.settings, "sigma", float),
            image_score=setting(self.settings, "image_score", str),
            unit=self.unit,
            added_frames=setting(self.settings, "added_frames", int) + frames,
        ).eval()

    def beside(self, encoder: ClipEncoder) -> PatchCore:
        """Give a reader of the encoder, if that runs the CLIP of the backbone on the same image; else this very one."""
        found = encoder.identity()
        own = {"clip_sha256": self._backbone.clip.get("clip_sha256"), "input_size": self.input_size}
        if self.reads or any(found[key] != value for key, value in own.items()):
            return self
        reader = copy.copy(self)
        reader.preprocessing, reader.reads = None, feature_names(self.features.stages)
        return reader

    def tensors(self) -> dict[str, torch.Tensor]:
        """Memory, unit and backbone."""
        network = {f"{_BACKBONE}{key}": tensor for key, tensor in self.features.network.state_dict().items()}
        return {"memory": self.memory, "centre": self.unit.centre, "scale": self.unit.scale, **network}

    @classmethod
    def from_tensors(
        cls,
        tensors: dict[str, torch.Tensor],
        settings: Settings,
        preprocessing: Preprocessing | None,
        weights: WeightsSource,
    ) -> PatchCore:
        """Make the detector again from its file's content."""
        name = setting(settings, "backbone", str)
        memory = tensors.get("memory")
        if preprocessing is None or memory is None:
            raise _unfit("no memory or no preprocessing in it")
        clip: Settings = {key: settings[key] for key in ("clip_sha256", "quick_gelu") if key in settings}
        backbone = empty_backbone(name, preprocessing, weights, clip)
        stored = {key.removeprefix(_BACKBONE): tensor for key, tensor in tensors.items() if key.startswith(_BACKBONE)}
        try:
            backbone.network.load_state_dict(stored)
        except RuntimeError:
            raise _unfit(f"a backbone that is not the installed timm's {name!r}") from None
        features = PatchFeatures(backbone)
        if memory.ndim != 2 or memory.shape[0] < 1 or memory.shape[1] != features.width:
            raise _unfit(f"a memory of shape {list(memory.shape)} for {features.width} features")
        centre, scale = tensors.get("centre"), tensors.get("scale")
        if centre is None or scale is None or centre.shape != memory.shape[1:] or scale.shape != ():
            raise _unfit("no unit of its distances")
        return cls(
            features,
            backbone,
            memory.float(),
            sigma=setting(settings, "sigma", float),
            image_score=setting(settings, "image_score", str),
            unit=Unit(centre.float(), scale.float()),
            added_frames=setting(settings, "added_frames", int),
        )


def _root(squares: torch.Tensor) -> torch.Tensor:
    # Not `clamp`, which OpenVINO lets turn a NaN into the floor: the frame would pass.
    return torch.where(squares < _FLOOR**2, _FLOOR**2, squares).sqrt()


def _unfit(found: str) -> NandEdgeError:
    return NandEdgeError(
        "a PatchCore detector",
        found=found,
        needed="the memory and backbone that `nand-edge fit` wrote",
        do="fit it again, or install the timm that it was made with",
    )
