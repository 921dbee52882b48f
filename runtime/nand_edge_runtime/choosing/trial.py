"""Trying one candidate in a process of its own, and what comes of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge_runtime.backends import BackendOptions
from nand_edge_runtime.choosing.candidates import Candidate
from nand_edge_runtime.isolation import call_isolated

_TIMEOUT_S = 900.0
"""Enough for an engine that is compiled as it loads."""


@dataclass(frozen=True)
class Load:
    """What the engines are measured with.

    Attributes:
        frame_size: Height and width of frames of noise, pixels; None takes the bundle's sample frames.
        batch: Frames a run.
        seconds: How long each side of the gate is timed.
    """

    frame_size: tuple[int, int] | None = None
    batch: int = 1
    seconds: float = 1.0


@dataclass(frozen=True)
class Measurement:
    """What a candidate took.

    Attributes:
        shut_ms: Median milliseconds of a run in which no frame enters the CLIP branch.
        open_ms: Median milliseconds of a run in which every frame goes through all of it.
        load_s: Seconds until the engine was ready.
        peak_memory_mib: Most memory that the process held; None where the system does not tell.
        device: What it ran on, in words.
        compared: Sample frames that were compared with the reference before; 0 where the bundle has none.
    """

    shut_ms: float
    open_ms: float
    load_s: float
    peak_memory_mib: float | None
    device: str
    compared: int

    def cost_ms(self, reject_rate: float) -> float:
        """Mean milliseconds of a run when this share of runs needs the CLIP branch."""
        return (1 - reject_rate) * self.shut_ms + reject_rate * self.open_ms


@dataclass(frozen=True)
class Trial:
    """One candidate and what came of trying it.

    Attributes:
        candidate: The candidate.
        measured: What it took; None when it failed.
        reason: Why it failed; empty when it did not.
    """

    candidate: Candidate
    measured: Measurement | None = None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The trial as one JSON object."""
        measured = None if self.measured is None else asdict(self.measured)
        return {**self.candidate.to_json(), "measured": measured, "reason": self.reason}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Trial:
        """The trial that `to_json` wrote."""
        candidate = Candidate(*(str(document[name]) for name in ("target", "precision", "provider")))
        measured = document["measured"]
        return cls(candidate, None if measured is None else Measurement(**measured), str(document["reason"]))


def try_candidate(bundle: Bundle, candidate: Candidate, options: BackendOptions, load: Load) -> Trial:
    """Measure a candidate in a process of its own, which may crash."""
    own = replace(options, precision=candidate.precision, provider=candidate.provider)
    arguments = {
        "folder": str(bundle.folder.resolve()),
        "target": candidate.target,
        "options": asdict(own),
        "load": asdict(load),
    }
    answer = call_isolated("nand_edge_runtime.choosing.measuring:measure", arguments, timeout_s=_TIMEOUT_S)
    if answer.failure:
        return Trial(candidate, reason=answer.failure)
    return Trial(candidate, Measurement(**answer.value))
