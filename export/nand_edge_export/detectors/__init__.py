"""Base detectors: one file a method, behind one small protocol."""

from __future__ import annotations

from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.detectors.protocol import Detector

DETECTORS: dict[str, type[Detector]] = {detector.kind: detector for detector in (PatchCore, AprilGan)}
"""The base detectors by their kind."""

__all__ = ["DETECTORS", "AprilGan", "Detector", "PatchCore"]
