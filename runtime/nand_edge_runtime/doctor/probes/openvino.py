"""OpenVINO: does it run on this CPU, and in which precisions?"""

from __future__ import annotations

from nand_edge_runtime.doctor.findings import Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.packages import import_or_finding, installed_versions
from nand_edge_runtime.doctor.remedies import OPENVINO
from nand_edge_runtime.doctor.tiny_model import ONNX_MODEL
from nand_edge_runtime.isolation import first_line

_PRECISIONS = {"FP32": "fp32", "BF16": "bf16", "INT8": "int8"}
"""What of OpenVINO's words of a CPU is a precision that engines are run in; its FP16 is often emulated."""


def probe(machine: Machine) -> TargetReport:
    """Look at OpenVINO on this machine."""
    remedies = machine.remedies
    versions = installed_versions(("openvino",))
    module = import_or_finding("openvino", remedies, missing=remedies.openvino(), package=OPENVINO)
    if isinstance(module, Finding):
        return TargetReport("openvino", versions=versions, findings=(module,))
    again = remedies.pip("install", "--force-reinstall", "--no-deps", OPENVINO)
    if not hasattr(module, "Core"):
        finding = Finding("the package openvino is an empty rest of another installation", again, stops=True)
        return TargetReport("openvino", versions=versions, findings=(finding,))
    import numpy as np

    try:
        core = module.Core()
        model = core.compile_model(core.read_model(ONNX_MODEL), "CPU")
        result = model(np.ones(2, np.float32))[0]
        capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        details = {device: str(core.get_property(device, "FULL_DEVICE_NAME")) for device in core.available_devices}
    except Exception as error:  # noqa: BLE001 - a broken installation raises what it likes
        finding = Finding(f"OpenVINO cannot run a graph on the CPU: {first_line(error)}", again, stops=True)
        return TargetReport("openvino", versions=versions, findings=(finding,))
    wrong = (
        [] if (np.asarray(result) == 2).all() else [Finding(f"OpenVINO: one and one gave {result}", again, stops=True)]
    )
    return TargetReport(
        "openvino",
        device="CPU",
        precisions=tuple(words for name, words in _PRECISIONS.items() if name in capabilities),
        versions=versions,
        details=details,
        findings=tuple(wrong),
    )
