"""A bundle as a line runs it: the device's inspector with one normality after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nand_edge.bundle import Bundle
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.inspection import Inspection
from nand_edge.manifest import DetectorRecord, ThresholdRecord
from nand_edge.normality import Normality
from nand_edge_export.evaluation.cache import FrameCache, key_of
from nand_edge_export.evaluation.candidate import FrameMaps, FrameScores, finite, normality_key
from nand_edge_runtime.inspector import Inspector

_BEFORE = "base_score"
_REACHED_BY_ALL = -1e30
"""As a threshold it opens the gate for every frame: an AUROC needs every frame's score with the normality."""


class BundleCandidate:
    """A bundle in ONNX Runtime. Scores are kept, maps are computed again for the few that are shown.

    Args:
        bundle: The opened bundle.
        cache: Folder for what is computed.
    """

    def __init__(self, bundle: Bundle, cache: Path) -> None:
        self.label = bundle.folder.name
        self.detector: DetectorRecord = bundle.manifest.detector
        self.threshold: ThresholdRecord = bundle.manifest.threshold
        self._inspector = Inspector(bundle, target="onnx", normalities=[], threshold=_REACHED_BY_ALL)
        self._kept = FrameCache(cache / "scores" / key_of({"bundle": bundle.sha256}))

    def scores(self, frame: LabelledFrame, normalities: Sequence[Normality]) -> FrameScores:
        """Score a frame, from what is kept where possible."""
        sha256 = frame.sha256()
        kept = self._kept.read(sha256)
        missing = [each for each in normalities if normality_key(each) not in kept]
        if missing:
            for normality, inspection in zip(missing, self._inspect(frame, missing), strict=True):
                kept[_BEFORE] = np.array([finite(inspection.base_score, frame, self.label)])
                kept[normality_key(normality)] = np.array([finite(inspection.score, frame, self.label)])
            self._kept.write(sha256, kept)
        after = tuple(float(kept[normality_key(normality)][0]) for normality in normalities)
        return FrameScores(float(kept[_BEFORE][0]), after, computed=bool(missing))

    def maps(self, frame: LabelledFrame, normality: Normality) -> FrameMaps:
        """The maps behind the scores."""
        (inspection,) = self._inspect(frame, [normality])
        maps = (inspection.base_map, inspection.suppression_map, inspection.anomaly_map)
        return FrameMaps(*maps, region=inspection.region)

    def close(self) -> None:
        """Free the engine."""
        self._inspector.close()

    def _inspect(self, frame: LabelledFrame, normalities: Sequence[Normality]) -> list[Inspection]:
        image = frame.read()
        inspections = []
        for normality in normalities:
            self._inspector.set_normalities([normality])
            inspections.append(self._inspector.inspect(image, name=frame.path.name))
        return inspections
