"""One process that an engine runs in, as the station sees it: started, asked, and ended."""

from __future__ import annotations

import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection
from nand_edge_runtime.engine_process.channel import PACKED, Channel, ChannelClosedError
from nand_edge_runtime.engine_process.crossing import Answer, Question, inspection_of
from nand_edge_runtime.engine_process.failure import EngineFailure, too_slow
from nand_edge_runtime.engine_process.interpreter import ending, start_child
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.loan import Lender, Loan
from nand_edge_runtime.engine_process.output_log import OutputLog
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.shared_block import SharedBlock
from nand_edge_runtime.engine_process.shared_pool import SharedPool
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason

_LOOK_S = 0.05
_END_S = 0.3


@dataclass(frozen=True)
class Ready:
    """What an engine says of itself once it is loaded.

    Attributes:
        device: The target and what it runs on, in words.
        bundle: The sha256 of the bundle that it opened.
    """

    device: str
    bundle: str


class ChildProcess:
    """A process with an engine.

    `open` first; then one thread at a time may `judge`, while another looks whether it is still well, and ends it.

    Args:
        folder: The bundle.
        settings: Which engine, and how it is to run.
        memory: What it and the station share; it may be shared with other processes, one after another.
        map_size: Side of the maps that the bundle gives.
        region: What inspections say of where frames were inspected.
        niceness: How far it steps back behind others, 0 to 19.

    Raises:
        OSError: No process could be started.
    """

    def __init__(
        self,
        folder: Path,
        settings: EngineSettings,
        *,
        memory: SharedPool,
        map_size: int,
        region: NDArray[np.float32] | None = None,
        niceness: int = 0,
    ) -> None:
        self._folder, self._settings, self._niceness = folder, settings, niceness
        self._region, self._lender = region, Lender(memory, map_size)
        self._lock = threading.Lock()
        self._loan: Loan | None = None
        self._bundle = ""
        self._number = 0
        self._asked: JudgedBy | None = None
        self._judges_by: JudgedBy | None = None
        self._busy_since: float | None = None
        self._ended_for = ""
        self._closed = False
        self.answered = 0
        self._channel, other = Channel.pair()
        try:
            self._process = start_child(other.fileno())
        except OSError:
            self._channel.close()
            raise
        finally:
            other.close()
        if self._process.stdout is None:
            raise AssertionError("its output is a pipe")
        self._output = OutputLog(self._process.stdout, "engine process")

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def open(self, timeout_s: float, stopping: threading.Event, *, shape: Sequence[int] | None = None) -> Ready:
        """Have it load the engine.

        Args:
            timeout_s: How long it may take.
            stopping: Ends the wait.
            shape: [N, H, W, 3] of the frames to expect, if known.

        Raises:
            NandEdgeError: The engine cannot be loaded, its process died, or it is not there in time.
        """
        until = time.monotonic() + timeout_s
        request = {
            "folder": str(self._folder),
            "settings": self._settings.model_dump(mode="json"),
            "niceness": self._niceness,
            "shape": shape,
        }
        try:
            self._channel.send(request)
            while (answer := self._channel.receive(_LOOK_S)) is None:
                if stopping.is_set():
                    raise self._cannot_be_used("an order to stop")
                if time.monotonic() > until:
                    raise self._cannot_be_used(f"no answer within {timeout_s:.0f} s")
        except ChannelClosedError:
            raise self._cannot_be_used(self.death()) from None
        if answer["is"] == "refused":
            what, found, needed, do = answer["error"]
            raise NandEdgeError(what, found=found, needed=needed, do=do)
        self._bundle = answer["bundle"]
        return Ready(answer["device"], self._bundle)

    def judge(self, frames: Sequence[CameraFrame], judged_by: JudgedBy, timeout_s: float) -> list[Inspection]:
        """Have it judge frames of one size; an answer that comes too late is thrown away.

        Raises:
            EngineFailure: It did not.
        """
        started = time.monotonic()
        until = started + timeout_s
        with self._lock:
            if self._closed:
                raise EngineFailure(Reason.ENGINE_NOT_READY, self._ended_for)
            try:
                self._take_late_answer(until)
                self._ask(frames, judged_by)
                answer = self._answer(until)
            except ChannelClosedError:
                raise EngineFailure(Reason.ENGINE_FAILED, self.death()) from None
            self.answered += 1
            return self._inspections(frames, answer, started)

    def busy_since(self) -> float | None:
        """Since when it has been at the same frames, seconds of `time.monotonic()`; None where it has answered."""
        since = self._busy_since
        return None if since is None or self._channel.has_input() else since

    def died(self) -> bool:
        """Whether it is no longer there."""
        return self._process.poll() is not None

    def death(self) -> str:
        """How it died, in words, as far as that is known at once."""
        if self._ended_for:
            return self._ended_for
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LOOK_S)
        words = ending(self._process.returncode)
        last = self._output.last_words(_LOOK_S)
        return f"{words}, its last words: {last}" if last else words

    def end(self, why: str) -> None:
        """End it at once, and whoever waits for it; memory and files are given back."""
        self._ended_for = why
        self._channel.shut_down()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        # Whoever waited for an answer was just woken; where that fails, a file is better lost than taken from a reader.
        if not self._lock.acquire(timeout=_END_S):
            return
        try:
            self._closed = True
            self._channel.close()
            self._loan = None
            self._lender.close()
        finally:
            self._lock.release()

    def _take_late_answer(self, until: float) -> None:
        """Wait until it is done with the frames before, which were given up."""
        if self._busy_since is not None:
            with suppress(EngineFailure):
                self._answer(until)
        if self._busy_since is not None:
            raise too_slow()

    def _ask(self, frames: Sequence[CameraFrame], judged_by: JudgedBy) -> None:
        changes, files = self._words(judged_by)
        try:
            self._loan = loan = self._lender.lend([frame.image for frame in frames])
            new, gone = self._lender.news(loan)
            if new or gone:
                changes |= {"new": [(number, block.size) for number, block in new.items()], "gone": gone}
            self._number += 1
            question = Question(self._number, loan.frames.shape, loan.places, changes)
            self._asked, self._busy_since = judged_by, time.monotonic()
            self._channel.send_packed(question.packed(), [each.fileno() for each in (*files, *new.values())])
            # While the engine runs there is time for what the next frame would wait for.
            self._lender.prepare(len(frames))
        except OSError as error:
            raise _no_memory(error) from None
        finally:
            for file in files:
                file.close()

    def _words(self, judged_by: JudgedBy) -> tuple[dict[str, Any], list[SharedBlock]]:
        """What the frames are to be judged by, where it does not know that yet."""
        if self._judges_by is judged_by:
            return {}, []
        message, vectors = judged_by.to_message()
        try:
            block = SharedBlock.create(max(vectors.nbytes, 1))
        except OSError as error:
            raise _no_memory(error) from None
        block.view(vectors.shape, np.float32)[...] = vectors
        return {"judge by": message}, [block]

    def _answer(self, until: float) -> Answer:
        message = self._channel.receive(max(until - time.monotonic(), 0.0))
        if message is None:
            raise too_slow()
        try:
            answer = Answer.unpacked(message[PACKED]) if PACKED in message else None
        except struct.error as error:
            raise ChannelClosedError(f"an answer that cannot be read ({error})") from None
        number = message["id"] if answer is None else answer.number
        if number != self._number:
            raise ChannelClosedError(f"an answer to {number} instead of {self._number}")
        self._busy_since = None
        # After a failure it is not known how far it came with a change.
        self._judges_by = None if answer is None else self._asked
        if time.monotonic() > until:
            raise too_slow()
        if answer is None:
            raise EngineFailure(Reason[message["reason"]], message["detail"])
        return answer

    def _inspections(self, frames: Sequence[CameraFrame], answer: Answer, started: float) -> list[Inspection]:
        loan, judged_by, self._loan = self._loan, self._asked, None
        if loan is None or judged_by is None or answer.judged_by != judged_by.serial:
            raise EngineFailure(Reason.ENGINE_FAILED, "it judged by other words than it was told")
        waited_ms = (time.monotonic() - started) * 1e3
        return [
            inspection_of(
                frame,
                facts,
                partial(loan.map, place, answer.side),
                normalities=judged_by.names,
                bundle=self._bundle,
                region=self._region,
                waited_ms=waited_ms,
            )
            for place, (frame, facts) in enumerate(zip(frames, answer.facts, strict=True))
        ]

    def _cannot_be_used(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"engine of bundle {self._folder.name!r}",
            found=found,
            needed="an engine that loads in its own process",
            do="run `nand-edge doctor`, or set another target under [engine]",
        )


def _no_memory(error: OSError) -> EngineFailure:
    return EngineFailure(Reason.FRAME_REFUSED, f"no memory for the frame ({error.strerror or type(error).__name__})")
