"""What every target needs: the packages of the device's side, and an OpenCV that reads pictures and video."""

from __future__ import annotations

from types import ModuleType

from nand_edge_runtime.doctor.findings import DEVICE_SIDE, Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.packages import import_or_finding, installed_versions
from nand_edge_runtime.doctor.remedies import BASE

_VIDEO = {"FFmpeg": "CAP_FFMPEG", "V4L2": "CAP_V4L2", "GStreamer": "CAP_GSTREAMER"}


def probe(machine: Machine) -> TargetReport:
    """Import what frames and bundles are read with."""
    remedies = machine.remedies
    findings, details, versions = [], {}, installed_versions(tuple(BASE))
    for name, requirement in BASE.items():
        module = import_or_finding(name, remedies, missing=remedies.pip("install", requirement), package=requirement)
        if isinstance(module, Finding):
            findings.append(module)
        elif name == "cv2":
            versions["OpenCV"] = module.__version__
            details.update(_video(module))
    return TargetReport(DEVICE_SIDE, versions=versions, details=details, findings=tuple(findings))


def _video(cv2: ModuleType) -> dict[str, str]:
    """By name, whether OpenCV has the ways to video that cameras and files need."""
    registry = cv2.videoio_registry
    if hasattr(registry, "hasBackend"):
        has = {name: registry.hasBackend(getattr(cv2, constant)) for name, constant in _VIDEO.items()}
    else:
        listed = {registry.getBackendName(each).upper() for each in registry.getBackends()}
        has = {name: name.upper() in listed for name in _VIDEO}
    return {name: "yes" if present else "no" for name, present in has.items()}
