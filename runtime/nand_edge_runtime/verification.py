"""Checking on the device itself that a bundle's engines compute what the reference computed at export."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.samples import (
    MAPS,
    SCORES,
    Results,
    Samples,
    allowed_map_error,
    allowed_score_error,
    compare,
    graph_of,
    read_samples,
)
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
        precision: What it computes in.
        outcome: Whether it agrees.
        device: What it ran on; empty when it cannot run here.
        reason: Why it cannot run, or what differs.
        max_map_error: Largest difference over all maps of all samples.
        allowed_map_error: What is allowed for this target and precision.
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
    precision: str = FP32

    @property
    def name(self) -> str:
        """The engine in words: "onnx", "onnx int8"."""
        return self.target.value if self.precision == FP32 else f"{self.target.value} {self.precision}"

    def to_json(self) -> dict[str, Any]:
        """The check as one JSON object."""
        return {**asdict(self), "target": self.target.value, "outcome": self.outcome.value}


def verify_bundle(
    bundle: Bundle,
    targets: Iterable[Target] | None = None,
    *,
    precision: str | None = None,
    provider: str = "cpu",
    on_check: Callable[[EngineCheck], None] | None = None,
) -> list[EngineCheck]:
    """Run a bundle's samples on engines of this machine and compare with the reference.

    Args:
        bundle: An opened bundle, its hashes already checked.
        targets: The targets to check; None checks all, the ones without an engine in the bundle left out
            unless they read the portable graph.
        precision: The precision to check; None checks fp32 and whatever the bundle has engines in.
        provider: ONNX Runtime's provider; another than `cpu` leaves the other targets out where none are named.
        on_check: Called after each engine.

    Raises:
        NandEdgeError: The bundle has no samples, or they are damaged.
    """
    checks = []
    for target in targets or ([Target.ONNX] if provider != "cpu" else _targets(bundle)):
        for each in (precision,) if precision is not None else _precisions(bundle, target):
            checks.append(check_engine(bundle, target, precision=each, provider=provider))
            if on_check is not None:
                on_check(checks[-1])
    return checks


def _targets(bundle: Bundle) -> list[Target]:
    built = {engine.target for engine in bundle.manifest.engines}
    return [each for each in Target if each in built or each in (Target.ONNX, Target.OPENVINO)]


def _precisions(bundle: Bundle, target: Target) -> list[str]:
    built = [engine.precision for engine in bundle.manifest.engines if engine.target is target]
    # The portable graph is there in fp32 whatever was built; so is the answer for a target that has nothing.
    always = [FP32] if target in (Target.ONNX, Target.OPENVINO) or not built else []
    return list(dict.fromkeys([*always, *built]))


def check_engine(bundle: Bundle, target: Target, *, precision: str = FP32, provider: str = "cpu") -> EngineCheck:
    """Compare one engine with the reference, on the open side of the gate and at the bundle's threshold.

    Raises:
        NandEdgeError: The bundle has no samples, or they are damaged.
    """
    like, samples = reference_of(bundle, target, provider)
    try:
        with Inspector(bundle, target=target, provider=provider, precision=precision) as inspector:
            return compare_with_samples(inspector, samples, precision=precision, like=like)
    except TargetUnavailableError as error:
        return EngineCheck(target, Outcome.CANNOT_RUN, reason=str(error), precision=precision)
    except NandEdgeError as error:
        return EngineCheck(target, Outcome.DIFFERS, reason=str(error), precision=precision)


def reference_of(bundle: Bundle, target: Target, provider: str = "cpu") -> tuple[Target, Samples]:
    """The samples that an engine is compared with, and the target whose limits hold for it.

    Raises:
        NandEdgeError: The bundle has no samples, or they are damaged.
    """
    # ONNX Runtime's TensorRT reads the graph that is laid out for TensorRT, and may be off by as much.
    like = Target.TENSORRT if provider == "tensorrt" else target
    return like, read_samples(bundle, GRAPH_FOR_TENSORRT if like is Target.TENSORRT else graph_of(target))


def compare_with_samples(
    inspector: Inspector, samples: Samples, *, precision: str = FP32, like: Target | None = None
) -> EngineCheck:
    """Compare an engine that is already loaded with the reference.

    Args:
        inspector: The engine.
        samples: Frames and the reference's results.
        precision: What the engine computes in, which says what it may be off by.
        like: The target whose limits hold; None for the engine's own.
    """

    def run(frame: NDArray[np.uint8], gate: float) -> Results:
        inspector.complete = math.isnan(gate)
        if not inspector.complete:
            inspector.threshold = gate
        inspection = inspector.inspect(frame)
        names = (*(MAPS if inspection.has_maps else ()), *SCORES, CLIP_RAN)
        return {name: np.asarray(getattr(inspection, name))[None] for name in names}

    limits = (like or inspector.target, precision, samples)
    allowed, margin, count = allowed_map_error(*limits), allowed_score_error(*limits), len(samples.frames)
    largest, equal = compare(samples, run, threshold=inspector.threshold, margin=margin)
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
        precision=precision,
    )
