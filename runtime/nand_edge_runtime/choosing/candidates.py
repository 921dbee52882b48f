"""The engines of a bundle that may be chosen, and those whose loss of accuracy is unknown or too high."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime.backends import BackendOptions
from nand_edge_runtime.backends.protocol import FP32

CPU, CUDA = "cpu", "cuda"

_PORTABLE = (Target.ONNX, Target.OPENVINO)
"""What runs the bundle's own graph in fp32, whether an engine was built or not."""


@dataclass(frozen=True)
class Candidate:
    """One engine of a bundle.

    Attributes:
        target: Its target's name.
        precision: What it computes in.
        provider: ONNX Runtime's provider; `cpu` for the other targets.
    """

    target: str
    precision: str = FP32
    provider: str = CPU

    @property
    def name(self) -> str:
        """The candidate in words: `openvino bf16`, `onnx fp32 on cuda`."""
        place = "" if self.provider == CPU else f" on {self.provider}"
        return f"{self.target} {self.precision}{place}"

    def to_json(self) -> dict[str, Any]:
        """The candidate as one JSON object."""
        return {"target": self.target, "precision": self.precision, "provider": self.provider}


def permitted_candidates(
    bundle: Bundle, options: BackendOptions, *, precision: str | None, max_loss: float, has_gpu: bool
) -> tuple[list[Candidate], dict[Candidate, str]]:
    """The engines to measure, and why others are not.

    fp32 always is. A lower precision is when the manifest records a loss of at most `max_loss`, or that the engine was
    compared with the reference.

    Args:
        bundle: The bundle.
        options: How engines are to run; a provider other than `cpu` leaves ONNX Runtime alone.
        precision: Only this one, whatever it loses; None for all.
        max_loss: The most that an engine may lose, as its record tells: AUROC, and the share of verdicts changed.
        has_gpu: Whether there is an NVIDIA GPU, so that ONNX Runtime's CUDA provider is worth trying.
    """
    allowed: list[Candidate] = []
    refused: dict[Candidate, str] = {}
    for candidate, record in all_candidates(bundle, options, has_gpu=has_gpu):
        if precision is not None and candidate.precision != precision:
            continue
        reason = "" if candidate.precision in (FP32, precision) else _objection(record, max_loss)
        if reason:
            refused[candidate] = reason
        else:
            allowed.append(candidate)
    return list(dict.fromkeys(allowed)), {each: why for each, why in refused.items() if each not in allowed}


def all_candidates(
    bundle: Bundle, options: BackendOptions, *, has_gpu: bool
) -> list[tuple[Candidate, EngineRecord | None]]:
    """Every engine of a bundle with its record; None for the portable graph. One may come twice, for several GPUs."""
    return [
        (Candidate(target.value, precision, provider), record)
        for target, precision, record in _engines(bundle)
        for provider in _providers(target, options, has_gpu=has_gpu)
    ]


def _engines(bundle: Bundle) -> list[tuple[Target, str, EngineRecord | None]]:
    built = [(record.target, record.precision, record) for record in bundle.manifest.engines]
    return [*((target, FP32, None) for target in _PORTABLE), *built]


def _providers(target: Target, options: BackendOptions, *, has_gpu: bool) -> tuple[str, ...]:
    if options.provider != CPU:
        return (options.provider,) if target is Target.ONNX else ()
    return (CPU, CUDA) if target is Target.ONNX and has_gpu else (CPU,)


def _objection(record: EngineRecord | None, max_loss: float) -> str:
    if record is not None and record.accuracy is not None:
        loss = record.accuracy.loss
        return "" if loss <= max_loss else f"it loses {loss:.3g}, {max_loss:g} is allowed"
    if record is not None and record.state is EngineState.PARITY_CHECKED:
        return ""
    return "nobody measured what it loses: `nand-edge build` does, with --frames, on a machine that runs it"
