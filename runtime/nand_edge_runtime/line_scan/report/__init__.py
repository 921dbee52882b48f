"""Reports of rolls: a map of the whole roll and its regions, as a page, for paper, or as JSON."""

from __future__ import annotations

from nand_edge_runtime.line_scan.report.finding import find_roll
from nand_edge_runtime.line_scan.report.writing import write_report

__all__ = ["find_roll", "write_report"]
