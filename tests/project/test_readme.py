from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def readme(repository: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("readme", repository / "benchmarks" / "readme.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_a_result_becomes_a_table_between_its_markers(readme: ModuleType, tmp_path: Path) -> None:
    table = {"columns": ["target", "p50"], "rows": [["onnx", 7.5], ["a|b", 1]], "note": "On 2 cores."}
    (tmp_path / "targets.json").write_text(json.dumps(table), encoding="utf-8")
    filled = readme.fill("A\n<!-- begin:targets -->\nold\n<!-- end:targets -->\nB\n", tmp_path)
    assert filled == (
        "A\n<!-- begin:targets -->\n"
        "| target | p50 |\n| --- | --- |\n| onnx | 7.5 |\n| a\\|b | 1 |\n\nOn 2 cores.\n"
        "<!-- end:targets -->\nB\n"
    )
    assert readme.fill(filled, tmp_path) == filled


def test_an_output_is_shown_as_it_was_printed(readme: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "demo.txt").write_text("mean AUROC 0.80 -> \\1\n", encoding="utf-8")
    filled = readme.fill("<!-- begin:demo -->\n<!-- end:demo -->", tmp_path)
    assert filled == "<!-- begin:demo -->\n```console\nmean AUROC 0.80 -> \\1\n```\n<!-- end:demo -->"


def test_a_block_without_a_result_stays(readme: ModuleType, tmp_path: Path) -> None:
    text = "<!-- begin:speed -->\nas it was\n<!-- end:speed -->"
    assert readme.fill(text, tmp_path) == text


@pytest.mark.parametrize("text", ["<!-- begin:a -->\n", "<!-- begin:a -->\n<!-- end:b -->", "<!-- end:a -->"])
def test_a_marker_without_its_partner_is_refused(text: str, readme: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its"):
        readme.fill(text, tmp_path)


def test_check_fails_on_a_readme_that_results_would_change(
    readme: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(readme, "DOCUMENTS", (tmp_path / "README.md",))
    monkeypatch.setattr(readme, "RESULTS", tmp_path)
    (tmp_path / "README.md").write_text("<!-- begin:demo -->\n<!-- end:demo -->\n", encoding="utf-8")
    assert readme.main(["--check"]) == 0
    (tmp_path / "demo.txt").write_text("done\n", encoding="utf-8")
    assert readme.main(["--check"]) == 1
    assert "differs" in capsys.readouterr().err
    assert readme.main([]) == 0
    assert readme.main(["--check"]) == 0


def test_the_documents_are_what_the_results_make_them(readme: ModuleType) -> None:
    assert readme.main(["--check"]) == 0
