"""TensorRT: is it there, and is there a GPU for it?"""

from __future__ import annotations

import sys
from pathlib import Path

from nand_edge_runtime.doctor.findings import Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.packages import import_or_finding, installed_versions
from nand_edge_runtime.doctor.platforms import System
from nand_edge_runtime.doctor.probes.cuda_engine import device, gpu_findings, precisions, runtime_finding
from nand_edge_runtime.doctor.remedies import TENSORRT, Remedies

_SMALLEST = (7, 5)
_OLDEST = (10, 3)


def probe(machine: Machine) -> TargetReport:
    """Look at TensorRT on this machine."""
    remedies, graphics = machine.remedies, machine.graphics
    findings = gpu_findings(machine, smallest=_SMALLEST)
    versions = installed_versions(("tensorrt", "cuda-python", "cuda-bindings"))
    module = import_or_finding("tensorrt", remedies, missing=_missing(remedies), package=TENSORRT)
    if isinstance(module, Finding):
        # Without a GPU the package would mend nothing.
        findings.append(module if graphics.present else Finding(module.text, stops=True))
    else:
        versions["tensorrt"] = module.__version__
        if tuple(int(part) for part in module.__version__.split(".")[:2]) < _OLDEST:
            text = f"TensorRT {module.__version__}, 10.3 or later is needed"
            findings.append(Finding(text, remedies.tensorrt(), stops=True))
        elif graphics.gpus:
            findings.extend(runtime_finding(module, "TensorRT", remedies.tensorrt()))
    return TargetReport("tensorrt", device(graphics), precisions(graphics), versions, findings=tuple(findings))


def _missing(remedies: Remedies, root: Path = Path("/usr/lib")) -> str:
    """The installation; or, where JetPack brought it and a virtual environment hides it, the way to see it."""
    hidden = sys.prefix != sys.base_prefix and any(root.glob("python3*/dist-packages/tensorrt"))
    if hidden and remedies.platform.system is System.JETSON:
        return remedies.system_site_packages()
    return remedies.tensorrt()
