from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from broken_packages import DIES, break_package, pretend_installed
from packaging.requirements import Requirement

from nand_edge.bundle import add_engine, open_bundle, write_manifest
from nand_edge.command_line import main
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime.doctor import PROBES
from nand_edge_runtime.doctor.graphics import Gpu, Graphics, read_graphics
from nand_edge_runtime.doctor.machine import Machine, read_machine
from nand_edge_runtime.doctor.memory import read_memory
from nand_edge_runtime.doctor.platforms import Platform, System, read_platform
from nand_edge_runtime.doctor.probes import tensorrt, tensorrt_rtx
from nand_edge_runtime.doctor.processor import read_processor
from nand_edge_runtime.doctor.remedies import (
    BASE,
    CUDA_PYTHON,
    ONNXRUNTIME,
    ONNXRUNTIME_GPU,
    OPENVINO,
    TENSORRT,
    TENSORRT_RTX,
    Remedies,
)
from nand_edge_runtime.doctor.tiny_model import INPUT, ONNX_MODEL, OUTPUT
from nand_edge_runtime.isolation import call_isolated

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
DEBIAN = Platform(System.LINUX, "x86_64", "Debian GNU/Linux 12", "", "", has_apt=True, python="3.11.2")
JETSON = Platform(System.JETSON, "aarch64", "Ubuntu 22.04", "Jetson Orin", "36.4.3", has_apt=True, python="3.10.12")
WINDOWS = Platform(System.WINDOWS, "x86_64", "Windows 11", "", "", has_apt=False, python="3.12.1")
ADA = Graphics((Gpu("RTX 4000", "8.9", 12282),), driver="580.65", cuda="13.0", present=True)


