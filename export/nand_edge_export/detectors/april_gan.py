"""APRIL-GAN without examples: each CLIP token is asked whether it looks like a flawless or a damaged object."""

from __future__ import annotations

import torch

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord, WeightsSource
from nand_edge.suppression import align_corners_weights
from nand_edge_export.detectors.protocol import Detector, Settings, setting
from nand_edge_export.preprocessing import Preprocessing

LOGIT_SCALE = 100.0


class AprilGan(Detector):
    """Zero-shot anomaly map from the tokens that the suppression reads too, so both share the encoder's one pass.

    Per tap: logits `logit_scale * token . text` for the normal and the abnormal text, upsampled with corners aligned,
    softmax, the abnormal class; summed over the taps (APRIL-GAN, arXiv 2305.17382, official release). A softmax over
    two classes is the sigmoid of their difference, and upsampling is linear, so one map a tap is upsampled, not two.

    Args:
        text_features: float32 [2, D], unit vectors of the normal and the abnormal prompts.
        grids: Rows and columns of each tap's tokens.
        clip_name: The CLIP whose text tower made the features.
        clip_sha256: That CLIP's hash: an export with another CLIP must refuse this detector.
        projection_sha256: Hash of the projections that the tokens went through: the threshold depends on them.
        input_size: Side of that CLIP's image, pixels.
        object_name: The object in the prompts.
        weights: Where the CLIP's weights came from.
        logit_scale: Factor of the cosine before the softmax.
    """

    kind = "april-gan"

    direction: torch.Tensor

    def __init__(
        self,
        text_features: torch.Tensor,
        grids: tuple[tuple[int, int], ...],
        *,
        clip_name: str,
        clip_sha256: str,
        projection_sha256: str,
        input_size: int,
        object_name: str,
        weights: WeightsSource,
        logit_scale: float = LOGIT_SCALE,
    ) -> None:
        super().__init__()
        self.preprocessing: Preprocessing | None = None
        self.input_size = input_size
        self.weights = weights
        self.threshold: ThresholdRecord | None = None
        self.grids = grids
        self.settings: Settings = {
            "clip": clip_name,
            "clip_sha256": clip_sha256,
            "projection_sha256": projection_sha256,
            "input_size": input_size,
            "object": object_name,
            "grids": _grids_text(grids),
            "logit_scale": logit_scale,
        }
        self._text_features = text_features
        normal, abnormal = text_features.double()
        self.register_buffer("direction", (logit_scale * (abnormal - normal)).float())
        for size in sorted({size for grid in grids for size in grid}):
            weights_of_axis = torch.from_numpy(align_corners_weights(size, self.map_size))
            self.register_buffer(f"upsample_{size}", weights_of_axis)

    def require_encoder(
        self, *, clip_name: str, clip_sha256: str, projection_sha256: str, grids: tuple[tuple[int, int], ...]
    ) -> None:
        """Refuse to read the tokens of another encoder than the one that it was made with.

        Raises:
            NandEdgeError: The CLIP, its projections, its taps or its image size are others.
        """
        for what, expected, found in (
            ("weights", self.settings["clip_sha256"], clip_sha256),
            ("projections", self.settings["projection_sha256"], projection_sha256),
            ("token grids", self.settings["grids"], _grids_text(grids)),
        ):
            if expected != found:
                raise NandEdgeError(
                    "the april-gan detector",
                    found=f"it was made with the CLIP {self.settings['clip']!r} and {what} {expected}",
                    needed=f"{what} {found} of {clip_name!r}",
                    do="give the export the CLIP options that `nand-edge fit` had, or fit it again",
                )

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Give the base map, float32 [N, M, M] in [0, number of taps], for tokens float32 [N, P, D] of each tap."""
        taps = [
            torch.sigmoid(
                self.get_buffer(f"upsample_{rows}")
                @ (tokens @ self.direction).unflatten(1, (rows, columns))
                @ self.get_buffer(f"upsample_{columns}").T
            )
            for tokens, (rows, columns) in zip(inputs, self.grids, strict=True)
        ]
        return torch.stack(taps).sum(dim=0)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Text features; the CLIP itself belongs to the bundle."""
        return {"text_features": self._text_features}

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
            raise NandEdgeError(
                "an april-gan detector",
                found="no text features [2, D] in it",
                needed="what `nand-edge fit` wrote",
                do="fit it again",
            )
        return cls(
            text_features,
            _grids(setting(settings, "grids", str)),
            clip_name=setting(settings, "clip", str),
            clip_sha256=setting(settings, "clip_sha256", str),
            projection_sha256=setting(settings, "projection_sha256", str),
            input_size=setting(settings, "input_size", int),
            object_name=setting(settings, "object", str),
            weights=weights,
            logit_scale=setting(settings, "logit_scale", float),
        )


def _grids_text(grids: tuple[tuple[int, int], ...]) -> str:
    return " ".join(f"{rows}x{columns}" for rows, columns in grids)


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
