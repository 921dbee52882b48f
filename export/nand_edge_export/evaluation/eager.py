"""A base detector and a CLIP as two eager networks: base maps and log-odds are computed once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.manifest import DetectorRecord, ThresholdRecord
from nand_edge.normality import Normality, stack
from nand_edge.suppression import map_of_log_odds, suppress, token_log_odds
from nand_edge_export.clip import Clip, ClipEncoder
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.evaluation.cache import FrameCache, key_of
from nand_edge_export.evaluation.candidate import FrameMaps, FrameScores, finite, normality_key

_BASE_MAP = "base_map"


@dataclass(frozen=True)
class NormalityDetection:
    """The normality-detection module: a CLIP, its encoder with projections, and the factor of the cosine."""

    clip: Clip
    encoder: ClipEncoder
    logit_scale: float

    def key(self) -> str:
        """A name for all that log-odds depend on beside frame and normality."""
        return key_of({**self.encoder.identity(), "logit_scale": self.logit_scale})


class EagerCandidate:
    """A detector beside a CLIP, in torch.

    A frame is read and encoded at most once, however many normalities are asked of it; what is kept of a normality is
    one number a token, so that its map can be made again.

    Args:
        label: How the user named the detector.
        detector: The detector; its threshold must be set.
        threshold: What scores are compared with.
        detection: The normality-detection module.
        sha256: Hash of the detector's file.
        cache: Folder for what is computed; candidates share it.
    """

    def __init__(
        self,
        label: str,
        detector: Detector,
        threshold: ThresholdRecord,
        detection: NormalityDetection,
        *,
        sha256: str,
        cache: Path,
    ) -> None:
        self.label = label
        self.detector: DetectorRecord = detector.record()
        self.threshold = threshold
        self._detection = detection
        self._beside = detector.beside(detection.encoder)
        reads = {"encoder": detection.encoder.identity()} if self._beside.preprocessing is None else {}
        self._base_maps = FrameCache(cache / "base_maps" / key_of({"detector": sha256, **reads}))
        self._log_odds = FrameCache(cache / "log_odds" / detection.key())

    def scores(self, frame: LabelledFrame, normalities: Sequence[Normality]) -> FrameScores:
        """Score a frame, from what is kept where possible."""
        base, suppressions, computed = self._maps(frame, normalities)
        finals = suppress(base[None].repeat(len(normalities), axis=0), suppressions[:, None])[0]
        return FrameScores(
            before=finite(base.max(), frame, self.label),
            after=tuple(finite(final.max(), frame, self.label) for final in finals),
            computed=computed,
        )

    def maps(self, frame: LabelledFrame, normality: Normality) -> FrameMaps:
        """The maps behind the scores."""
        base, suppressions, _ = self._maps(frame, [normality])
        final, suppression = suppress(base[None], suppressions[None])
        return FrameMaps(base, suppression[0], final[0])

    def close(self) -> None:
        """Nothing to free: memory goes with the object."""

    def _maps(
        self, frame: LabelledFrame, normalities: Sequence[Normality]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
        """Base map [M, M], suppression maps [K, M, M] of single normalities, and whether anything was computed."""
        sha256 = frame.sha256()
        base_maps, log_odds = self._base_maps.read(sha256), self._log_odds.read(sha256)
        missing = [each for each in normalities if self._names(each)[0] not in log_odds]
        computed = _BASE_MAP not in base_maps or bool(missing)
        if computed:
            image = frame.read()
            if _BASE_MAP not in base_maps:
                base_maps = {_BASE_MAP: self._base_map(image)}
                self._base_maps.write(sha256, base_maps)
            if missing:
                log_odds = {**log_odds, **self._odds(image, missing)}
                self._log_odds.write(sha256, log_odds)
        suppressions = [self._suppression(log_odds, normality) for normality in normalities]
        return base_maps[_BASE_MAP], np.stack(suppressions), computed

    @torch.inference_mode()
    def _base_map(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        own, encoder = self._beside.preprocessing, self._detection.encoder
        if own is not None:
            inputs = [own.prepare(image[None])]
        else:
            inputs = list(encoder.read(encoder.preprocessing.prepare(image[None]), self._beside.reads).values())
        return np.asarray(self._beside(*inputs)[0].numpy(), dtype=np.float32)

    @torch.inference_mode()
    def _odds(self, image: NDArray[np.uint8], normalities: Sequence[Normality]) -> dict[str, NDArray[np.float32]]:
        encoder = self._detection.encoder
        tokens = [tap.numpy() for tap in encoder(encoder.preprocessing.prepare(image[None]))]
        odds: dict[str, NDArray[np.float32]] = {}
        for normality in normalities:
            tensors = stack([normality], len(tokens))
            taps = token_log_odds(tokens, tensors, logit_scale=self._detection.logit_scale)
            odds.update(zip(self._names(normality), (tap[0, 0] for tap in taps), strict=True))
        return odds

    def _suppression(self, log_odds: dict[str, NDArray[np.float32]], normality: Normality) -> NDArray[np.float32]:
        taps = [log_odds[name][None, None] for name in self._names(normality)]
        maps = map_of_log_odds(taps, self._detection.encoder.grids, map_size=self._beside.map_size)
        return np.asarray(maps[0, 0])

    def _names(self, normality: Normality) -> list[str]:
        """Names of a normality's log-odds at each tap, each float32 [P]."""
        key = normality_key(normality)
        return [f"{key}.{place}" for place in range(len(self._detection.encoder.taps))]
