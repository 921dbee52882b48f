from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
from toy_bundle import Spot

_IMPORT = "import sys, json; from nand_edge_runtime import Inspector; print(json.dumps(sorted(sys.modules)))"

_FIRST_VERDICT = """
import json, sys, time
started = time.perf_counter()
import cv2
from nand_edge_runtime import Inspector
verdict = Inspector(sys.argv[1]).inspect(cv2.imread(sys.argv[2])).verdict.value
from nand_edge_runtime.latency import peak_memory_mib
print(json.dumps([verdict, time.perf_counter() - started, peak_memory_mib(), sorted(sys.modules)]))
"""
_WORKSTATION = {
    "torch",
    "torchvision",
    "onnx",
    "onnxscript",
    "open_clip",
    "timm",
    "PIL",
    "matplotlib",
    "nand_edge_export",
}
_ENGINES = {"onnxruntime", "openvino", "tensorrt", "tensorrt_rtx_bindings", "cuda"}


def test_the_import_loads_neither_torch_nor_an_engine() -> None:
    run = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert not loaded & (_WORKSTATION | _ENGINES)


def test_import_and_first_verdict_are_quick_and_small(toy_bundle: Path, spot: Spot, tmp_path: Path) -> None:
    image = tmp_path / "part.png"
    cv2.imwrite(str(image), spot())
    arguments = [sys.executable, "-c", _FIRST_VERDICT, str(toy_bundle), str(image)]
    for _ in range(3):  # another program may hold the processor for one of them
        run = subprocess.run(arguments, capture_output=True, text=True, check=True)
        verdict, seconds, memory, modules = json.loads(run.stdout)
        if seconds < 1.5:
            break
    assert verdict == "pass"
    assert seconds < 1.5
    assert memory is None or memory < 350
    assert not {name.partition(".")[0] for name in modules} & _WORKSTATION
