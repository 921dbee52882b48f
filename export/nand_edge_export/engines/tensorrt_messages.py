"""TensorRT's own words: kept off the terminal, and handed on where they matter."""

from __future__ import annotations

from typing import Any

from nand_edge_export.engines.protocol import OnPhase

_SENTENCES_SHOWN = 2

# A machine that only builds has no driver; TensorRT logs that as an error and goes on.
_HARMLESS = ("cudaError 35", "CUDA driver version is insufficient", "CUDA initialization failure")


def collecting_logger(trt: Any) -> Any:
    """A logger that keeps TensorRT's errors, as `errors`, for our own sentence."""

    class CollectingLogger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return CollectingLogger()


def progress_monitor(trt: Any, on_phase: OnPhase) -> Any:
    """A monitor that passes the names of TensorRT's phases on."""

    class ProgressMonitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            on_phase(f"building the engine: {phase_name.lower()}")

        def phase_finish(self, phase_name: str) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:  # noqa: ARG002
            return True  # go on

    return ProgressMonitor()


def sentences(messages: list[str]) -> str:
    """The first messages that say something of the graph, each on one line and cut."""
    serious = (message for message in messages if not any(words in message for words in _HARMLESS))
    lines = [" ".join(message.split())[:300] for message in serious]
    return "; ".join(lines[:_SENTENCES_SHOWN]) or "it gave no reason"
