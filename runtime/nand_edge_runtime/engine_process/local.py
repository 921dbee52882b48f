"""The engine in the station's own process: for Windows and for debugging; a crash of it is a crash of the station."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nand_edge.inspection import Inspection
from nand_edge.normality import Normality
from nand_edge_runtime.engine_process.acceptance import runs_of
from nand_edge_runtime.engine_process.failure import EngineFailure, too_slow
from nand_edge_runtime.engine_process.judge import Judge, failure_of
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.standing import Standing
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import PartState, PartStatus

_CLOSE_S = 0.3


class _Run:
    """Frames on their way through the engine, and what came of them."""

    def __init__(self, frames: Sequence[CameraFrame], judged_by: JudgedBy) -> None:
        self.frames, self.judged_by = frames, judged_by
        self.began = time.monotonic()
        self.inspections: list[Inspection] = []
        self.failure: EngineFailure | None = None
        self.done = threading.Event()


class LocalEngine:
    """See `Engine`. A run that takes too long is given up and its answer thrown away, but nothing can end it.

    Args:
        folder: The bundle.
        settings: Which engine, and how it is to run.
        normalities: What is in force at first.
        threshold: What scores are compared with at first.
        on_change: Told of every change of its state.
    """

    def __init__(
        self,
        folder: Path,
        settings: EngineSettings,
        *,
        normalities: Sequence[Normality],
        threshold: float,
        on_change: Callable[[PartStatus], None],
    ) -> None:
        self._folder, self._settings = folder, settings
        self._judged_by = JudgedBy(0, tuple(normalities), threshold)
        self._change_lock = threading.Lock()
        self._judge: Judge | None = None
        self._runs: queue.SimpleQueue[_Run | None] = queue.SimpleQueue()
        self._last: _Run | None = None
        self._standing = Standing(on_change, lambda: {"restarts": 0.0})
        self._worker = threading.Thread(target=self._work, name="engine", daemon=True)

    @property
    def device(self) -> str:
        """The target and what it runs on, in words; empty before it has started."""
        return "" if self._judge is None else self._judge.device

    @property
    def frame_memory(self) -> None:
        """Nothing is copied in any case; see `Engine.frame_memory`."""
        return

    def start(
        self,
        timeout_s: float,  # noqa: ARG002 - loading in this process cannot be given up
        *,
        stop: threading.Event | None = None,  # noqa: ARG002 - nor can it be stopped
    ) -> None:
        """Load the engine; see `Engine.start`."""
        self._judge = Judge(self._folder, self._settings)
        self._judge.warm_up(None)
        self._worker.start()
        self._standing.change(PartState.RUNNING)

    def inspect(self, frames: Sequence[CameraFrame], *, timeout_s: float) -> list[Inspection]:
        """Judge frames; see `Engine.inspect`."""
        until = time.monotonic() + timeout_s
        inspections: list[Inspection] = []
        for frames_at_once in runs_of(frames, self._settings):
            inspections += self._inspect(frames_at_once, until)
        return inspections

    def put_in_force(self, normalities: Sequence[Normality], threshold: float) -> None:
        """Judge by this from the next frame on; see `Engine.put_in_force`."""
        with self._change_lock:
            self._judged_by = self._judged_by.changed(normalities, threshold)

    def status(self) -> PartStatus:
        """How it is."""
        return self._standing.status()

    def close(self) -> None:
        """End it; see `Engine.close`. A run that hangs is left behind."""
        self._runs.put(None)
        if self._worker.ident is not None:
            self._worker.join(_CLOSE_S)
        self._standing.change(PartState.STOPPED)

    def _inspect(self, frames: Sequence[CameraFrame], until: float) -> list[Inspection]:
        if self._judge is None or not self._worker.is_alive():
            raise EngineFailure(Reason.ENGINE_NOT_READY)
        if self._last is not None:
            self._wait(self._last, until)
        self._last = run = _Run(frames, self._judged_by)
        self._runs.put(run)
        self._wait(run, until)
        if run.failure is not None:
            raise run.failure
        return run.inspections

    def _wait(self, run: _Run, until: float) -> None:
        if run.done.wait(max(until - time.monotonic(), 0.0)):
            self._standing.change(PartState.RUNNING)
            if time.monotonic() > until:
                raise too_slow()
            return
        took = time.monotonic() - run.began
        if took > self._settings.hang_timeout_s:
            self._standing.change(PartState.FAILED, "it hangs, and in the station's own process nothing can end it")
        raise too_slow()

    def _work(self) -> None:
        judge = self._judge
        if judge is None:
            return
        judged_by: JudgedBy | None = None
        while (run := self._runs.get()) is not None:
            try:
                if run.judged_by is not judged_by:
                    judged_by = None
                    judge.judge_by(run.judged_by)
                    judged_by = run.judged_by
                inspections = judge.judge([frame.image for frame in run.frames])
                run.inspections = [
                    replace(inspection, frame=frame.name, index=frame.key.number, timestamp=frame.timestamp)
                    for inspection, frame in zip(inspections, run.frames, strict=True)
                ]
            except Exception as error:  # noqa: BLE001 - whatever an engine raises costs these frames and no others
                run.failure = EngineFailure(*failure_of(error))
            run.done.set()
        judge.close()
