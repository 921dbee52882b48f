"""What a doctor says: findings with the command that mends them, and a report a target."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

DEVICE_SIDE = "device side"
"""The name of the report on what every target needs."""


@dataclass(frozen=True)
class Finding:
    """Something that is missing or wrong.

    Attributes:
        text: What it is.
        remedy: The exact command that mends it; empty where none does.
        stops: Whether a target cannot run because of it.
    """

    text: str
    remedy: str = ""
    stops: bool = False


@dataclass(frozen=True)
class TargetReport:
    """What was found of one target.

    Attributes:
        target: Its name.
        device: What engines for it run on here, in words; empty when none can.
        precisions: What this machine computes in, for this target.
        versions: Versions of its packages; a missing one is left out.
        details: More that was seen, such as ONNX Runtime's providers.
        findings: What is missing or wrong.
    """

    target: str
    device: str = ""
    precisions: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def can_run(self) -> bool:
        """Whether nothing stands in the way of an engine for this target."""
        return not any(finding.stops for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return {**asdict(self), "can_run": self.can_run}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> TargetReport:
        """The report that `to_json` wrote."""
        parts = {name: value for name, value in document.items() if name != "can_run"}
        findings = tuple(Finding(**finding) for finding in parts.pop("findings"))
        precisions = tuple(parts.pop("precisions"))
        return cls(**parts, findings=findings, precisions=precisions)
