from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from toy_bundle import write_toy_bundle

from nand_edge.bundle import open_bundle
from nand_edge.command_line import main
from nand_edge.normality import Normality, write_normality


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_bundle(tmp_path_factory.mktemp("bundle") / "toy.nand")


@pytest.fixture
def thread(tmp_path: Path) -> Path:
    features, bias = np.eye(2, 4, dtype=np.float32).reshape(1, 2, 1, 4), np.zeros((1, 2, 1), np.float32)
    words = Normality(
        "thread", "thread [red]", "carpet", ("carpet with thread",), ("a photo",), "c" * 64, "toy", features, bias
    )
    write_normality(words, tmp_path / "thread.normality")
    return tmp_path / "thread.normality"


def test_a_bundle_is_shown_in_tables(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(bundle)]) == 0
    shown = capsys.readouterr().out
    manifest = open_bundle(bundle).manifest
    for part in (
        "Base detector",
        "CLIP",
        "Normalities",
        "Engines",
        "Graph",
        "Weights",
        "Files",
        manifest.sha256()[:40],
    ):
        assert part in shown
    for normality in manifest.normalities:
        assert normality.text in shown
    for name in (*manifest.graph.inputs, *manifest.graph.outputs):
        assert name in shown


def test_a_bundle_as_json_is_its_manifest_and_identity(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(bundle), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    opened = open_bundle(bundle)
    assert document.pop("kind") == "bundle"
    assert document.pop("bundle") == opened.sha256
    assert document == opened.manifest.model_dump(mode="json")


def test_words_in_square_brackets_are_shown_as_they_are(thread: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(thread)]) == 0
    shown = capsys.readouterr().out
    assert "thread [red]" in shown
    assert "features: F32 [1, 2, 1, 4]" in shown


def test_a_normality_as_json(thread: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(thread), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["text"], document["object_name"]) == ("normality 2", "thread [red]", "carpet")


def test_another_file_of_ours_shows_its_metadata(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metadata = {"format": "nand-edge detector 1", "record": json.dumps({"kind_of_detector": "grey"}), "note": "by hand"}
    save_file({"memory": np.zeros((3, 2), np.float32)}, tmp_path / "grey.detector", metadata=metadata)
    assert main(["info", str(tmp_path / "grey.detector"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "detector 1"
    assert document["kind_of_detector"] == "grey"
    assert document["note"] == "by hand"
    assert document["tensors"] == ["memory: F32 [3, 2]"]


@pytest.mark.parametrize(
    ("content", "found"), [(b"", "found no safetensors file"), (b"hello" * 100, "found no safetensors file")]
)
def test_a_file_of_another_kind_is_refused(
    content: bytes, found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.normality").write_bytes(content)
    assert main(["info", str(tmp_path / "a.normality")]) == 1
    assert found in capsys.readouterr().err


def test_safetensors_of_others_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    assert main(["info", str(tmp_path / "model.safetensors")]) == 1
    assert "found a safetensors file of others" in capsys.readouterr().err


def test_a_normality_that_was_cut_short_is_refused(thread: Path, capsys: pytest.CaptureFixture[str]) -> None:
    thread.write_bytes(thread.read_bytes()[:-4])
    assert main(["info", str(thread)]) == 1
    assert "cut short" in capsys.readouterr().err


def test_an_altered_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_toy_bundle(tmp_path / "toy.nand")
    graph = folder / "graph.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    assert main(["info", str(folder)]) == 1
    assert "copy the bundle again" in capsys.readouterr().err
