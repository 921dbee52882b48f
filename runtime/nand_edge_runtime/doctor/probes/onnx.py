"""ONNX Runtime: does it run, which providers has it, and do those for GPUs really start?"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from nand_edge_runtime.doctor.findings import Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.packages import ONNXRUNTIMES, import_or_finding, installed_versions, requirements_of
from nand_edge_runtime.doctor.tiny_model import INPUT, ONNX_MODEL, OUTPUT
from nand_edge_runtime.isolation import first_line

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
_WORDS = {CUDA: "CUDA", TENSORRT: "TensorRT"}
_MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_DRIVEN = re.compile(r"nvidia-cuda-runtime\S*?~=(\d+)")


def probe(machine: Machine) -> TargetReport:
    """Look at ONNX Runtime on this machine."""
    remedies = machine.remedies
    versions = installed_versions(ONNXRUNTIMES)
    findings = []
    if len(versions) > 1:
        findings.append(
            Finding(
                f"{' and '.join(versions)} are both installed and write the same folder: whichever came last wins",
                remedies.one_onnxruntime(list(versions)),
            )
        )
    package = next(iter(versions), "onnxruntime")
    module = import_or_finding("onnxruntime", remedies, missing=remedies.onnxruntime(), package=package)
    if isinstance(module, Finding):
        return TargetReport("onnx", versions=versions, findings=(*findings, module))
    if not hasattr(module, "InferenceSession"):
        remedy = remedies.one_onnxruntime(list(versions) or ["onnxruntime"])
        findings.append(Finding("the package onnxruntime is an empty rest of another installation", remedy, stops=True))
        return TargetReport("onnx", versions=versions, findings=tuple(findings))
    versions = versions or {"onnxruntime": module.__version__}
    module.set_default_logger_severity(3)
    offered = tuple(module.get_available_providers())
    states = {CPU: start(module, CPU), **{each: start(module, each) for each in (CUDA, TENSORRT) if each in offered}}
    if states[CPU]:
        again = remedies.pip("install", "--force-reinstall", "--no-deps", package)
        findings.append(Finding(f"ONNX Runtime cannot run a graph: {states[CPU]}", again, stops=True))
    findings.extend(_of_gpu(machine, list(versions), offered, states.get(CUDA)))
    return TargetReport(
        "onnx",
        device=", ".join(["CPU", *(words for each, words in _WORDS.items() if states.get(each) == "")]),
        precisions=("fp32", "int8"),
        versions=versions,
        details={each: "starts" if not states[each] else f"does not start: {states[each]}" for each in states}
        | {each: "offered" for each in offered if each not in states},
        findings=tuple(findings),
    )


def start(onnxruntime: ModuleType, provider: str) -> str:
    """Run the tiny model on a provider; empty when it ran there, else why it did not."""
    import numpy as np

    if provider != CPU and hasattr(onnxruntime, "preload_dlls"):
        with _native_stderr():
            onnxruntime.preload_dlls()
    with _native_stderr() as said:
        try:
            session = onnxruntime.InferenceSession(ONNX_MODEL, providers=[provider])
            (result,) = session.run([OUTPUT], {INPUT: np.ones(2, np.float32)})
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's own exceptions share no public base class
            return first_line(error)
    if session.get_providers()[0] != provider:
        # A provider that fails to start leaves a session on the CPU, with no more than a line in the log.
        words = "".join(said)
        missing = _MISSING_LIBRARY.search(words)
        return f"no {missing[1]}" if missing else f"the session runs on {session.get_providers()[0]}"
    return "" if (result == 2).all() else f"one and one gave {result.tolist()}"


def _of_gpu(machine: Machine, installed: list[str], offered: tuple[str, ...], state: str | None) -> list[Finding]:
    """What is missing before an NVIDIA GPU that is there can be used."""
    graphics, remedies = machine.graphics, machine.remedies
    if not graphics.gpus or state == "":
        return []
    if CUDA not in offered:
        return [Finding("ONNX Runtime has no CUDA provider, though there is a GPU", remedies.cuda_provider(installed))]
    needed = next(
        (int(found[1]) for each in requirements_of("onnxruntime-gpu", "cuda") if (found := _DRIVEN.match(each))), 0
    )
    if graphics.is_older_than_cuda(needed):
        text = f"ONNX Runtime is built for CUDA {needed}, and the driver runs CUDA up to {graphics.cuda}"
        return [Finding(text, remedies.driver())]
    return [Finding(f"ONNX Runtime's CUDA provider does not start: {state}", remedies.cuda_provider(installed))]


@contextmanager
def _native_stderr() -> Iterator[list[str]]:
    """Catch what C++ writes to stderr; the list is filled when the block ends."""
    said: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as stream:
        os.dup2(stream.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            stream.seek(0)
            said.append(stream.read().decode(errors="replace"))
