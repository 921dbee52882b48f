"""Base detectors: one file a method, behind one small protocol."""

from __future__ import annotations

from nand_edge_export.detectors.april_gan import AprilGan
from nand_edge_export.detectors.onnx_model import OnnxModel
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.detectors.winclip import WinClip

_ALL: tuple[type[Detector], ...] = (PatchCore, AprilGan, WinClip, OnnxModel)
DETECTORS: dict[str, type[Detector]] = {detector.kind: detector for detector in _ALL}
"""The base detectors by their kind."""

__all__ = ["DETECTORS", "AprilGan", "Detector", "OnnxModel", "PatchCore", "WinClip"]
