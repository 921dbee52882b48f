"""Checking on the device itself that a bundle's engines compute what the reference computed at export."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.samples import MAPS, MAX_MAP_ERROR, SCORES, Results, Samples, compare, graph_of, read_samples
from nand_edge.signature import CLIP_RAN
from nand_edge_runtime.backends import TargetUnavailableError
from nand_edge_runtime.backends.protocol import FP32
from nand_edge_runtime.inspector import Inspector


class Outcome(str, Enum):
    """What came of checking one engine."""

    AGREES = "agrees"
    DIFFERS = "differs"
    CANNOT_RUN = "cannot run here"


@dataclass(frozen=True)
class EngineCheck:
    """One engine against the reference.

    Attributes:
        target: The engine's target.
        outcome: Whether it agrees.
        device: What it ran on; empty when it cannot run here.
        reason: Why it cannot run, or what differs.
        max_map_error: Largest difference over all maps of all samples.
        allowed_map_error: What is allowed for this target.
        verdicts_equal: Samples with the reference's verdict.
        samples: Samples compared.
    """

    target: Target
    outcome: Outcome
    device: str = ""
    reason: str = ""
    max_map_error: float | None = None
    allowed_map_error: float | None = None
    verdicts_equal: int = 0
    samples: int = 0

    def to_json(self) -> dict[str, Any]:
        """The check as one JSON object."""
        return {**asdict(self), "target": self.target.value, "outcome": self.outcome.value}


def verify_bundle(
    bundle: Bundle,
    targets: Iterable[Target] | None = None,
    *,
    on_check: Callable[[EngineCheck], None] | None = None,
) -> list[EngineCheck]:
    """Run a bundle's samples on engines of this machine and compare with the reference.

    Args:
        bundle: An opened bundle, its hashes already checked.
        targets: The targets to check; None checks all, the ones without an engine in the bundle left out
            unless they read the portable graph.
        on_check: Called after each engine.

    Raises:
        NandEdgeError: The bundle has no samples, or they are damaged.
    """
    built = {engine.target for engine in bundle.manifest.engines}
    checks = []
    for target in targets or [each for each in Target if each in built or each in (Target.ONNX, Target.OPENVINO)]:
        checks.append(check_engine(bundle, target))
        if on_check is not None:
            on_check(checks[-1])
    return checks


def check_engine(bundle: Bundle, target: Target) -> EngineCheck:
    """Compare one engine with the reference, on the open side of the gate and at the bundle's threshold.

    Raises:
        NandEdgeError: The bundle has no samples, or they are damaged.
    """
    samples = read_samples(bundle, graph_of(target))
    try:
        with Inspector(bundle, target=target) as inspector:
            return compare_with_samples(inspector, samples)
    except TargetUnavailableError as error:
        return EngineCheck(target, Outcome.CANNOT_RUN, reason=str(error))
    except NandEdgeError as error:
        return EngineCheck(target, Outcome.DIFFERS, reason=str(error))


def check_inspector(inspector: Inspector) -> EngineCheck:
    """Compare the engine that an inspector has loaded with the reference.

    What a lower precision may be off by is not for a device to say: of an engine that was chosen in one, the verdicts
    count.

    Raises:
        NandEdgeError: The bundle has no samples, or they are damaged.
    """
    check = compare_with_samples(inspector, read_samples(inspector.bundle, graph_of(inspector.target)))
    choice = inspector.choice
    if choice is None or choice.ranked[0].candidate.precision == FP32:
        return check
    if check.verdicts_equal == check.samples:
        return replace(check, outcome=Outcome.AGREES, reason="", allowed_map_error=None)
    return replace(check, allowed_map_error=None)


def compare_with_samples(inspector: Inspector, samples: Samples) -> EngineCheck:
    """Compare an engine that is already loaded with the reference."""

    def run(frame: NDArray[np.uint8], gate: float) -> Results:
        inspector.complete = math.isnan(gate)
        if not inspector.complete:
            inspector.threshold = gate
        inspection = inspector.inspect(frame)
        names = (*(MAPS if inspection.has_maps else ()), *SCORES, CLIP_RAN)
        return {name: np.asarray(getattr(inspection, name))[None] for name in names}

    largest, equal = compare(samples, run, threshold=inspector.threshold)
    allowed, count = MAX_MAP_ERROR[inspector.target], len(samples.frames)
    faults = []
    if largest > allowed:
        faults.append(f"maps are off by {largest:.2g}, {allowed:.0e} is allowed")
    if equal != count:
        faults.append(f"{count - equal} of {count} verdicts differ")
    return EngineCheck(
        target=inspector.target,
        outcome=Outcome.DIFFERS if faults else Outcome.AGREES,
        device=inspector.device,
        reason="; ".join(faults),
        max_map_error=largest,
        allowed_map_error=allowed,
        verdicts_equal=equal,
        samples=count,
    )
