"""The inspector as both kinds of engine use it: opened, run once before it counts, and tried again when it errs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.station.records import Reason

_FIRST_PIXELS, _FIRST_ASPECT = 640 * 480, 4 / 3
"""The first run's frame while nobody knows what the cameras give."""

_TRIED_AGAIN_S = 1.0


class Judge:
    """An opened engine; one thread at a time.

    Args:
        folder: The bundle.
        settings: Which engine, and how it is to run.

    Raises:
        NandEdgeError: It cannot be opened.
    """

    def __init__(self, folder: Path, settings: EngineSettings) -> None:
        self.inspector = Inspector(
            folder,
            target=settings.target,
            provider=settings.provider,
            precision=settings.precision,
            threads=settings.threads,
            spinning=settings.spinning,
            normalities=[],
        )
        self.serial = -1
        """Of what it judges by; -1 before there was any, or where a change failed half-way."""
        self._good: tuple[int, ...] = ()
        self._tried = 0.0

    @property
    def device(self) -> str:
        """The target and what it runs on, in words."""
        return f"{self.inspector.target.value} on {self.inspector.device}"

    def judge_by(self, judged_by: JudgedBy) -> None:
        """Judge by this from now on.

        Raises:
            NandEdgeError: A normality does not fit the bundle, or the threshold is no finite number.
        """
        self.serial = -1
        self.inspector.set_normalities(judged_by.normalities)
        self.inspector.threshold = judged_by.threshold
        self.serial = judged_by.serial

    def judge(self, frames: Sequence[NDArray[np.uint8]]) -> list[Inspection]:
        """Judge frames of one size.

        Raises:
            NandEdgeError: They cannot be judged.
        """
        alone = len(frames) == 1
        inspections = [self.inspector.inspect(frames[0])] if alone else self.inspector.inspect_batch(frames)
        self._good = (len(frames), *frames[0].shape)
        return inspections

    def warm_up(self, shape: Sequence[int] | None) -> None:
        """Run once through all of the graph, so that the first frame that counts need not wait for it.

        Args:
            shape: [N, H, W, 3] of the frames to expect; None while that is not known.
        """
        if shape is None:
            aspect = self.inspector.region.aspect or _FIRST_ASPECT
            height = max(round(math.sqrt(_FIRST_PIXELS / aspect)), 1)
            shape = (1, height, max(round(height * aspect), 1), 3)
        self.inspector.complete = True
        # A frame that is refused here is refused again when it comes, with its reason on record.
        with suppress(NandEdgeError):
            self.judge(list(np.zeros(shape, np.uint8)))
        self.inspector.complete = False

    def still_works(self) -> bool:
        """After a failure: whether frames of a size that went through before still do; looks once a second at most.

        A device that was lost refuses every frame from then on, and only a new process finds it again.
        """
        now = time.monotonic()
        if not self._good or now - self._tried < _TRIED_AGAIN_S:
            return True
        self._tried = now
        try:
            self.judge(list(np.zeros(self._good, np.uint8)))
        except Exception:  # noqa: BLE001 - whatever it raises, it does not work
            return False
        return True

    def close(self) -> None:
        """Free the engine."""
        self.inspector.close()


def failure_of(error: Exception) -> tuple[Reason, str]:
    """What is on record when judging raised this."""
    if isinstance(error, NandEdgeError):
        return Reason.FRAME_REFUSED, str(error)
    said = (str(error).strip().splitlines() or [""])[0][:300]
    return Reason.ENGINE_FAILED, f"{type(error).__name__}: {said}" if said else type(error).__name__
