"""Line-scan: endless lines of a web become tiles for the engine, and its verdicts a map of the roll."""

from __future__ import annotations

from nand_edge_runtime.line_scan.settings import LineScanSettings, LostLines
from nand_edge_runtime.line_scan.tiles import TileMaker

__all__ = ["LineScanSettings", "LostLines", "TileMaker"]