def look(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the JSON of `nand-edge doctor`."""
    code = main(["doctor", "--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def sentences(report: dict[str, Any]) -> str:
    return "\n".join(f"{finding['text']} -> {finding['remedy']}" for finding in report["findings"])


def test_the_doctor_says_what_this_machine_has(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = look(capsys)
    assert code == 0
    assert document["targets"].keys() == PROBES.keys() == {target.value for target in Target}
    assert document["targets"]["onnx"]["can_run"]
    assert document["targets"]["onnx"]["details"]["CPUExecutionProvider"] == "starts"
    assert document["device_side"]["can_run"]
    assert document["machine"]["platform"]["python"].count(".") == 2
    assert document["machine"]["memory"]["total_mib"] > 500
    assert document["packages"]["numpy"] == np.__version__


def test_people_get_tables_and_commands_that_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    for part in ("This machine", "Packages", "Targets", "instruction sets", "OpenCV", *PROBES):
        assert part in shown


@needs_openvino
def test_openvino_is_seen_with_its_precisions(capsys: pytest.CaptureFixture[str]) -> None:
    code, document = look(capsys, "--target", "openvino")
    assert code == 0
    assert document["targets"].keys() == {"openvino"}
    assert "fp32" in document["targets"]["openvino"]["precisions"]
    assert "CPU" in document["targets"]["openvino"]["details"]


def test_a_package_that_cannot_be_imported_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(break_package(tmp_path, "openvino"))
    code, document = look(capsys, "--target", "openvino")
    assert code == 1
    assert sentences(document["targets"]["openvino"]) == (
        "openvino is installed and cannot be imported: its core is gone -> "
        f"{sys.executable} -m pip install --force-reinstall --no-deps '{OPENVINO}'"
    )
    assert main(["doctor"]) == 0, "ONNX Runtime still runs"
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_a_package_that_crashes_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(break_package(tmp_path, "openvino", DIES))
    code, document = look(capsys, "--target", "openvino")
    assert code == 1
    assert "its process was ended by SIGSEGV" in sentences(document["targets"]["openvino"])


def test_a_package_that_is_not_installed_is_named_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = 'raise ModuleNotFoundError("No module named \'openvino\'", name="openvino")'
    monkeypatch.syspath_prepend(break_package(tmp_path, "openvino", code))
    assert look(capsys, "--target", "openvino")[0] == 1
    assert main(["doctor", "--target", "openvino"]) == 1
    assert f"    {sys.executable} -m pip install '{OPENVINO}'\n" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/usr/bin/apt-get").exists(), reason="the command is apt's")
def test_a_missing_system_library_stops_every_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = 'raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")'
    monkeypatch.syspath_prepend(break_package(tmp_path, "cv2", code))
    code, document = look(capsys)
    assert code == 1
    assert sentences(document["device_side"]) == (
        "cv2 finds no system library libGL.so.1 -> sudo apt-get install -y libgl1 libglib2.0-0"
    )
    assert not any(report["can_run"] for report in document["targets"].values())


def test_the_doctor_works_where_nothing_else_does(tmp_path: Path) -> None:
    """Neither numpy nor OpenCV can be imported, nor any engine; pydantic is what typer itself needs."""
    names = (
        "numpy",
        "cv2",
        "safetensors",
        "onnxruntime",
        "openvino",
        "tensorrt",
        "tensorrt_rtx_bindings",
        "tensorrt_rtx",
        "torch",
        "onnx",
    )
    for name in names:
        break_package(tmp_path, name)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    arguments = [sys.executable, "-m", "nand_edge.command_line", "doctor", "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    document = json.loads(done.stdout)
    for name in ("numpy", "cv2", "safetensors"):
        assert f"{name} is installed and cannot be imported" in sentences(document["device_side"])
    assert "onnxruntime is installed and cannot be imported" in sentences(document["targets"]["onnx"])


def test_torch_and_onnx_are_not_needed(tmp_path: Path, toy_bundle: Path) -> None:
    for name in ("torch", "onnx"):
        break_package(tmp_path, name)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    arguments = [sys.executable, "-m", "nand_edge.command_line", "doctor", str(toy_bundle), "--target", "onnx"]
    assert subprocess.run(arguments, capture_output=True, env=environment, check=False).returncode == 0


def test_two_packages_of_onnx_runtime_are_a_trap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("onnxruntime", "onnxruntime-gpu"):
        pretend_installed(tmp_path, name, "1.19.0")
    monkeypatch.syspath_prepend(tmp_path)
    code, document = look(capsys, "--target", "onnx")
    assert code == 0, "it may still run"
    told = sentences(document["targets"]["onnx"])
    assert "onnxruntime and onnxruntime-gpu are both installed and write the same folder" in told
    assert "pip uninstall -y onnxruntime onnxruntime-gpu && " in told


def test_an_unknown_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--target", "tpu"]) == 1
    assert "target 'tpu': found an unknown name, needed one of onnx, openvino" in capsys.readouterr().err


def test_the_tiny_model_is_an_addition() -> None:
    model = onnx.load_model_from_string(ONNX_MODEL)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Add"]
    assert (model.graph.input[0].name, model.graph.output[0].name) == (INPUT, OUTPUT)


def test_with_a_bundle_its_engines_are_tried(own_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = EngineRecord(
        target=Target.TENSORRT, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, compute_capability="1.0"
    )
    bundle = add_engine(open_bundle(own_bundle), record)
    code, document = look(capsys, str(own_bundle))
    assert code == 0
    assert document["bundle"]["sha256"] == bundle.sha256
    engines = {engine["name"]: engine for engine in document["bundle"]["engines"]}
    assert engines["onnx fp32"]["runs"]
    assert engines["onnx fp32"]["open_ms"] > 0
    assert not engines["tensorrt fp32"]["runs"]
    assert not engines["tensorrt fp32"]["fits"]
    assert engines["tensorrt fp32"]["built_for"] == "1.0"
    assert engines["tensorrt fp32"]["reason"]
    assert main(["doctor", str(own_bundle), "--target", "tensorrt"]) == 1
    assert "Engines of own" in capsys.readouterr().out


@needs_openvino
def test_what_a_bundle_lacks_comes_with_the_command_that_builds_it(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, document = look(capsys, str(toy_bundle), "--target", "openvino")
    commands = [each["command"] for each in document["bundle"]["to_build"]]
    command = f"nand-edge build {toy_bundle} --target openvino"
    assert commands == [command, f"{command} --precision auto --frames DIR"]


def test_an_engine_that_is_no_engine_is_a_reason(own_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = open_bundle(own_bundle).manifest
    (own_bundle / "graph.onnx").write_bytes(b"not a graph")
    write_manifest(own_bundle, manifest)
    code, document = look(capsys, str(own_bundle), "--target", "onnx")
    assert code == 1
    (engine,) = (each for each in document["bundle"]["engines"] if each["name"] == "onnx fp32")
    assert engine["reason"].startswith("engine 'graph.onnx' of bundle 'own': found a graph that ONNX Runtime")


def test_a_jetson_is_known_by_its_release(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic\n")
    (tmp_path / "etc/os-release").write_text('PRETTY_NAME="Ubuntu 22.04.5 LTS"\n')
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("NVIDIA Jetson AGX Orin Developer Kit\0")
    found = read_platform(tmp_path)
    assert (found.system, found.l4t, found.jetpack) == (System.JETSON, "36.4.3", 6)
    assert (found.release, found.board) == ("Ubuntu 22.04.5 LTS", "NVIDIA Jetson AGX Orin Developer Kit")


def test_each_platform_has_its_own_commands() -> None:
    debian, jetson, windows = (Remedies(each, python="py") for each in (DEBIAN, JETSON, WINDOWS))
    assert debian.onnxruntime() == "py -m pip install 'onnxruntime-gpu>=1.17'"
    assert windows.onnxruntime() == 'py -m pip install "onnxruntime-gpu>=1.17"'
    assert jetson.onnxruntime().startswith(
        "py -m pip install --extra-index-url https://pypi.jetson-ai-lab.io/jp6/cu126 "
    )
    assert debian.tensorrt() == "py -m pip install --extra-index-url https://pypi.nvidia.com 'tensorrt>=10.3'"
    assert jetson.tensorrt() == "sudo apt-get install -y nvidia-tensorrt python3-libnvinfer"
    assert jetson.tensorrt_rtx() == ""
    assert debian.cuda_python("12.4") == "py -m pip install 'cuda-python>=12.2,<13'"
    assert debian.driver() == "sudo apt-get install -y nvidia-driver"
    assert Remedies(replace(DEBIAN, release="Ubuntu 24.04")).driver() == "sudo ubuntu-drivers install"
    assert debian.cuda_provider(["onnxruntime"]) == (
        "py -m pip uninstall -y onnxruntime && py -m pip install 'onnxruntime-gpu[cuda,cudnn]>=1.17'"
    )


def test_the_commands_install_what_the_package_requires() -> None:
    """The requirements are those of pyproject.toml, which a device does not have."""
    from importlib.metadata import requires

    required = {Requirement(each).name: str(Requirement(each).specifier) for each in requires("nand-edge") or []}
    for each in (*BASE.values(), ONNXRUNTIME, ONNXRUNTIME_GPU, OPENVINO, TENSORRT, *TENSORRT_RTX, CUDA_PYTHON):
        requirement = Requirement(each)
        assert required[requirement.name] == str(requirement.specifier)


def test_a_processor_of_arm_and_the_limits_of_a_container(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp bf16 i8mm\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal:       8388608 kB\nMemAvailable:   6291456 kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("50000 100000\n")
    (tmp_path / "sys/fs/cgroup/memory.max").write_text(f"{4 << 30}\n")
    processor, memory = read_processor(tmp_path), read_memory(tmp_path)
    assert processor.usable == 0.5
    assert processor.has_bf16
    assert processor.has_int8
    assert not processor.instructions["SVE"]
    assert (memory.total_mib, memory.available_mib) == (4096, 4096)


@pytest.mark.skipif(sys.platform != "linux" or bool(read_graphics().driver), reason="needs Linux without a driver")
def test_a_gpu_without_its_driver_is_seen_on_the_bus(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x10de\n")
    (device / "class").write_text("0x030000\n")
    graphics = read_graphics(tmp_path)
    assert graphics.present
    assert "an NVIDIA GPU without a driver that answers" in graphics.fault
    report = tensorrt.probe(_machine(DEBIAN, graphics))
    assert "sudo apt-get install -y nvidia-driver" in {finding.remedy for finding in report.findings}


def test_what_a_gpu_lacks_is_named_with_the_command_of_its_platform() -> None:
    """The driver and the GPU are told to be there; TensorRT's packages are what this environment has."""
    report = tensorrt.probe(_machine(JETSON, replace(ADA, cuda="12.6")))
    remedies = {finding.text: finding.remedy for finding in report.findings}
    assert report.device == "RTX 4000, compute capability 8.9"
    assert report.precisions == ("fp32", "fp16", "bf16", "int8", "fp8")
    if importlib.util.find_spec("tensorrt") is None:
        assert remedies["no Python package tensorrt"] == "sudo apt-get install -y nvidia-tensorrt python3-libnvinfer"
        assert not report.can_run
    if importlib.util.find_spec("cuda") is None:
        assert remedies["no Python package cuda.bindings.runtime"].endswith("pip install 'cuda-python>=12.2,<13'")


DRIVER = r"""
#include <string.h>
int cuInit(unsigned flags) { return flags; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int place) { *device = 7 + place; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Stand-in 4000", size); return device != 7; }
int cuDeviceTotalMem_v2(size_t *size, int device) { *size = (size_t)12 << 30; return device != 7; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 8 : 9; return device != 7; }
int cuGetErrorString(int status, const char **words) { *words = "no words"; return 0; }
"""


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None or bool(read_graphics().driver),
    reason="needs Linux with a C compiler and without NVIDIA's driver",
)
@pytest.mark.parametrize(("version", "newest"), [(12040, "12.4"), (13000, "13.0")])
def test_a_gpu_is_read_from_the_driver_itself(tmp_path: Path, version: int, newest: str) -> None:
    """The driver's library is a stand-in with the same functions; ONNX Runtime then looks for CUDA in vain."""
    (tmp_path / "driver.c").write_text(DRIVER)
    library = tmp_path / "libcuda.so.1"
    subprocess.run(
        ["cc", "-shared", "-fPIC", f"-DVERSION={version}", "-o", library, tmp_path / "driver.c"],  # noqa: S607
        check=True,
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    arguments = [sys.executable, "-m", "nand_edge.command_line", "doctor", "--target", "onnx", "--json"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=True)
    document = json.loads(done.stdout)
    graphics = document["machine"]["graphics"]
    assert graphics["gpus"] == [{"name": "Stand-in 4000", "compute_capability": "8.9", "memory_mib": 12288}]
    assert graphics["cuda"] == newest
    assert "CUDA" in sentences(document["targets"]["onnx"])
    assert document["targets"]["onnx"]["can_run"], "on the CPU"


def test_a_gpu_that_is_too_old_is_refused() -> None:
    old = Graphics((Gpu("GTX 1080", "6.1", 8192),), driver="580.65", cuda="13.0", present=True)
    report = tensorrt_rtx.probe(_machine(DEBIAN, old))
    assert "a GPU of compute capability 6.1, 7.5 or higher is needed" in {finding.text for finding in report.findings}
    assert not report.can_run


def test_a_call_in_another_process_answers_whatever_happens() -> None:
    assert call_isolated("operator:add", {}, timeout_s=30).failure.startswith("TypeError: ")
    assert call_isolated("os.path:basename", {"p": "/a/b"}, timeout_s=30).value == "b"
    assert (
        call_isolated("os:_exit", {"status": 3}, timeout_s=30).failure == "its process ended with code 3 and no answer"
    )
    assert call_isolated("threading:Event.wait", {}, timeout_s=30).failure.startswith("AttributeError")
    slow = call_isolated("subprocess:check_call", {"args": ["sleep", "60"]}, timeout_s=1)
    assert re.fullmatch(r"no answer within 1 seconds", slow.failure)


def _machine(platform: Platform, graphics: Graphics) -> Machine:
    return replace(read_machine(), platform=platform, graphics=graphics)
