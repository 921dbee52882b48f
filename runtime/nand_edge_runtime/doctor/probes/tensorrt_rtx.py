"""TensorRT-RTX: is it there, and is there a GPU for it?"""

from __future__ import annotations

from nand_edge_runtime.doctor.findings import Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.packages import import_or_finding, installed_versions
from nand_edge_runtime.doctor.probes.cuda_engine import device, gpu_findings, precisions, runtime_finding
from nand_edge_runtime.doctor.remedies import TENSORRT_RTX

_SMALLEST = (7, 5)
_CUDA = 13
"""As the names of its packages say."""
_PACKAGES = ("tensorrt-rtx", "tensorrt_rtx_cu13_bindings", "tensorrt_rtx_cu13_libs", "cuda-python", "cuda-bindings")
_MODULES = ("tensorrt_rtx", "tensorrt_rtx_bindings")


def probe(machine: Machine) -> TargetReport:
    """Look at TensorRT-RTX on this machine."""
    remedies, graphics = machine.remedies, machine.graphics
    findings = gpu_findings(machine, smallest=_SMALLEST)
    details = {}
    tried = [
        import_or_finding(name, remedies, missing=remedies.tensorrt_rtx(), package=TENSORRT_RTX[0]) for name in _MODULES
    ]
    module = next((each for each in tried if not isinstance(each, Finding)), tried[-1])
    if isinstance(module, Finding):
        findings.append(module)
    else:
        details["builds"] = "engines for other machines' GPUs, without one here"
        if graphics.is_older_than_cuda(_CUDA):
            text = f"TensorRT-RTX is built for CUDA {_CUDA}, and the driver runs CUDA up to {graphics.cuda}"
            findings.append(Finding(text, remedies.driver(), stops=True))
        elif graphics.gpus:
            findings.extend(runtime_finding(module, "TensorRT-RTX", remedies.tensorrt_rtx()))
    return TargetReport(
        "tensorrt-rtx",
        device(graphics),
        precisions(graphics),
        installed_versions(_PACKAGES),
        details,
        tuple(findings),
    )
