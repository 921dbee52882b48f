"""Recording a run of an engine once and playing it again: one launch instead of hundreds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.backends.cuda_memory import Cuda

_RUNS_BEFORE = 2
"""TensorRT prepares itself in the first run of a shape, which must not be recorded."""

_log = logging.getLogger(__name__)

Shapes = tuple[tuple[str, tuple[int, ...]], ...]
"""The shape of every input."""


class RecordedRun:
    """The recording of the shapes that come again and again, as a fixed camera's do.

    There is one at a time: another shape changes what an execution context holds, and with it what was recorded. An
    engine that cannot be recorded is tried once; from then on it runs as ever, and the log says so.

    Args:
        cuda: The device and its stream.
        engine: The engine's name, for the log.
    """

    def __init__(self, cuda: Cuda, engine: str) -> None:
        self._cuda, self._engine = cuda, engine
        self._recording: Any = None
        self._shapes: Shapes = ()
        self._runs = 0
        self.refused = ""
        """Why the engine is not recorded; empty while it is or may be."""

    def play(self, shapes: Shapes) -> bool:
        """Queue the recording of these shapes; False where there is none."""
        if self._recording is None or shapes != self._shapes:
            return False
        self._cuda.launch(self._recording)
        return True

    def ran(self, shapes: Shapes, queue: Callable[[], None], is_sound: Callable[[], bool]) -> None:
        """Tell that these shapes were run without a recording; from the second time on they get one.

        Args:
            shapes: The shapes.
            queue: Queues the run on the stream.
            is_sound: Plays the recording and says whether it still decides by its inputs.
        """
        if self.refused:
            return
        if shapes != self._shapes:
            self.forget()
            self._shapes = shapes
        self._runs += 1
        if self._runs < _RUNS_BEFORE:
            return
        try:
            self._recording = self._cuda.record(queue)
        except NandEdgeError as error:
            self.refuse(f"its control flow cannot be recorded ({error.found})")
            return
        if not is_sound():
            self.refuse("a recording does not follow the gate's threshold")

    def refuse(self, reason: str) -> None:
        """Record nothing from now on, and say so once."""
        self.forget()
        self.refused = reason
        _log.warning("engine %s runs without CUDA graphs: %s", self._engine, reason)

    def forget(self) -> None:
        """Drop the recording, since what it was made with is there no more."""
        recording, self._recording, self._shapes, self._runs = self._recording, None, (), 0
        if recording is not None:
            self._cuda.forget(recording)
