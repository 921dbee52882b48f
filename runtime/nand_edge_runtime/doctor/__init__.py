"""The doctor: what this machine has, what is missing for each target, and the command that mends it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nand_edge_runtime.doctor.findings import DEVICE_SIDE, Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine, read_machine
from nand_edge_runtime.doctor.packages import installed_versions
from nand_edge_runtime.isolation import call_isolated

__all__ = ["PROBES", "Diagnosis", "Finding", "TargetReport", "diagnose"]

_OF_DEVICE_SIDE = "nand_edge_runtime.doctor.probes.device_side:probe"

PROBES = {
    "onnx": "nand_edge_runtime.doctor.probes.onnx:probe",
    "openvino": "nand_edge_runtime.doctor.probes.openvino:probe",
    "tensorrt": "nand_edge_runtime.doctor.probes.tensorrt:probe",
    "tensorrt-rtx": "nand_edge_runtime.doctor.probes.tensorrt_rtx:probe",
}
"""Where each target's probe is. Names, not `Target`: the doctor imports as little as it can."""

_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Diagnosis:
    """What this machine has.

    Attributes:
        machine: System, processor, memory and GPUs.
        packages: Versions of the packages that matter.
        device_side: What every target needs.
        targets: A report a target.
    """

    machine: Machine
    packages: dict[str, str]
    device_side: TargetReport
    targets: tuple[TargetReport, ...]

    def can_run(self, target: str) -> bool:
        """Whether engines for a target can run on this machine."""
        return self.device_side.can_run and any(each.can_run for each in self.targets if each.target == target)

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as one JSON object."""
        return {
            "machine": self.machine.to_json(),
            "packages": self.packages,
            "device_side": self.device_side.to_json(),
            "targets": {each.target: {**each.to_json(), "can_run": self.can_run(each.target)} for each in self.targets},
        }


def diagnose(targets: Sequence[str] = tuple(PROBES), *, on_probe: Callable[[str], None] | None = None) -> Diagnosis:
    """Look at this machine, each target in a process of its own.

    Args:
        targets: Names of the targets to look at.
        on_probe: Called with the name of what is looked at next.
    """
    reports = []
    for name, function in ((DEVICE_SIDE, _OF_DEVICE_SIDE), *((target, PROBES[target]) for target in targets)):
        if on_probe is not None:
            on_probe(name)
        reports.append(_report(name, function))
    return Diagnosis(read_machine(), installed_versions(), reports[0], tuple(reports[1:]))


def run_probe(function: str) -> dict[str, Any]:
    """Run a probe in this process and give its report as JSON has it."""
    module, _, name = function.partition(":")
    report: TargetReport = getattr(importlib.import_module(module), name)(read_machine())
    return report.to_json()


def _report(name: str, function: str) -> TargetReport:
    answer = call_isolated("nand_edge_runtime.doctor:run_probe", {"function": function}, timeout_s=_TIMEOUT_S)
    if answer.failure:
        return TargetReport(name, findings=(Finding(f"looking at it failed: {answer.failure}", stops=True),))
    return TargetReport.from_json(answer.value)
