from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("cv2", "matplotlib", "onnx", "onnxruntime", "onnxscript", "open_clip", "openvino", "tensorrt", "timm", "torch")


def modules_loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after it ran `statement`."""
    script = f"import sys\n{statement}\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_imports_point_in_the_agreed_direction(repository: Path) -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 4 kept, 0 broken." in done.stdout


@pytest.mark.parametrize(
    "package", ["nand_edge_runtime.inspector", "nand_edge_runtime.commands.inspect", "nand_edge_export.commands.build"]
)
def test_the_device_needs_neither_torch_nor_onnx(package: str) -> None:
    loaded = modules_loaded_by(f"import {package}")
    assert package.partition(".")[0] in loaded
    assert loaded.isdisjoint({"torch", "torchvision", "onnx", "onnxscript", "open_clip", "timm"})


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], []])
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    loaded = modules_loaded_by(f"from nand_edge.command_line import main\nmain({arguments})")
    assert "typer" in loaded
    assert loaded.isdisjoint({*HEAVY, "nand_edge_export", "nand_edge_runtime"})


def test_the_doctor_starts_without_what_it_looks_for() -> None:
    loaded = modules_loaded_by("import nand_edge_runtime.commands.doctor")
    assert loaded.isdisjoint({*HEAVY, "numpy", "pydantic", "safetensors", "nand_edge_export"})


def test_calling_a_command_loads_only_its_side() -> None:
    loaded = modules_loaded_by("from nand_edge.command_line import main\nmain(['info', '--help'])")
    assert loaded.isdisjoint({*HEAVY, "nand_edge_export", "nand_edge_runtime"})
