"""The engine in a process of its own, which is watched, ended when it hangs, and started again when it is gone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection
from nand_edge.normality import Normality
from nand_edge_runtime.engine_process.acceptance import runs_of
from nand_edge_runtime.engine_process.child_process import ChildProcess, Ready
from nand_edge_runtime.engine_process.failure import EngineFailure
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.shared_pool import SharedPool
from nand_edge_runtime.engine_process.standing import Standing
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import PartState, PartStatus
from nand_edge_runtime.watch import Watch

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
_RAN_WELL = 10
"""Answers after which a process that dies is started again without much of a pause."""
_LOOK_S = 0.05
_CLOSE_S = 0.8


class IsolatedEngine:
    """See `Engine`; one thread looks after the process for as long as the engine is open.

    Args:
        folder: The bundle.
        settings: Which engine, and how it is to run.
        normalities: What is in force at first.
        threshold: What scores are compared with at first.
        on_change: Told of every change of its state.
        niceness: How far its process steps back behind others, 0 to 19.
    """

    def __init__(
        self,
        folder: Path,
        settings: EngineSettings,
        *,
        normalities: Sequence[Normality],
        threshold: float,
        on_change: Callable[[PartStatus], None],
        niceness: int = 0,
    ) -> None:
        self._folder, self._settings, self._niceness = folder, settings, niceness
        self._judged_by = JudgedBy(0, tuple(normalities), threshold)
        self._change_lock = threading.Lock()
        self._memory = SharedPool()
        self._map_size = 0
        self._region: NDArray[np.float32] | None = None
        self._shape: tuple[int, ...] | None = None
        self._start_s = 0.0
        self._child: ChildProcess | None = None
        self._ready: Ready | None = None
        self._refusal: NandEdgeError | None = None
        self._restarts = self._hangs = 0
        self._settled, self._stopping, self._look = threading.Event(), threading.Event(), threading.Event()
        self._standing = Standing(on_change, self._facts)
        self._keeper = threading.Thread(target=self._keep, name="engine", daemon=True)

    @property
    def device(self) -> str:
        """The target and what it runs on, in words; empty before it has started."""
        return "" if self._ready is None else self._ready.device

    @property
    def frame_memory(self) -> SharedPool:
        """Where frames are best put; see `Engine.frame_memory`."""
        return self._memory

    def start(self, timeout_s: float, *, stop: threading.Event | None = None) -> None:
        """Load the engine; see `Engine.start`."""
        bundle = open_bundle(self._folder, check_files=False)
        self._map_size, self._region = bundle.manifest.graph.map_size, bundle.region().map
        self._start_s = timeout_s
        self._keeper.start()
        # The thread keeps the time itself.
        while not self._settled.wait(_LOOK_S):
            if stop is not None and stop.is_set():
                self._stopping.set()
        if self._refusal is not None:
            raise self._refusal

    def inspect(self, frames: Sequence[CameraFrame], *, timeout_s: float) -> list[Inspection]:
        """Judge frames; see `Engine.inspect`."""
        until = time.monotonic() + timeout_s
        inspections: list[Inspection] = []
        for run in runs_of(frames, self._settings):
            inspections += self._inspect(run, until - time.monotonic())
        return inspections

    def put_in_force(self, normalities: Sequence[Normality], threshold: float) -> None:
        """Judge by this from the next frame on; see `Engine.put_in_force`."""
        with self._change_lock:
            self._judged_by = self._judged_by.changed(normalities, threshold)

    def status(self) -> PartStatus:
        """How it is, with `restarts`, `hangs`, and the process's `pid` and `memory_megabytes` while there is one."""
        return self._standing.status()

    def close(self) -> None:
        """End it; see `Engine.close`."""
        self._stopping.set()
        self._look.set()
        if self._keeper.ident is not None:
            self._keeper.join(_CLOSE_S)
        self._memory.close()
        self._standing.change(PartState.STOPPED)

    def _inspect(self, frames: Sequence[CameraFrame], timeout_s: float) -> list[Inspection]:
        child = self._child
        if child is None:
            raise EngineFailure(Reason.ENGINE_NOT_READY, self._standing.status().why)
        self._shape = (len(frames), *frames[0].image.shape)
        try:
            return child.judge(frames, self._judged_by, timeout_s)
        except EngineFailure as failure:
            if failure.reason is Reason.ENGINE_FAILED:
                self._look.set()
            raise

    def _keep(self) -> None:
        """Start the process, watch it, and start it again, until the engine is closed."""
        pause = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            why, ran_well = self._run()
            if self._stopping.is_set() or self._refusal is not None:
                break
            pause = _FIRST_PAUSE_S if ran_well else pause
            self._standing.change(PartState.RECONNECTING, why)
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
            self._restarts += 1
        self._settled.set()

    def _run(self) -> tuple[str, bool]:
        """Run a process for as long as it is well; says why it ended, and whether it had run well."""
        try:
            child = ChildProcess(
                self._folder,
                self._settings,
                memory=self._memory,
                map_size=self._map_size,
                region=self._region,
                niceness=self._niceness,
            )
        except OSError as error:
            return self._failed(f"no process could be started ({error})"), False
        why = ""
        try:
            self._open(child)
            self._child = child
            self._standing.change(PartState.RUNNING)
            self._settled.set()
            why = self._watch(child)
        except NandEdgeError as error:
            why = self._failed(str(error), error)
        finally:
            self._child = None
            child.end(why or "the station stops")
        return why, child.answered >= _RAN_WELL

    def _open(self, child: ChildProcess) -> None:
        ready = child.open(self._start_s, self._stopping, shape=self._shape)
        if self._ready is not None and ready.bundle != self._ready.bundle:
            raise NandEdgeError(
                f"bundle {str(self._folder)!r}",
                found=f"another one ({ready.bundle[:12]}…) than the station began with",
                needed=f"the same ({self._ready.bundle[:12]}…)",
                do="start the station again",
            )
        self._ready = ready

    def _watch(self, child: ChildProcess) -> str:
        watch = Watch()
        while not self._stopping.is_set():
            self._look.wait(_LOOK_S)
            self._look.clear()
            if child.died():
                return child.death()
            if watch.silent_s(child.busy_since()) > self._settings.hang_timeout_s:
                self._hangs += 1
                return f"it hung for over {self._settings.hang_timeout_s:g} s and was ended"
        return ""

    def _failed(self, why: str, error: NandEdgeError | None = None) -> str:
        """Before it has ever run, a failure is the answer of `start`; afterwards it is tried again."""
        if not self._settled.is_set():
            self._refusal = error or NandEdgeError(
                f"engine of bundle {self._folder.name!r}", found=why, needed="a process for it", do="end other programs"
            )
        elif not self._stopping.is_set():
            _LOG.warning("the engine cannot be started again: %s", why)
        return why

    def _facts(self) -> dict[str, float]:
        facts = {"restarts": float(self._restarts), "hangs": float(self._hangs)}
        child = self._child
        if child is not None:
            facts["pid"] = float(child.pid)
            memory = _resident_megabytes(child.pid)
            if memory is not None:
                facts["memory_megabytes"] = memory
        return facts


def _resident_megabytes(pid: int) -> float | None:
    """Memory that a process holds and does not share with the station, where the system tells that."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        held = {
            name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "Rss" in name
        }
        return round((held["RssAnon"] + held["RssFile"]) * 1024 / 1e6, 1)
    except (OSError, ValueError, IndexError, KeyError):
        return None
