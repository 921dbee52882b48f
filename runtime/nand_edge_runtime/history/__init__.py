"""The history: what became of every frame, on record exactly once, with pictures of what deserves a look."""

from __future__ import annotations

from nand_edge_runtime.history.export import csv_chunks, export_frames, jsonl_chunks
from nand_edge_runtime.history.history import History
from nand_edge_runtime.history.opening import OpenedHistory
from nand_edge_runtime.history.pictures import Maps
from nand_edge_runtime.history.query import Query, Rate
from nand_edge_runtime.history.reading import Reader
from nand_edge_runtime.history.settings import HistorySettings

__all__ = [
    "History",
    "HistorySettings",
    "Maps",
    "OpenedHistory",
    "Query",
    "Rate",
    "Reader",
    "csv_chunks",
    "export_frames",
    "jsonl_chunks",
]
