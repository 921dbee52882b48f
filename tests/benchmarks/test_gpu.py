"""The GPU's benchmark, as far as it goes without one: its refusal, and its table with an engine for the CPU."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from toy_bundle import write_toy_bundle

from nand_edge.manifest import Target
from nand_edge_runtime.doctor.graphics import Gpu, Graphics, read_graphics


@pytest.fixture
def gpu() -> Any:
    """The script."""
    return importlib.import_module("gpu")


@pytest.mark.skipif(bool(read_graphics().gpus), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so_and_measures_nothing(
    gpu: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu.main(["--output", str(tmp_path), "--work", str(tmp_path / "work")]) == 1
    assert "needed an NVIDIA GPU with its driver" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_every_engine_has_its_row_and_one_that_is_not_here_its_reason(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphics = Graphics((Gpu("Some GPU", "8.6", 8192),), driver="580.1", cuda="13.0", present=True)
    monkeypatch.setattr(gpu, "read_graphics", lambda: graphics)
    on_the_cpu, missing = gpu.Variant(Target.ONNX, "fp32"), gpu.Variant(Target.TENSORRT, "fp16", cuda_graphs=True)
    monkeypatch.setattr(gpu, "VARIANTS", (on_the_cpu, missing))
    bundle = write_toy_bundle(tmp_path / "toy.nand")
    monkeypatch.setattr(gpu, "_bundle", lambda *_: bundle)
    monkeypatch.setitem(gpu.ASKED, (gpu.EMBEDDED, "onnx", "fp32", "cpu"), 1e6)

    arguments = ["--quick", "--threads", "1", "--only", "PatchCore", "--output", str(tmp_path)]
    assert gpu.main([*arguments, "--work", str(tmp_path / "work")]) == 0

    document = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    measured, absent = document["rows"]
    assert measured[:2] == [gpu.EMBEDDED, "onnx cpu fp32"]
    assert measured[-1] == "at most 1e+06 ms: kept"
    assert absent[1] == "tensorrt fp16, CUDA graphs"
    assert absent[3].startswith("not here: ")
    assert all(len(row) == len(document["columns"]) for row in document["rows"])
    assert "on one Some GPU (compute capability 8.6, driver 580.1, CUDA 13.0)" in document["note"]
    figures = document["figures"][f"{gpu.EMBEDDED}|onnx cpu fp32"]
    assert figures["gate_shut"]["repeats"] == figures["gate_open"]["repeats"] == 20
    assert 0 < figures["gate_open"]["p50"] <= figures["gate_open"]["p99"]
