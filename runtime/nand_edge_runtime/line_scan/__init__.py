"""Line-scan: endless lines of a web become tiles for the engine, and its verdicts a map of the roll."""

from __future__ import annotations

from nand_edge_runtime.line_scan.judging import judge_trusted
from nand_edge_runtime.line_scan.place import TilePlace
from nand_edge_runtime.line_scan.roll_book import RollBook
from nand_edge_runtime.line_scan.settings import LineScanSettings, LostLines
from nand_edge_runtime.line_scan.tiles import TileMaker

__all__ = ["LineScanSettings", "LostLines", "RollBook", "TileMaker", "TilePlace", "judge_trusted"]
