"""The rehearsal: the last frames judged again by a change before it is made, without disturbing the line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection, Verdict
from nand_edge.normality import Normality
from nand_edge_runtime.engine_process.engine import Engine
from nand_edge_runtime.engine_process.failure import EngineFailure
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.station.control import InForce, Rehearsal, Rehearsed
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import Judge, inspected
from nand_edge_runtime.station.states import PartStatus

_NICENESS = 19
_THREADS = 1
_START_S, _FRAME_S = 120.0, 60.0
"""A process that steps back for all others may wait long for its turn."""
_LONGEST_REST_S = 0.2
_LOOK_S = 0.05

Progress = Callable[[int, int], None]


def rehearse(
    folder: Path,
    frames: Sequence[Decided],
    *,
    now: InForce,
    now_normalities: Sequence[Normality],
    proposed: InForce,
    proposed_normalities: Sequence[Normality],
    settings: EngineSettings,
    on_progress: Progress | None,
    stop: threading.Event,
    judges: Mapping[str, Judge] | None = None,
) -> Rehearsal:
    """Judge frames by what is in force and by what is proposed, in an engine of its own at the lowest priority.

    Args:
        folder: The bundle.
        frames: What was inspected, newest first.
        now: What is in force.
        now_normalities: Its normalities.
        proposed: What is proposed.
        proposed_normalities: Its normalities.
        settings: The line's engine: the same target and precision judge here.
        on_progress: Told how many frames are done, and of how many.
        stop: Ends it.
        judges: What a camera's inspections go through before they count, as on the line.

    Raises:
        NandEdgeError: There is no frame, the engine does not judge one, or it was stopped.
    """
    if not frames:
        raise NandEdgeError(
            "rehearsal", found="no inspected frame yet", needed="at least one", do="wait until the camera gave frames"
        )
    engine = _open(folder, settings, now_normalities, now.threshold)
    done = threading.Event()
    watch = threading.Thread(target=_close_at_stop, args=(engine, stop, done), name="rehearsal", daemon=True)
    watch.start()
    try:
        _start(engine, stop)
        tell = on_progress or (lambda _done, _total: None)
        judged = _Judged(engine, stop, dict(judges or {}))
        return _rehearsed(engine, frames, proposed, proposed_normalities, tell=tell, judged=judged)
    finally:
        done.set()
        engine.close()


def _open(folder: Path, settings: EngineSettings, normalities: Sequence[Normality], threshold: float) -> Engine:
    modest = settings.model_copy(update={"threads": _THREADS, "spinning": False, "hang_timeout_s": _FRAME_S})
    if not settings.isolated:
        from nand_edge_runtime.engine_process.local import LocalEngine

        return LocalEngine(folder, modest, normalities=normalities, threshold=threshold, on_change=_nobody)
    from nand_edge_runtime.engine_process.isolated import IsolatedEngine

    return IsolatedEngine(
        folder, modest, normalities=normalities, threshold=threshold, on_change=_nobody, niceness=_NICENESS
    )


def _start(engine: Engine, stop: threading.Event) -> None:
    try:
        engine.start(_START_S, stop=stop)
    except NandEdgeError:
        if stop.is_set():
            raise _stopped() from None
        raise


def _nobody(_status: PartStatus) -> None:
    """Nobody is told: it is no part of the station."""


@dataclass(frozen=True)
class _Judged:
    """Judges frames as the line does.

    Attributes:
        engine: The engine of its own.
        stop: Ends it.
        judges: By camera, see `rehearse`.
    """

    engine: Engine
    stop: threading.Event
    judges: Mapping[str, Judge]

    def __call__(self, frame: Decided) -> Inspection:
        """Judge a frame, then rest for as long as that took: a graphics processor knows no low priority."""
        started = time.monotonic()
        try:
            (inspection,) = self.engine.inspect([_again(frame)], timeout_s=_FRAME_S)
        except EngineFailure as failure:
            if self.stop.is_set():
                raise _stopped() from None
            raise NandEdgeError(
                f"rehearsal with frame {frame.record.name!r}",
                found=str(failure),
                needed="an engine that judges it",
                do="try it again, with fewer frames if memory is short",
            ) from None
        if self.stop.wait(min(time.monotonic() - started, _LONGEST_REST_S)):
            raise _stopped()
        judge = self.judges.get(frame.record.key.camera)
        return inspection if judge is None else judge(frame.record.name, inspection)


def _rehearsed(
    engine: Engine,
    frames: Sequence[Decided],
    proposed: InForce,
    proposed_normalities: Sequence[Normality],
    *,
    tell: Progress,
    judged: _Judged,
) -> Rehearsal:
    """Judge all frames by the one, then by the other; half a frame is done with its first judgement."""
    total = len(frames)
    tell(0, total)
    now = []
    for place, frame in enumerate(frames, start=1):
        now.append(_verdict(frame, judged(frame)))
        tell(place // 2, total)
    engine.put_in_force(proposed_normalities, proposed.threshold)
    rehearsed = []
    for place, frame in enumerate(frames, start=1):
        inspection = judged(frame)
        rehearsed.append(
            Rehearsed(
                key=frame.record.key,
                before=frame.record.verdict,
                now=now[place - 1],
                proposed=_verdict(frame, inspection),
                score=inspection.score,
                base_score=inspection.base_score,
            )
        )
        tell((total + place) // 2, total)
    return Rehearsal(proposed, tuple(rehearsed))


def _again(frame: Decided) -> CameraFrame:
    record = frame.record
    return CameraFrame(record.key, frame.image, record.name, time.monotonic(), record.timestamp)


def _verdict(frame: Decided, inspection: Inspection) -> Verdict:
    """What the line would have said: a score that is no number is a reject here too."""
    return inspected(_again(frame), inspection, normalities_sha256="", latency_ms={}).verdict


def _close_at_stop(engine: Engine, stop: threading.Event, done: threading.Event) -> None:
    while not done.wait(_LOOK_S):
        if stop.is_set():
            engine.close()
            return


def _stopped() -> NandEdgeError:
    return NandEdgeError(
        "rehearsal", found="a station that stops", needed="one that runs", do="start the station, and try it again"
    )
