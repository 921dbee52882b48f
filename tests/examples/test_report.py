"""The report: whole in one file, with the figures of its summary, and the cells that it claims to show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
pytest.importorskip("sklearn")

from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.latency import Latency
from solar_cells.device import DeviceResult
from solar_cells.protocol import GroupResult
from solar_cells.report import render_report

GROUP = Group("stain", ("stain",), "dark stain & <drops>", "solar cell")
KINDS = ("good", "stain", "stain", "crack", "crack", "crack")
BEFORE, AFTER = (0.1, 0.9, 0.8, 0.9, 0.7, 0.6), (0.1, 0.2, 0.6, 0.4, 0.7, 0.2)


@pytest.fixture
def device(tmp_path: Path) -> DeviceResult:
    frame = np.full((12, 16, 3), 120, np.uint8)
    cells = tuple(
        LabelledFrame(tmp_path / f"{place}-{kind}.png", () if kind == "good" else (kind,))
        for place, kind in enumerate(KINDS)
    )
    for cell in cells:
        cv2.imwrite(str(cell.path), frame)
    verdicts = tuple(Verdict.PASS if score < 0.5 else Verdict.REJECT for score in AFTER)
    result = GroupResult(Pair("cell", GROUP, cells, np.array(BEFORE), np.array(AFTER), 0.5), verdicts)
    inspections = tuple(inspection(cell, *scores) for cell, *scores in zip(cells, BEFORE, AFTER, verdicts, strict=True))
    return DeviceResult((result,), {"stain": inspections}, Latency((9.0,)), Latency((4.0,)), (), "CPU", ("torch",))


def inspection(cell: LabelledFrame, before: float, after: float, verdict: Verdict) -> Inspection:
    maps = {
        name: np.full((8, 8), value, np.float32)
        for name, value in (("base_map", before), ("anomaly_map", after), ("suppression_map", 1 - after / before))
    }
    known: dict[str, Any] = {"index": 0, "timestamp": 0.0, "threshold": 0.5, "clip_ran": True, "bundle": "0" * 64}
    return Inspection(
        frame=cell.path.name,
        score=after,
        base_score=before,
        verdict=verdict,
        normalities=("stain",),
        latency_ms={"total": 9.0},
        **known,
        **maps,
    )


@pytest.fixture
def summary() -> dict[str, Any]:
    figures = {"p50": 4.0, "p90": 5.0, "mean": 4.1, "frames": 6}
    return {
        "mean_auroc_before": 0.8,
        "mean_auroc_after": 0.9,
        "mean_auroc_change_95_percent": [0.05, 0.15],
        "groups": {
            "stain": {
                "text": GROUP.words,
                "auroc_before": 0.8,
                "auroc_after": 0.9,
                "cells": 6,
                "cells_declared_normal": 2,
                "right_verdicts": {"before": 4, "after": 5},
                "reject_to_pass": {"right": ["1-stain.png"], "wrong": ["3-crack.png", "5-crack.png"]},
            }
        },
        "engines": [{"name": "tensorrt-rtx", "state": "not built", "reason": "no package <here>"}],
        "latency_ms": {"with_clip": figures, "gate_shut": figures},
        "threshold": {"value": 0.5, "chosen_by": "maximum of 3 held-out good frames"},
        "detector": {"fitted_on": 270},
        "bundle": {"sha256": "ab" * 32},
        "device_process": {"imports_refused": ["torch"]},
        "machine": {"processor": "a processor", "cores": 2, "python": "3.11", "system": "Linux"},
        "versions": {"nand-edge": "1.2.3"},
        "try_next": ["nand-edge bench demo/solar-cell.nand"],
    }


def test_the_report_refers_to_nothing_outside_itself(summary: dict[str, Any], device: DeviceResult) -> None:
    page = render_report(summary, device)
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 2 + 4 * (2 + 2)  # two charts; two cells helped and two hurt with four panels each
    assert all(source.startswith(("data:image/jpeg;base64,", "data:image/svg+xml;base64,")) for source in sources)
    assert not re.search(r"<script|<link|@import|url\(", page)


def test_the_report_has_the_figures_and_escapes_words(summary: dict[str, Any], device: DeviceResult) -> None:
    page = render_report(summary, device)
    for text in ("0.800 → 0.900", "+0.100", "dark stain &amp; &lt;drops&gt;", "no package &lt;here&gt;", "CC BY-NC-SA"):
        assert text in page
    assert "<drops>" not in page
