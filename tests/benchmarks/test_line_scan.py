"""The line-scan benchmark really run, with little of each: its figures mean nothing, its table is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import line_scan

pytestmark = pytest.mark.benchmark


def test_lines_maps_and_reports_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line_scan.main(["--quick", "--output", str(tmp_path)])
    document = json.loads((tmp_path / "line-scan.json").read_text(encoding="utf-8"))
    assert [len(row) for row in document["rows"]] == [2] * (6 + 2 + 4)
    figures = document["figures"]
    assert min([*figures["lines_per_s"].values(), *figures["tiles_per_s"].values(), *figures["s"].values()]) > 0
    assert "10 km with 1,000 regions written" in capsys.readouterr().out
