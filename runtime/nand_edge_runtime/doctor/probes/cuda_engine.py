"""What TensorRT and TensorRT-RTX both need: a GPU, its driver and cuda-python."""

from __future__ import annotations

from types import ModuleType

from nand_edge_runtime.doctor.findings import Finding
from nand_edge_runtime.doctor.graphics import Graphics
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.packages import import_or_finding
from nand_edge_runtime.doctor.remedies import CUDA_PYTHON
from nand_edge_runtime.isolation import first_line

_LAYOUTS = ("cuda.bindings.runtime", "cuda.cudart")
"""Where cuda-python has CUDA's runtime: from 12.8 on, and before."""
_BF16_FROM, _FP8_FROM = (8, 0), (8, 9)


def gpu_findings(machine: Machine, *, smallest: tuple[int, int]) -> list[Finding]:
    """What stands between this machine and an engine on its GPU, the engine's own package left aside.

    Args:
        machine: The machine.
        smallest: The lowest compute capability that the target has engines for.
    """
    graphics, remedies = machine.graphics, machine.remedies
    findings = []
    if not graphics.gpus:
        remedy = remedies.driver() if graphics.present else ""
        findings.append(Finding(graphics.fault, remedy, stops=True))
    elif capability(graphics) < smallest:
        needed = ".".join(map(str, smallest))
        text = f"a GPU of compute capability {graphics.gpus[0].compute_capability}, {needed} or higher is needed"
        findings.append(Finding(text, stops=True))
    tried = [
        import_or_finding(each, remedies, missing=remedies.cuda_python(graphics.cuda), package=CUDA_PYTHON)
        for each in _LAYOUTS
    ]
    module = next((each for each in tried if not isinstance(each, Finding)), tried[0])
    if isinstance(module, Finding):
        # Where there is no GPU, nobody should install it: it would mend nothing.
        findings.extend([module] if graphics.gpus else [])
    elif graphics.gpus:
        status, count = module.cudaGetDeviceCount()
        if status != module.cudaError_t.cudaSuccess or not count:
            findings.append(
                Finding(f"cuda-python finds no device ({status.name})", remedies.cuda_python(graphics.cuda), stops=True)
            )
    return findings


def capability(graphics: Graphics) -> tuple[int, int]:
    """Compute capability of the first GPU, which engines run on; (0, 0) without one."""
    if not graphics.gpus:
        return 0, 0
    major, _, minor = graphics.gpus[0].compute_capability.partition(".")
    return int(major), int(minor)


def device(graphics: Graphics) -> str:
    """The first GPU in words; empty without one."""
    return f"{graphics.gpus[0].name}, compute capability {graphics.gpus[0].compute_capability}" if graphics.gpus else ""


def precisions(graphics: Graphics) -> tuple[str, ...]:
    """What the first GPU computes in."""
    if not graphics.gpus:
        return ()
    own = capability(graphics)
    return ("fp32", "fp16", *(["bf16"] if own >= _BF16_FROM else []), "int8", *(["fp8"] if own >= _FP8_FROM else []))


def runtime_finding(module: ModuleType, words: str, remedy: str) -> list[Finding]:
    """Whether the library behind the module starts."""
    try:
        runtime = module.Runtime(module.Logger(module.Logger.ERROR))
        return [] if runtime else [Finding(f"{words} gives no runtime", remedy, stops=True)]
    except Exception as error:  # noqa: BLE001 - bindings raise what they like
        return [Finding(f"{words} does not start: {first_line(error)}", remedy, stops=True)]
