"""Checking on the device itself that a bundle's engines compute what the reference computed at export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from nand_edge.bundle import SAMPLES, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge.inspection import Inspection, decide
from nand_edge.manifest import Target
from nand_edge_runtime.backends import TargetUnavailableError
from nand_edge_runtime.inspector import Inspector

REFERENCE = f"{SAMPLES}/reference.safetensors"
MAPS = ("base_map", "suppression_map", "anomaly_map")
SCORES = ("base_score", "score")

MAX_MAP_ERROR = {
    Target.ONNX: 1e-4,
    Target.OPENVINO: 5e-3,
    Target.TENSORRT: 1e-2,
    Target.TENSORRT_RTX: 1e-2,
}
"""What the maps of an fp32 engine may be off by: GPUs multiply in TF32, OpenVINO reorders its sums."""

_GATE_OPEN = -1e30


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


@dataclass(frozen=True)
class Reference:
    """The samples of a bundle and what the reference computed for them.

    Attributes:
        frames: Paths of the sample frames.
        maps: float32 [n, M, M] by name, with the bundle's active normalities, on the open side of the gate.
        scores: float32 [n] by name.
    """

    frames: tuple[Path, ...]
    maps: dict[str, NDArray[np.float32]]
    scores: dict[str, NDArray[np.float32]]


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
    reference = read_reference(bundle)
    built = {engine.target for engine in bundle.manifest.engines}
    checks = []
    for target in targets or [each for each in Target if each in built or each in (Target.ONNX, Target.OPENVINO)]:
        checks.append(check_engine(bundle, target, reference))
        if on_check is not None:
            on_check(checks[-1])
    return checks


def check_engine(bundle: Bundle, target: Target, reference: Reference) -> EngineCheck:
    """Compare one engine with the reference, on the open side of the gate and at the bundle's threshold."""
    try:
        with Inspector(bundle, target=target) as inspector:
            return _compare(inspector, reference)
    except TargetUnavailableError as error:
        return EngineCheck(target, Outcome.CANNOT_RUN, reason=str(error))
    except NandEdgeError as error:
        return EngineCheck(target, Outcome.DIFFERS, reason=str(error))


def read_reference(bundle: Bundle) -> Reference:
    """Read the samples of a bundle.

    Raises:
        NandEdgeError: There are none, or they are damaged.
    """
    path = bundle.path(REFERENCE)
    if not path.is_file():
        raise _no_samples(bundle, f"no {REFERENCE}")
    try:
        with safe_open(str(path), framework="numpy") as stream:
            names = json.loads((stream.metadata() or {})["frames"])
            tensors = {name: np.asarray(stream.get_tensor(name)) for name in (*MAPS, *SCORES)}
    except (SafetensorError, KeyError, ValueError) as error:
        raise _no_samples(bundle, f"a {REFERENCE} that cannot be read ({error})") from None
    counts = {len(tensor) for tensor in tensors.values()}
    if counts != {len(names)} or not names:
        raise _no_samples(bundle, f"{len(names)} sample frames and results for {sorted(counts)}")
    return Reference(
        frames=tuple(bundle.path(f"{SAMPLES}/{name}") for name in names),
        maps={name: tensors[name] for name in MAPS},
        scores={name: tensors[name] for name in SCORES},
    )


def _compare(inspector: Inspector, reference: Reference) -> EngineCheck:
    bundle_threshold = inspector.threshold
    largest, equal = 0.0, 0
    for place, path in enumerate(reference.frames):
        frame = read_frame(path)
        inspector.threshold = _GATE_OPEN
        largest = max(largest, _map_error(inspector.inspect(frame), reference, place))
        inspector.threshold = bundle_threshold
        expected = decide(float(reference.scores["score"][place]), bundle_threshold)
        equal += inspector.inspect(frame).verdict is expected
    allowed, samples = MAX_MAP_ERROR[inspector.target], len(reference.frames)
    faults = []
    if not largest <= allowed:
        faults.append(f"maps are off by {largest:.2g}, {allowed:.0e} is allowed")
    if equal != samples:
        faults.append(f"{samples - equal} of {samples} verdicts differ")
    return EngineCheck(
        target=inspector.target,
        outcome=Outcome.DIFFERS if faults else Outcome.AGREES,
        device=inspector.device,
        reason="; ".join(faults),
        max_map_error=largest,
        allowed_map_error=allowed,
        verdicts_equal=equal,
        samples=samples,
    )


def _map_error(inspection: Inspection, reference: Reference, place: int) -> float:
    """Largest difference over the maps; NaN in an engine's map, which no tolerance allows, is infinite."""
    errors = [np.abs(getattr(inspection, name) - reference.maps[name][place]).max() for name in MAPS]
    return float(np.nan_to_num(np.max(errors), nan=np.inf))


def _no_samples(bundle: Bundle, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"samples of bundle {bundle.name!r}",
        found=found,
        needed="sample frames with the reference's results",
        do="export the bundle again with this version of nand-edge",
    )
