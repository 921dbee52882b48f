"""The table of precisions: a row an engine, the reference first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import precision

INT8: dict[str, Any] = {
    "frames": 63,
    "compared_with": "onnx fp32",
    "max_map_error": 0.027,
    "p99_map_error": 0.0127,
    "max_score_error": 0.014,
    "verdicts_changed": 1,
    "speed_ratio": 1.27,
    "auroc": 0.9187,
    "auroc_of_compared": 0.9193,
    "machine": "a machine",
}


def test_each_engine_has_its_row_and_one_that_is_not_here_says_why() -> None:
    document = precision.table({"onnx int8": INT8, "openvino bf16": {"unavailable": "no bf16"}}, 2)

    assert document["rows"] == [
        ["onnx fp32", "0.9193", "", "", "", "", "1.00"],
        ["onnx int8", "0.9187", "+0.0006", "1 of 63", "0.027", "0.013", "1.27"],
        ["openvino bf16", "not here: no bf16", "", "", "", "", ""],
    ]
    assert {len(row) for row in document["rows"]} == {len(document["columns"])}
    assert document["note"].startswith("63 test cells")


def test_the_chart_has_a_bar_for_each_engine(tmp_path: Path) -> None:
    precision.chart({"onnx int8": INT8}, tmp_path / "chart.svg")

    drawn = (tmp_path / "chart.svg").read_text()
    assert ">onnx int8<" in drawn
    assert ">1.27<" in drawn
    assert ">0.9187<" in drawn
