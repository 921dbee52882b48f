"""Tokens of whole frames: what the forms that look at pictures are fitted to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge.normality import EncoderRecord, Normality, stack
from nand_edge.suppression import FloatArray, token_log_odds
from nand_edge_export.clip import ClipEncoder
from nand_edge_export.detectors.protocol import Progress, no_progress

MAX_FRAMES = 60
"""Frames that are looked at, evenly spread over those given: more hardly move a percentile."""


@dataclass(frozen=True)
class FrameTokens:
    """The unit tokens of some frames.

    Attributes:
        encoder: The image encoder that they came from.
        grids: Rows and columns of each tap.
        taps: For each tap, float16 [N, P, D]; half precision, since ViT-L's tokens of 60 frames fill half a gigabyte.
    """

    encoder: EncoderRecord
    grids: tuple[tuple[int, int], ...]
    taps: tuple[NDArray[np.float16], ...]

    def __len__(self) -> int:
        return len(self.taps[0])

    def frames(self) -> Iterator[list[FloatArray]]:
        """Frame by frame, for each tap float32 [1, P, D]."""
        for place in range(len(self)):
            yield [tap[place : place + 1].astype(np.float32) for tap in self.taps]

    def log_odds(self, normality: Normality) -> list[FloatArray]:
        """For each tap, how much each token looks like what is added, float32 [N, P]."""
        tensors = stack([normality], len(self.taps))
        each = [token_log_odds(taps, tensors, logit_scale=self.encoder.logit_scale) for taps in self.frames()]
        return [np.concatenate([frame[place][:, 0] for frame in each]) for place in range(len(self.taps))]


def encoder_record(encoder: ClipEncoder, logit_scale: float | None = None) -> EncoderRecord:
    """What a normality remembers of the encoder that it is fitted to; the scale is by default the projections' own."""
    scale = encoder.projections.logit_scale if logit_scale is None else logit_scale
    return EncoderRecord(encoder.projections.source.sha256, encoder.taps, scale)


@torch.inference_mode()
def frame_tokens(
    encoder: ClipEncoder,
    paths: Sequence[Path],
    *,
    logit_scale: float | None = None,
    most: int = MAX_FRAMES,
    progress: Progress = no_progress,
) -> FrameTokens:
    """Encode frames, at most `most` of them, evenly spread.

    Raises:
        NandEdgeError: There is none, or one cannot be read.
    """
    if not paths:
        raise NandEdgeError("frames", found="none", needed="at least one", do="give a folder with images")
    places = np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).round().astype(int))
    encoded = []
    for number, place in enumerate(places, start=1):
        image = encoder.preprocessing.prepare(read_frame(paths[place])[np.newaxis])
        encoded.append([tap.numpy().astype(np.float16) for tap in encoder(image)])
        progress("frames", number, len(places))
    taps = tuple(np.concatenate(tap) for tap in zip(*encoded, strict=True))
    return FrameTokens(encoder_record(encoder, logit_scale), encoder.grids, taps)
