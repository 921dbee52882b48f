"""APRIL-GAN: each CLIP token is asked whether it looks like a damaged object, and whether good frames had its like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge.suppression import align_corners_weights
from nand_edge_export.detectors.protocol import Detector, Settings, setting
from nand_edge_export.preprocessing import Preprocessing

LOGIT_SCALE = 100.0
_MEMORY = "memory_"
_OWN_SETTINGS = ("object", "logit_scale", "shots")


class AprilGan(Detector):
    """Anomaly map from the pass of the encoder that the suppression reads too.

    Without examples, per tap: logits `logit_scale * token . text` for the normal and the abnormal text, upsampled with
    corners aligned, softmax, the abnormal class; summed over the taps. A softmax over two classes is the sigmoid of
    their difference, and upsampling is linear, so one map a tap is upsampled, not two.

    With a memory, per tap: 1 minus the cosine to the nearest patch of the reference frames, before the projection,
    upsampled in the same way; summed over the taps and added (APRIL-GAN, arXiv 2305.17382, official release).

    Args:
        text_features: float32 [2, D], unit vectors of the normal and the abnormal prompts.
        identity: Of the encoder that it reads, `ClipEncoder.identity()`; an export with another one is refused.
        object_name: The object in the prompts.
        weights: Where the CLIP's weights came from.
        logit_scale: Factor of the cosine before the softmax.
        memory: For each tap, float32 [patches, C], unit vectors; nothing for the map without examples.
        shots: Number of reference frames in the memory.
    """

    kind = "april-gan"

    direction: torch.Tensor

    def __init__(
        self,
        text_features: torch.Tensor,
        identity: Mapping[str, str | int],
        *,
        object_name: str,
        weights: WeightsSource,
        logit_scale: float = LOGIT_SCALE,
        memory: Sequence[torch.Tensor] = (),
        shots: int = 0,
    ) -> None:
        super().__init__()
        self.preprocessing: Preprocessing | None = None
        self.settings: Settings = {**identity, "object": object_name, "logit_scale": logit_scale, "shots": shots}
        self.input_size = setting(self.settings, "input_size", int)
        self.weights = weights
        self.threshold: ThresholdRecord | None = None
        self.grids = _grids(setting(self.settings, "grids", str))
        taps = setting(self.settings, "taps", str).split()
        self.reads = tuple(f"tokens_{tap}" for tap in taps)
        if memory:
            self.reads += tuple(f"features_{tap}" for tap in taps)
        self._text_features = text_features
        normal, abnormal = text_features.double()
        self.register_buffer("direction", (logit_scale * (abnormal - normal)).float())
        self._memory = [f"{_MEMORY}{number}" for number in range(len(memory))]
        for name, patches in zip(self._memory, memory, strict=True):
            self.register_buffer(name, patches)
        for size in sorted({size for grid in self.grids for size in grid}):
            self.register_buffer(f"upsample_{size}", torch.from_numpy(align_corners_weights(size, self.map_size)))

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M], in [0, taps], or with a memory in [0, 3 * taps].

        Args:
            inputs: Tokens float32 [N, P, D] of each tap; with a memory, features [N, C, rows, columns] of each too.
        """
        tokens, features = inputs[: len(self.grids)], inputs[len(self.grids) :]
        maps = [
            torch.sigmoid(self._upsampled((tap @ self.direction).unflatten(1, grid), grid))
            for tap, grid in zip(tokens, self.grids, strict=True)
        ]
        for name, tap in zip(self._memory, features, strict=True):
            patches = F.normalize(tap.flatten(2).transpose(1, 2), dim=-1)
            farness = 1.0 - (patches @ self.get_buffer(name).T).amax(dim=2)
            grid = (tap.shape[2], tap.shape[3])
            maps.append(self._upsampled(farness.clamp(min=0.0).unflatten(1, grid), grid))
        return torch.stack(maps).sum(dim=0)

    def _upsampled(self, values: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        """From [N, rows, columns] to [N, M, M]."""
        rows, columns = grid
        return self.get_buffer(f"upsample_{rows}") @ values @ self.get_buffer(f"upsample_{columns}").T

    def tensors(self) -> dict[str, torch.Tensor]:
        """Text features and memory; the CLIP itself belongs to the bundle."""
        return {"text_features": self._text_features, **{name: self.get_buffer(name) for name in self._memory}}

    @classmethod
    def from_tensors(
        cls,
        tensors: dict[str, torch.Tensor],
        settings: Settings,
        preprocessing: Preprocessing | None,
        weights: WeightsSource,
    ) -> AprilGan:
        """Make the detector again from its file's content."""
        text_features = tensors.get("text_features")
        if preprocessing is not None or text_features is None or text_features.ndim != 2 or len(text_features) != 2:
            raise _unfit("no text features [2, D] in it")
        taps = setting(settings, "taps", str).split()
        memory = [tensors[name] for tap in range(len(taps)) if (name := f"{_MEMORY}{tap}") in tensors]
        if len(memory) not in (0, len(taps)) or any(patches.ndim != 2 for patches in memory):
            raise _unfit(f"a memory of {len(memory)} parts for {len(taps)} taps")
        return cls(
            text_features,
            {key: value for key, value in settings.items() if key not in _OWN_SETTINGS},  # type: ignore[misc]
            object_name=setting(settings, "object", str),
            weights=weights,
            logit_scale=setting(settings, "logit_scale", float),
            memory=memory,
            shots=setting(settings, "shots", int),
        )


def _unfit(found: str) -> NandEdgeError:
    return NandEdgeError("an april-gan detector", found=found, needed="what `nand-edge fit` wrote", do="fit it again")


def _grids(text: str) -> tuple[tuple[int, int], ...]:
    try:
        pairs = [grid.split("x") for grid in text.split()]
        return tuple((int(rows), int(columns)) for rows, columns in pairs)
    except ValueError:
        raise NandEdgeError(
            "settings of a detector",
            found=f"grids {text!r}",
            needed="grids such as '30x30 15x15'",
            do="fit it again with `nand-edge fit`",
        ) from None
