"""The fastest precision within a stated loss, by building and measuring all that a target has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nand_edge.bundle import Bundle, add_engine, remove_engine
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import AccuracyRecord, Target
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.precision import FP32, precisions_of
from nand_edge_export.precision.labels import LabelledFrames

AUTO = "auto"


@dataclass(frozen=True)
class Candidate:
    """A precision that was tried.

    Attributes:
        precision: The precision.
        accuracy: What was measured; None for the engine that all are compared with, or one that could not be built.
        reason: Why it could not be built or measured.
    """

    precision: str
    accuracy: AccuracyRecord | None = None
    reason: str = ""

    @property
    def told(self) -> str:
        """What was measured, for people."""
        return self.reason or (self.accuracy.sentence() if self.accuracy else "the engine that all are compared with")

    @property
    def speed(self) -> float:
        """Times as fast as fp32 in ONNX Runtime."""
        return (self.accuracy.speed_ratio or 0.0) if self.accuracy else 1.0


@dataclass(frozen=True)
class PrecisionChoice:
    """What was tried and what was chosen.

    Attributes:
        bundle: The bundle, whose engine for the target has the chosen precision.
        candidates: All precisions that were tried.
        chosen: The one that was taken.
        reason: Why.
    """

    bundle: Bundle
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The choice as one JSON object."""
        tried = [
            {
                "precision": each.precision,
                "reason": each.reason,
                "accuracy": each.accuracy and each.accuracy.model_dump(mode="json"),
            }
            for each in self.candidates
        ]
        return {"chosen": self.chosen.precision, "reason": self.reason, "candidates": tried}


def choose_precision(
    bundle: Bundle,
    target: Target,
    options: BuildOptions,
    *,
    max_loss: float,
    labels: LabelledFrames | None = None,
    on_phase: OnPhase = lambda _: None,
) -> PrecisionChoice:
    """Build a target's engines of all precisions, measure them here and keep the fastest that loses little enough.

    What it loses is the share of verdicts that changed on the frames and, with labels, AUROC. Engines that this call
    built and did not choose are taken out of the bundle again.

    Args:
        bundle: An opened bundle.
        target: The target.
        options: Frames and limits; their precision does not matter.
        max_loss: Most that may be lost, 0 to 1.
        labels: Test frames of a data set.
        on_phase: Told what is being done.

    Raises:
        NandEdgeError: No frames are given, or no engine of the target could be built and measured on this machine.
    """
    if options.frames is None:
        raise NandEdgeError(
            f"precision {AUTO!r}",
            found="no frames",
            needed="a folder of real frames to measure on",
            do="give it with --frames DIR",
        )
    before = {(engine.target, engine.precision) for engine in bundle.manifest.engines}
    candidates = []
    for precision in precisions_of(target):
        candidate, bundle = _tried(bundle, target, replace(options, precision=precision), labels, on_phase)
        candidates.append(candidate)
    measured = [each for each in candidates if not each.reason]
    chosen = fastest(measured, max_loss)
    if chosen is None:
        raise NandEdgeError(
            f"precision {AUTO!r} for target {target.value!r}",
            found="; ".join(f"{each.precision}: {each.told}" for each in candidates),
            needed=f"an engine that runs on this machine and loses at most {max_loss:g}",
            do="choose on the device that will run it, allow more loss with --max-loss, or name a precision",
        )
    reason = f"the fastest here of {', '.join(each.precision for each in measured)} that loses at most {max_loss:g}"
    for each in measured:
        if each is not chosen and (target, each.precision) not in before:
            bundle = remove_engine(bundle, target, each.precision)
    for record in bundle.manifest.engines:
        if record.target is target and record.precision == chosen.precision:
            bundle = add_engine(bundle, record.model_copy(update={"chosen_because": reason}))
    return PrecisionChoice(bundle, tuple(candidates), chosen, reason)


def fastest(candidates: Sequence[Candidate], max_loss: float) -> Candidate | None:
    """The fastest of the measured candidates that lose no more than `max_loss`; None where all lose more."""
    within = [each for each in candidates if each.accuracy is None or each.accuracy.loss <= max_loss]
    return max(within, key=lambda each: each.speed, default=None)


def _tried(
    bundle: Bundle, target: Target, options: BuildOptions, labels: LabelledFrames | None, on_phase: OnPhase
) -> tuple[Candidate, Bundle]:
    if target is Target.ONNX and options.precision == FP32:
        return Candidate(FP32), bundle

    def told(phase: str) -> None:
        on_phase(f"{options.precision}: {phase}")

    try:
        built = build_engine(bundle, target, options, labels=labels, on_phase=told)
    except NandEdgeError as error:
        return Candidate(options.precision, reason=str(error)), bundle
    record = built.manifest.engines[-1]
    if record.accuracy is None:
        return Candidate(options.precision, reason="built, but it cannot run on this machine"), built
    return Candidate(options.precision, record.accuracy), built
