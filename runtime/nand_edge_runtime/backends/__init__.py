"""The registry of inference engines, each imported only when it is asked for, and the choice among them."""

from __future__ import annotations

import importlib
import logging
from typing import cast

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_runtime.backends.protocol import (
    FP32,
    PRECISIONS,
    Backend,
    BackendOptions,
    Inputs,
    Outputs,
    TargetUnavailableError,
)

__all__ = [
    "BACKENDS",
    "PRECISIONS",
    "Backend",
    "BackendOptions",
    "Inputs",
    "Outputs",
    "TargetUnavailableError",
    "candidates",
    "open_backend",
    "parse_target",
]

BACKENDS: dict[Target, str] = {
    Target.TENSORRT: "nand_edge_runtime.backends.tensorrt:TensorRTBackend",
    Target.TENSORRT_RTX: "nand_edge_runtime.backends.tensorrt_rtx:TensorRTRTXBackend",
    Target.OPENVINO: "nand_edge_runtime.backends.openvino:OpenVINOBackend",
    Target.ONNX: "nand_edge_runtime.backends.onnx:OnnxBackend",
}
"""Where each target's backend is."""

_CHOSEN_FIRST = (Target.TENSORRT, Target.TENSORRT_RTX)
"""What the automatic choice tries before the portable graph. OpenVINO is taken only by name: it starts three times
slower than ONNX Runtime, needs twice the memory, and resizes large frames more slowly."""

_log = logging.getLogger(__name__)


def open_backend(bundle: Bundle, target: Target | str | None = None, options: BackendOptions | None = None) -> Backend:
    """Load the bundle's engine.

    Args:
        bundle: An opened bundle.
        target: The target to use; a named one never falls back to another. None takes the first of `candidates`
            that this machine can run; each one passed over is logged with its reason.
        options: How it is to run.

    Raises:
        TargetUnavailableError: The named target, or every candidate, cannot run on this machine.
        NandEdgeError: The target or the options are unknown or do not go together, or the engine cannot be loaded.
    """
    options = options or BackendOptions()
    _check_precision(options.precision)
    if target is not None:
        chosen = parse_target(target)
        if chosen is not Target.ONNX and options.provider != "cpu":
            raise NandEdgeError(
                f"provider {options.provider!r}",
                found=f"target {chosen.value!r}",
                needed="target 'onnx': providers belong to ONNX Runtime",
                do="leave the provider out or choose the target onnx",
            )
        return _load(chosen)(bundle, options)
    *faster, portable = candidates(bundle, options.precision) if options.provider == "cpu" else (Target.ONNX,)
    for candidate in faster:
        try:
            return _load(candidate)(bundle, options)
        except TargetUnavailableError as error:
            _log.info("target %s passed over: %s", candidate.value, error)
    return _load(portable)(bundle, options)


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise NandEdgeError(
            f"precision {precision!r}",
            found="an unknown name",
            needed=f"one of {', '.join(PRECISIONS)}",
            do="correct the name, or leave it out for fp32",
        )


def candidates(bundle: Bundle, precision: str = FP32) -> tuple[Target, ...]:
    """The targets to try for a bundle: GPU engines of this precision that are in it, and the portable graph last."""
    built = {engine.target for engine in bundle.manifest.engines if engine.precision == precision}
    return (*(target for target in _CHOSEN_FIRST if target in built), Target.ONNX)


def parse_target(target: Target | str) -> Target:
    """The target of that name.

    Raises:
        NandEdgeError: There is no such target.
    """
    try:
        return Target(target)
    except ValueError:
        raise NandEdgeError(
            f"target {target!r}",
            found="an unknown name",
            needed=f"one of {', '.join(known.value for known in Target)}",
            do="correct the name",
        ) from None


def _load(target: Target) -> type[Backend]:
    module, _, name = BACKENDS[target].partition(":")
    return cast("type[Backend]", getattr(importlib.import_module(module), name))
