"""WinCLIP: the image, and windows of its patches, are asked whether they show a damaged object (CVPR 2023)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge_export.clip import ClipEncoder
from nand_edge_export.clip.loading import empty_image_tower
from nand_edge_export.clip.tower import EMBEDDING, PATCHES, WINDOWS, ImageTower, image_tower
from nand_edge_export.detectors.protocol import Detector, Settings, require_same_encoder, setting
from nand_edge_export.detectors.smoothing import upsampling_matrix
from nand_edge_export.preprocessing import Preprocessing

SIDES = (2, 3)
"""Sides of the windows, patches."""

TEMPERATURE = 0.07
_TOWER = "tower."
_REFERENCES = "references."
# Two equal patches are 0 apart, and their harmonic mean with others is 0; this is far below what a map is compared to.
_NEAREST = 1e-6


def winclip_reads(*, shots: int) -> tuple[str, ...]:
    """What WinCLIP reads of an image tower: image, windows of each scale, and with reference frames the patches."""
    windows = tuple(f"{WINDOWS}{side}" for side in SIDES)
    return (EMBEDDING, *windows, PATCHES) if shots else (EMBEDDING, *windows)


class WinClip(Detector):
    """Anomaly map from CLIP embeddings of the whole image and of all windows of 2x2 and 3x3 patches.

    Without examples, a window's score is the softmax over the normal and the anomalous text at temperature 0.07. A
    patch gets the harmonic mean of the windows that cover it, and the harmonic mean over the scales, the image being
    one. With reference frames, the score of a window or a patch is `(1 - cosine) / 2` to the nearest one of the
    references; a patch gets the harmonic mean over its windows, and the mean over the scales, the single patch being
    one. The map is then the mean of both. It is upsampled bilinearly.

    It carries its image tower, and reads the normality detection's when that is the same (see `beside`).

    Args:
        text_features: float32 [2, D], unit vectors of the normal and the anomalous prompts.
        identity: Of the CLIP: its name `clip`, `clip_sha256` and `input_size`.
        grid: Rows and columns of patches.
        object_name: The object in the prompts.
        weights: Where the CLIP's weights came from.
        references: Unit vectors float32 [count, C] of the reference frames by the names of `winclip_reads`; nothing for
            the map without examples.
        shots: Number of reference frames.
        tower: The image tower; None for a reader of the normality detection's.
        preprocessing: What the tower needs; None without one.
    """

    kind = "winclip"

    direction: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    def __init__(
        self,
        text_features: torch.Tensor,
        identity: Mapping[str, str | int | float | bool],
        grid: tuple[int, int],
        *,
        object_name: str,
        weights: WeightsSource,
        references: Mapping[str, torch.Tensor],
        shots: int,
        tower: ImageTower | None,
        preprocessing: Preprocessing | None,
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.settings: Settings = {**identity, "object": object_name, "shots": shots}
        self.input_size = setting(self.settings, "input_size", int)
        self.weights = weights
        self.threshold: ThresholdRecord | None = None
        self.grid = grid
        self.shots = shots
        self.names = winclip_reads(shots=shots)
        self.reads = self.names if tower is None else ()
        self.tower = tower
        self._text_features, self._identity, self._object_name = text_features, dict(identity), object_name
        self._references = dict(references)
        normal, anomalous = text_features.double()
        self.register_buffer("direction", ((anomalous - normal) / TEMPERATURE).float())
        for name, vectors in references.items():
            self.register_buffer(f"references_{name}", vectors.T.contiguous())
        for side in SIDES:
            for axis, length in zip(("rows", "columns"), grid, strict=True):
                self.register_buffer(f"{axis}_of_windows_{side}", covering_shares(length, side))
        for axis, length in zip(("rows", "columns"), grid, strict=True):
            self.register_buffer(axis, torch.from_numpy(upsampling_matrix(length, self.map_size)).float())

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M] in [0, 1], for images [N, 3, S, S], or for what it reads of the CLIP."""
        if self.tower is None:
            read = dict(zip(self.names, inputs, strict=True))
        else:
            read = self.tower.read(inputs[0], self.names)
        coarse = self._without_references(read)
        if self.shots:
            coarse = (coarse + self._with_references(read)) / 2
        base_map: torch.Tensor = self.rows @ coarse @ self.columns.T
        return base_map

    def _without_references(self, read: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The text's map, float32 [N, rows, columns]."""
        image = torch.sigmoid(read[EMBEDDING] @ self.direction)[:, None, None]
        scales = [self._on_patches(torch.sigmoid(read[f"{WINDOWS}{side}"] @ self.direction), side) for side in SIDES]
        return (1 + len(scales)) / (1 / image + sum(1 / scale for scale in scales))

    def _with_references(self, read: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """The references' map, float32 [N, rows, columns]."""
        scales = [self._farness(F.normalize(read[PATCHES], dim=-1), PATCHES).unflatten(1, self.grid)]
        for side in SIDES:
            name = f"{WINDOWS}{side}"
            scales.append(self._on_patches(self._farness(read[name], name), side))
        return torch.stack(scales).mean(dim=0)

    def _farness(self, vectors: torch.Tensor, name: str) -> torch.Tensor:
        """Half of 1 minus the cosine to the nearest reference, [N, count], for unit vectors [N, count, C]."""
        nearest = (vectors @ self.get_buffer(f"references_{name}")).amax(dim=2)
        return ((1 - nearest) / 2).clamp(min=_NEAREST)

    def _on_patches(self, scores: torch.Tensor, side: int) -> torch.Tensor:
        """Harmonic mean over the windows that cover a patch, from [N, windows] to [N, rows, columns]."""
        windows = tuple(length - side + 1 for length in self.grid)
        rows, columns = (self.get_buffer(f"{axis}_of_windows_{side}") for axis in ("rows", "columns"))
        means: torch.Tensor = rows @ (1 / scores).unflatten(1, windows) @ columns.T
        return 1 / means

    def beside(self, encoder: ClipEncoder) -> WinClip:
        """Give a reader of the encoder, if that runs the same CLIP on the same image; else this very detector."""
        if self.tower is None:
            require_same_encoder(self, encoder)
            return self
        found = encoder.identity()
        same = all(self.settings[key] == found[key] for key in ("clip_sha256", "input_size"))
        return self._without_tower() if same else self

    def _without_tower(self) -> WinClip:
        reader = WinClip(
            self._text_features,
            self._identity,
            self.grid,
            object_name=self._object_name,
            weights=self.weights,
            references=self._references,
            shots=self.shots,
            tower=None,
            preprocessing=None,
        )
        reader.threshold = self.threshold
        return reader.eval()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Text features, references and image tower."""
        tower = {} if self.tower is None else self.tower.visual.state_dict()
        return {
            "text_features": self._text_features,
            **{f"{_REFERENCES}{name}": vectors for name, vectors in self._references.items()},
            **{f"{_TOWER}{key}": tensor for key, tensor in tower.items()},
        }

    @classmethod
    def from_tensors(
        cls,
        tensors: dict[str, torch.Tensor],
        settings: Settings,
        preprocessing: Preprocessing | None,
        weights: WeightsSource,
    ) -> WinClip:
        """Make the detector again from its file's content."""
        text_features = tensors.get("text_features")
        if preprocessing is None or text_features is None or text_features.ndim != 2 or len(text_features) != 2:
            raise _unfit("no image or no text features [2, D] in it")
        clip = setting(settings, "clip", str)
        visual = empty_image_tower(clip, preprocessing.size, quick_gelu=setting(settings, "quick_gelu", bool))
        try:
            visual.load_state_dict(_below(tensors, _TOWER))
        except RuntimeError:
            raise _unfit(f"an image tower that is not the installed open_clip's {clip!r}") from None
        shots, references = setting(settings, "shots", int), _below(tensors, _REFERENCES)
        if set(references) != (set(winclip_reads(shots=shots)) - {EMBEDDING} if shots else set()):
            raise _unfit(f"references {sorted(references)} for {shots} shots")
        tower = image_tower(clip, visual)
        return cls(
            text_features,
            {key: value for key, value in settings.items() if key not in ("object", "shots")},
            tower.grid(preprocessing.size),
            object_name=setting(settings, "object", str),
            weights=weights,
            references=references,
            shots=shots,
            tower=tower,
            preprocessing=preprocessing,
        )


def covering_shares(length: int, side: int) -> torch.Tensor:
    """For each patch of an axis, equal shares of the windows that cover it, float32 [length, windows]; rows sum to 1.

    Raises:
        NandEdgeError: The axis is shorter than a window.
    """
    if length < side:
        raise NandEdgeError(
            "windows of patches",
            found=f"windows of {side}x{side} on a grid of {length} patches a side",
            needed="a grid that holds a window",
            do="use a larger --input-size",
        )
    offset = torch.arange(length)[:, None] - torch.arange(length - side + 1)[None, :]
    covers = ((offset >= 0) & (offset < side)).float()
    return covers / covers.sum(dim=1, keepdim=True)


def _below(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _unfit(found: str) -> NandEdgeError:
    return NandEdgeError(
        "a winclip detector",
        found=found,
        needed="what `nand-edge fit` wrote",
        do="fit it again, or install the open_clip that it was made with",
    )
