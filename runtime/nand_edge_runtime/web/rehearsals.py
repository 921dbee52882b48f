"""Rehearsals for the live page: one at a time, in the background, with its progress and its outcome."""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.station.control import InForce, Rehearsal, Rehearsed, StationControl

_LOG = logging.getLogger(__name__)

_MOST_SHOWN = 300
"""Frames whose verdict would change that are shown; all are counted."""

_MOST_SCORES = 2000


@dataclass
class _Run:
    """One rehearsal; its fields are set by its thread and read by others."""

    identity: str
    proposed: InForce
    done: int = 0
    of: int = 0
    rehearsal: Rehearsal | None = None
    fault: str = ""

    @property
    def is_over(self) -> bool:
        return self.rehearsal is not None or bool(self.fault)


class Rehearsals:
    """Starts rehearsals and keeps the last.

    Args:
        station: Rehearses.
    """

    def __init__(self, station: StationControl) -> None:
        self._station = station
        self._lock = threading.Lock()
        self._run: _Run | None = None

    def start(self, proposed: InForce, frames: int) -> str:
        """Begin to judge the last frames by a proposal, and give the rehearsal's identity.

        Raises:
            NandEdgeError: Another one runs.
        """
        with self._lock:
            if self._run is not None and not self._run.is_over:
                raise NandEdgeError(
                    "rehearsal",
                    found="another one that runs",
                    needed="one at a time",
                    do="wait until it is done, and look at its outcome",
                )
            run = _Run(secrets.token_hex(8), proposed, of=frames)
            self._run = run
        threading.Thread(target=self._rehearse, args=(run, frames), name="rehearsal", daemon=True).start()
        return run.identity

    def told(self, identity: str) -> dict[str, Any] | None:
        """How a rehearsal goes, or what came of it; None for one that is no longer kept."""
        run = self._run
        if run is None or run.identity != identity:
            return None
        told: dict[str, Any] = {"id": run.identity, **_in_force(run.proposed), "done": run.done, "of": run.of}
        if run.fault:
            return {**told, "state": "failed", "error": run.fault}
        if run.rehearsal is None:
            return {**told, "state": "running"}
        return {**told, "state": "done", **_outcome(run.rehearsal)}

    def _rehearse(self, run: _Run, frames: int) -> None:
        def on_progress(done: int, of: int) -> None:
            run.done, run.of = done, of

        try:
            run.rehearsal = self._station.rehearse(run.proposed, frames=frames, on_progress=on_progress)
        except NandEdgeError as error:
            run.fault = str(error)
        except Exception:  # noqa: BLE001 - whoever waits for it must be told
            _LOG.exception("a rehearsal failed in a way that was not foreseen")
            run.fault = "The rehearsal failed; the station's log has more."


def _outcome(rehearsal: Rehearsal) -> dict[str, Any]:
    frames, changed = rehearsal.frames, rehearsal.changed
    return {
        "frames": len(frames),
        "now": _counts([frame.now for frame in frames]),
        "then": _counts([frame.proposed for frame in frames]),
        "newly_passed": sum(frame.proposed is Verdict.PASS for frame in changed),
        "newly_rejected": sum(frame.proposed is Verdict.REJECT for frame in changed),
        "changed": [_frame(frame) for frame in changed[:_MOST_SHOWN]],
        "scores": [[frame.score, frame.now.value, frame.proposed.value] for frame in frames[:_MOST_SCORES]],
    }


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    counted = Counter(verdicts)
    return {verdict.value: counted[verdict] for verdict in Verdict}


def _frame(frame: Rehearsed) -> dict[str, Any]:
    return {
        "run": frame.key.run,
        "camera": frame.key.camera,
        "number": frame.key.number,
        "before": frame.before.value,
        "now": frame.now.value,
        "then": frame.proposed.value,
        "score": frame.score,
        "base_score": frame.base_score,
    }


def _in_force(in_force: InForce) -> dict[str, Any]:
    return {"normalities": list(in_force.normalities), "threshold": in_force.threshold}
