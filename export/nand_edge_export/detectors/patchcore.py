"""PatchCore: a patch is as anomalous as it is far from the nearest patch of good frames (Roth et al., CVPR 2022)."""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import nn

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge_export.detectors.backbones import Backbone, empty_backbone
from nand_edge_export.detectors.protocol import Detector, Settings, setting
from nand_edge_export.detectors.smoothing import smoothing_matrix
from nand_edge_export.preprocessing import Preprocessing

SIGMA = 4.0
_BACKBONE = "backbone."
# A block's distances (1,024 patches x 1,000, 4 MB) stay in the processor's cache until their minimum is taken.
_BLOCK = 1000
# Below a hundredth of the features' typical length the matmul form is mostly rounding, which no two engines share.
_FLOOR = 1e-2


class PatchFeatures(nn.Module):
    """Features of a frame's patches: 3x3 averages of two stages, the coarser one upsampled, joined.

    Attributes:
        width: Length C of a patch's features.
        grid: Rows and columns of patches.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.network = backbone.network
        self.stages = list(backbone.stages)
        side = backbone.preprocessing.size
        with torch.no_grad():
            _, self.width, rows, columns = self(torch.zeros(1, 3, side, side)).shape
        self.grid = (int(rows), int(columns))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Give float32 [N, C, rows, columns] for images float32 [N, 3, S, S]."""
        stages: list[torch.Tensor] = self.network.forward_intermediates(
            image, indices=self.stages, stop_early=True, intermediates_only=True
        )
        finest, *coarser = [F.avg_pool2d(stage, kernel_size=3, stride=1, padding=1) for stage in stages]
        size = finest.shape[-2:]
        aligned = [
            stage if stage.shape[-2:] == size else F.interpolate(stage, size, mode="bilinear", align_corners=False)
            for stage in coarser
        ]
        return torch.cat([finest, *aligned], dim=1)


class PatchCore(Detector):
    """Distance of every patch to its nearest neighbour among good patches, smoothed to a map.

    Features are centred at the memory's mean and divided by the root mean square of their length there. So distances
    keep their digits in the matmul form, in TF32 and in fp16, and maps of all backbones have one unit: 1 is how far a
    patch of the memory typically is from the memory's mean. PatchCore's order of frames is untouched by it.

    Args:
        features: Where patches get their features from.
        backbone: Its name, preprocessing and weights.
        memory: float32 [M, C], features of good patches, neither centred nor scaled.
        sigma: Of the Gaussian, pixels of the map.
    """

    kind = "patchcore"

    centre: torch.Tensor
    scale: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(
        self, features: PatchFeatures, backbone: Backbone, memory: torch.Tensor, *, sigma: float = SIGMA
    ) -> None:
        super().__init__()
        self.preprocessing = backbone.preprocessing
        self.input_size = backbone.preprocessing.size
        self.weights = backbone.weights
        self.threshold: ThresholdRecord | None = None
        self.settings: Settings = {"backbone": backbone.name, "memory_patches": len(memory), "sigma": sigma}
        self.features = features
        self._memory = memory
        rows, columns = features.grid
        self.register_buffer("rows", torch.from_numpy(smoothing_matrix(rows, self.map_size, sigma)))
        self.register_buffer("columns", torch.from_numpy(smoothing_matrix(columns, self.map_size, sigma).T.copy()))
        self._lay_out(memory)

    def _lay_out(self, memory: torch.Tensor) -> None:
        """Keep the memory as the factors of the matmul form: |f - m|^2 = |f|^2 + [f, 1] @ [-2 m, |m|^2]."""
        centre = memory.double().mean(dim=0)
        centred = memory.double() - centre
        length = centred.square().sum(dim=1).mean().sqrt()
        scale = 1.0 / length if length > 0 else torch.ones((), dtype=torch.float64)
        scaled = centred * scale
        factors = torch.cat([-2.0 * scaled, scaled.square().sum(dim=1, keepdim=True)], dim=1).T.float()
        self.register_buffer("centre", centre.float().reshape(1, -1, 1, 1))
        self.register_buffer("scale", scale.float())
        self._blocks = []
        for number, block in enumerate(factors.split(_BLOCK, dim=1)):
            self.register_buffer(f"block_{number}", block.contiguous())
            self._blocks.append(f"block_{number}")

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M], for images float32 [N, 3, S, S]."""
        (image,) = inputs
        distances: torch.Tensor = self.distances(self.patches(image)).unflatten(1, self.features.grid)
        return self.rows @ distances @ self.columns

    def patches(self, image: torch.Tensor) -> torch.Tensor:
        """Give the centred and scaled features of each frame's patches, float32 [N, P, C]."""
        return ((self.features.forward(image) - self.centre) * self.scale).flatten(2).transpose(1, 2)

    def distances(self, patches: torch.Tensor) -> torch.Tensor:
        """Give the distance of each patch to the nearest one of the memory, float32 [N, P]."""
        with_one = F.pad(patches, (0, 1), value=1.0)
        nearest_of_blocks = [(with_one @ self.get_buffer(name)).amin(dim=2) for name in self._blocks]
        squares: torch.Tensor = reduce(torch.minimum, nearest_of_blocks) + patches.square().sum(dim=2)
        return squares.clamp(min=_FLOOR**2).sqrt()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Memory and backbone."""
        network = {f"{_BACKBONE}{key}": tensor for key, tensor in self.features.network.state_dict().items()}
        return {"memory": self._memory, **network}

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
        backbone = empty_backbone(name, preprocessing, weights)
        stored = {key.removeprefix(_BACKBONE): tensor for key, tensor in tensors.items() if key.startswith(_BACKBONE)}
        try:
            backbone.network.load_state_dict(stored)
        except RuntimeError:
            raise _unfit(f"a backbone that is not the installed timm's {name!r}") from None
        features = PatchFeatures(backbone)
        if memory.ndim != 2 or memory.shape[0] < 1 or memory.shape[1] != features.width:
            raise _unfit(f"a memory of shape {list(memory.shape)} for {features.width} features")
        return cls(features, backbone, memory.float(), sigma=setting(settings, "sigma", float))


def _unfit(found: str) -> NandEdgeError:
    return NandEdgeError(
        "a PatchCore detector",
        found=found,
        needed="the memory and backbone that `nand-edge fit` wrote",
        do="fit it again, or install the timm that it was made with",
    )
