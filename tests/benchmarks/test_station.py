"""Every fault once, in a real station on a line in small; and the benchmark's other measurements, for moments."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import station
from nand_benchmarks.line.bundle import line_bundle
from nand_benchmarks.line.faults import FAULTS, FaultNotHereError
from nand_benchmarks.line.trial import LONGEST_RECOVERY_S, run_trial

pytestmark = [pytest.mark.torch, pytest.mark.benchmark]


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the line's bundle."""
    own = tmp_path_factory.getbasetemp()
    # Several test processes share one, and the first makes the bundle.
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "station-work"
    line_bundle(folder, lambda _: None)
    return folder


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_nothing_passed_uninspected_nothing_is_lost_or_doubled_and_it_goes_on(
    fault: str, work: Path, tmp_path: Path
) -> None:
    try:
        trial = run_trial(fault, line_bundle(work, lambda _: None), tmp_path, times=1)
    except FaultNotHereError as error:
        pytest.skip(str(error))
    findings = trial.evidence.findings
    assert findings.inspected > 0
    assert findings.passed == []
    assert findings.lost == []
    assert findings.doubled == []
    assert findings.unidentified == 0
    assert max(trial.recovery_s) < LONGEST_RECOVERY_S
    assert trial.evidence.restarts == int(FAULTS[fault].kills_station), "the station ended by itself"


@pytest.mark.parametrize("name", ["eight-sources", "endurance", "page-load", "switching"])
def test_the_other_measurements_give_whole_tables(name: str, work: Path, tmp_path: Path) -> None:
    station.main(["--quick", "--threads", "1", "--output", str(tmp_path), "--work", str(work), "--only", name])
    document = _written(tmp_path / "station.json")
    assert set(document["figures"]) == {name}
    table = _written(tmp_path / "station-load.json")
    assert table["rows"]
    assert all(len(row) == len(table["columns"]) for row in table["rows"])
    if name == "eight-sources":
        assert document["figures"][name]["late"] == 0
    if name == "switching":
        assert document["figures"][name]["wrong"] == 0


def _written(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
