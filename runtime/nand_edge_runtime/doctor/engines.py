"""A bundle at the doctor's: which of its engines run here, which were built for this device, and what to build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.compute_capability import runs_on
from nand_edge.manifest import EngineRecord, Target
from nand_edge_runtime.backends import BackendOptions
from nand_edge_runtime.backends.protocol import FP32
from nand_edge_runtime.choosing.candidates import all_candidates
from nand_edge_runtime.choosing.trial import Load, Trial, try_candidate
from nand_edge_runtime.doctor import Diagnosis

_SECONDS = 0.2
"""Enough to see what an engine about takes; `nand-edge bench` measures it."""


@dataclass(frozen=True)
class EngineReport:
    """One engine of the bundle on this machine.

    Attributes:
        name: The engine in words.
        target: Its target.
        built_for: The compute capability that it was built for; empty for any device.
        fits: Whether that is this device's.
        runs: Whether it ran and agreed with the bundle's sample frames.
        reason: Why it did not.
        device: What it ran on.
        shut_ms: About what a frame takes that the gate holds back; None where it did not run.
        open_ms: About what a frame takes that goes through the CLIP branch.
    """

    name: str
    target: str
    built_for: str
    fits: bool
    runs: bool
    reason: str
    device: str
    shut_ms: float | None
    open_ms: float | None

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return asdict(self)


def examine_engines(
    bundle: Bundle, diagnosis: Diagnosis, targets: tuple[str, ...], *, on_engine: Callable[[str], None]
) -> list[EngineReport]:
    """Try the engines of a bundle, each in a process of its own.

    Args:
        bundle: An opened bundle.
        diagnosis: What this machine has.
        targets: The targets to look at.
        on_engine: Called with each engine's name before it is tried.
    """
    gpus = diagnosis.machine.graphics.gpus
    capability = gpus[0].compute_capability if gpus else ""
    trials: dict[str, Trial] = {}
    reports: dict[tuple[str, str], EngineReport] = {}
    for candidate, record in all_candidates(bundle, BackendOptions(), has_gpu=bool(gpus)):
        if candidate.target not in targets:
            continue
        if candidate.name not in trials:
            on_engine(candidate.name)
            trials[candidate.name] = try_candidate(bundle, candidate, BackendOptions(), Load(seconds=_SECONDS))
        report = _report(trials[candidate.name], record, capability)
        reports[report.name, report.built_for] = report
    return list(reports.values())


def builds_to_do(bundle: Bundle, diagnosis: Diagnosis, targets: tuple[str, ...]) -> list[tuple[str, str]]:
    """What this machine could run and the bundle does not have: why it is worth building, and the command."""
    folder = diagnosis.machine.remedies.quoted(str(bundle.folder))
    gpus = diagnosis.machine.graphics.gpus
    capability = gpus[0].compute_capability if gpus else ""
    found = []
    for target in (Target.ONNX, Target.OPENVINO, Target.TENSORRT, Target.TENSORRT_RTX):
        if target.value not in targets or not diagnosis.can_run(target.value):
            continue
        command = f"nand-edge build {folder} --target {target.value}"
        fitting = [
            record
            for record in bundle.manifest.engines
            if record.target is target and _fits(record.compute_capability, capability)
        ]
        if not fitting:
            found.append((f"no engine for {target.value} on this machine", command))
        if all(record.precision == FP32 for record in fitting):
            why = f"nobody measured whether a lower precision is faster here with {target.value}, and what it loses"
            found.append((why, f"{command} --precision auto --frames DIR"))
    return found


def _fits(built_for: str, capability: str) -> bool:
    return runs_on(built_for, capability) if capability else not built_for


def _report(trial: Trial, record: EngineRecord | None, capability: str) -> EngineReport:
    built_for = "" if record is None else record.compute_capability
    fits = _fits(built_for, capability)
    measured = trial.measured if fits else None
    return EngineReport(
        name=trial.candidate.name,
        target=trial.candidate.target,
        built_for=built_for,
        fits=fits,
        runs=measured is not None,
        reason=trial.reason if fits or trial.reason else "built for another device",
        device=measured.device if measured else "",
        shut_ms=measured.shut_ms if measured else None,
        open_ms=measured.open_ms if measured else None,
    )
