from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from toy_bundle import Spot

from nand_edge.command_line import main
from nand_edge.normality import Normality, write_normality

FIELDS = {
    "frame", "index", "timestamp", "score", "base_score", "threshold", "verdict", "suppressed", "normalities",
    "latency_ms", "bundle", "clip_ran", "taps_run", "score_is_bound",
}  # fmt: skip


@pytest.fixture
def parts(tmp_path: Path, spot: Spot) -> Path:
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, inside in (("a.png", 60), ("b.png", 230)):
        cv2.imwrite(str(folder / name), spot(inside))
    return folder


def test_inspect_writes_lines_and_pictures(toy_bundle: Path, parts: Path, tmp_path: Path) -> None:
    lines, pictures = tmp_path / "out.jsonl", tmp_path / "overlays"
    assert main(["inspect", str(toy_bundle), str(parts), "--jsonl", str(lines), "--overlay", str(pictures)]) == 0
    documents = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [set(document) for document in documents] == [FIELDS, FIELDS]
    assert [document["suppressed"] for document in documents] == [False, True]
    assert sorted(path.name for path in pictures.iterdir()) == ["000000-a.png", "000001-b.png"]


def test_rejects_do_not_change_the_exit_code(toy_bundle: Path, parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(toy_bundle), str(parts), "--no-normalities", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["frames"], summary["pass"], summary["reject"]) == (2, 1, 1)
    assert summary["target"] == "onnx"
    assert summary["normalities"] == []


def test_normalities_are_given_by_name_or_file(
    toy_bundle: Path, parts: Path, tmp_path: Path, own_normality: Normality, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shade.normality"
    write_normality(own_normality, file)
    arguments = ["inspect", str(toy_bundle), str(parts), "--json", "--normality", "dark", "--normality", str(file)]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["normalities"] == ["dark", "shade"]


def test_a_fault_is_one_sentence_and_leaves_no_output(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "out.jsonl"
    assert main(["inspect", str(toy_bundle), "nowhere", "--jsonl", str(lines)]) == 1
    captured = capsys.readouterr()
    assert captured.err == (
        "source 'nowhere': found no such file or folder, "
        "needed an image, a folder of images, a video file or a camera's index; check the path.\n"
    )
    assert captured.out == ""
    assert not lines.exists()


def test_an_unreadable_image_stops_the_run_unless_it_may_be_skipped(
    toy_bundle: Path, parts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (parts / "aa.png").write_bytes(b"")
    lines = tmp_path / "out.jsonl"
    arguments = ["inspect", str(toy_bundle), str(parts), "--jsonl", str(lines), "--json"]
    assert main(arguments) == 1
    assert "aa.png" in capsys.readouterr().err
    assert len(lines.read_text().splitlines()) == 1, "what was inspected before is told, in whole lines"
    assert main([*arguments, "--skip-bad"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == 1


def test_bench_writes_figures_and_a_chart(toy_bundle: Path, tmp_path: Path) -> None:
    figures, chart = tmp_path / "bench.json", tmp_path / "bench.svg"
    arguments = ["bench", str(toy_bundle), "--frames", "5", "--size", "32x24", "--json", str(figures)]
    assert main([*arguments, "--chart", str(chart)]) == 0
    document = json.loads(figures.read_text())
    assert document["size"] == "32x24"
    assert {"p50", "p90", "p99"} <= set(document["latency_ms"]["total"])
    assert chart.read_text().startswith("<svg")


def test_bench_names_a_size_that_it_cannot_read(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(toy_bundle), "--size", "vga"]) == 1
    assert capsys.readouterr().err == "size: found 'vga', needed WIDTHxHEIGHT in pixels; write it as 640x480.\n"


def test_verify_checks_one_target(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(toy_bundle), "--target", "onnx", "--json"]) == 0
    (engine,) = json.loads(capsys.readouterr().out)["engines"]
    assert (engine["target"], engine["outcome"]) == ("onnx", "agrees")


def test_verify_fails_when_the_named_target_cannot_run(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(toy_bundle), "--target", "tensorrt"]) == 1
    assert "cannot run here" in capsys.readouterr().out


def test_verify_refuses_an_altered_bundle(own_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = own_bundle / "graph.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    assert main(["verify", str(own_bundle)]) == 1
    assert "graph.onnx with sha256" in capsys.readouterr().err


def test_an_engine_that_nobody_built_names_the_command(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(toy_bundle), "--precision", "int8", "--no-spinning", "--threads", "1"]) == 1
    assert f"nand-edge build {toy_bundle} --target onnx --precision int8 --frames DIR" in capsys.readouterr().err


def test_verify_fails_when_the_named_provider_cannot_run(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if main(["verify", str(toy_bundle), "--provider", "cuda", "--json"]) == 0:
        pytest.skip("this machine has CUDA")
    (engine,) = json.loads(capsys.readouterr().out)["engines"]
    assert (engine["target"], engine["outcome"]) == ("onnx", "cannot run here")
    assert "provider 'cuda' of ONNX Runtime" in engine["reason"]
