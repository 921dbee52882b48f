"""What a station asks of its engine, whichever process it runs in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from nand_edge.inspection import Inspection
from nand_edge.normality import Normality
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.shared_pool import SharedPool
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.states import PartStatus


class Engine(Protocol):
    """An engine that is kept running; `inspect` is called from one thread, all else from any."""

    @property
    def device(self) -> str:
        """The target and what it runs on, in words ("onnx on CPU"); empty before it has started."""

    @property
    def frame_memory(self) -> SharedPool | None:
        """Memory for frames: those that lie in it reach the engine without a copy. None where all do."""

    def start(self, timeout_s: float, *, stop: threading.Event | None = None) -> None:
        """Load the engine, and keep it loaded from now on.

        Args:
            timeout_s: How long that may take.
            stop: Ends the wait for it, and the engine with it.

        Raises:
            NandEdgeError: It cannot be used at all, is not there in time, or was stopped.
        """

    def inspect(self, frames: Sequence[CameraFrame], *, timeout_s: float) -> list[Inspection]:
        """Judge frames of one size in a single run.

        Args:
            frames: The frames; the inspections come in their order.
            timeout_s: Seconds until nobody wants the answer any more.

        Raises:
            EngineFailure: None of them was inspected. By reason: `DEADLINE`, no answer in time; `ENGINE_FAILED`, it
                died or raised; `ENGINE_NOT_READY`, it is being started; `FRAME_REFUSED`, such frames cannot be judged.
        """

    def put_in_force(self, normalities: Sequence[Normality], threshold: float) -> None:
        """Judge by this from the next frame on; returns at once, and holds for engines that are started again too."""

    def status(self) -> PartStatus:
        """How it is, as the part `engine`."""

    def close(self) -> None:
        """End it, within half a second even if it hangs; calling it again does nothing."""


def open_engine_process(
    folder: Path,
    settings: EngineSettings,
    *,
    normalities: Sequence[Normality],
    threshold: float,
    on_change: Callable[[PartStatus], None],
) -> Engine:
    """The engine of a bundle, not yet started: in a process of its own, or in this one where the settings say so.

    Args:
        folder: The bundle.
        settings: Which engine, and how it is to run.
        normalities: What is in force at first.
        threshold: What scores are compared with at first.
        on_change: Told of every change of its state, from its own thread.
    """
    if settings.isolated:
        from nand_edge_runtime.engine_process.isolated import IsolatedEngine

        return IsolatedEngine(folder, settings, normalities=normalities, threshold=threshold, on_change=on_change)
    from nand_edge_runtime.engine_process.local import LocalEngine

    return LocalEngine(folder, settings, normalities=normalities, threshold=threshold, on_change=on_change)
