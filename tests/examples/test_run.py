"""The demo's whole path on a few real photographs, with a small memory and one engine."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("elpv_dataset")

from rich.console import Console

from nand_edge.bundle import open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from solar_cells import cells, making
from solar_cells.on_device import REFUSED
from solar_cells.run import BUNDLE, Settings, run, try_next, written
from solar_cells.stages import Stages

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def summary(output: Path) -> dict[str, Any]:
    settings = Settings(output, good=20, of_each=2, method=PatchCoreMethod(memory_patches=200), targets=())
    silent = Console(file=io.StringIO())
    return run(settings, Stages(silent, silent))


def test_a_run_leaves_all_that_it_names(summary: dict[str, Any], output: Path) -> None:
    assert all(path.exists() for path in written(Settings(output)))
    assert json.loads((output / "summary.json").read_text(encoding="utf-8")) == summary
    assert open_bundle(output / BUNDLE).sha256 == summary["bundle"]["sha256"]


def test_cells_were_inspected_where_torch_cannot_be_imported(summary: dict[str, Any]) -> None:
    assert summary["device_process"]["imports_refused"] == list(REFUSED)
    assert "torch" in REFUSED


def test_every_cell_was_scored_without_and_with_each_normality(summary: dict[str, Any]) -> None:
    assert summary["latency_ms"]["gate_shut"]["frames"] == 8
    assert summary["latency_ms"]["with_clip"]["frames"] == 3 * 8
    for group in summary["groups"].values():
        assert group["cells"] == 8
        assert group["cells_declared_normal"] == 2
        assert 0.0 <= group["auroc_before"] <= 1.0


def test_the_engine_was_checked_when_it_was_made_and_on_the_device(summary: dict[str, Any]) -> None:
    (engine,) = summary["engines"]
    assert (engine["target"], engine["state"]) == ("onnx", "parity-checked")
    assert engine["verify"]["outcome"] == "agrees", engine["verify"]["reason"]
    assert engine["mib"] > 1


def test_the_report_shows_photographs_without_linking_to_them(summary: dict[str, Any], output: Path) -> None:
    page = (output / "report.html").read_text(encoding="utf-8")
    assert f"{summary['mean_auroc_before']:.3f}" in page
    assert page.count("data:image/jpeg;base64,") == 4 * 3 * 4
    assert str(output) + "/cells/" not in page


def test_what_to_try_next_names_files_of_the_run(output: Path) -> None:
    assert any(f"inspect {output / BUNDLE} {output / 'cells'}" in command for command in try_next(output))


def test_a_missing_data_set_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NandEdgeError, match=r"elpv_dataset.*pip install 'nand-edge\[demo\]'"):
        cells.photographs()


def test_a_target_whose_package_is_missing_is_reported_with_the_reason(
    summary: dict[str, Any], output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert summary
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    refused = making.build(open_bundle(output / BUNDLE), Target.OPENVINO, lambda _: None)
    assert isinstance(refused, making.Refused)
    assert "openvino" in refused.reason
