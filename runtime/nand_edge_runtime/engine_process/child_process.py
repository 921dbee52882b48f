"""One process that an engine runs in, as the station sees it: started, asked, and ended."""

from __future__ import annotations

import math
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection
from nand_edge_runtime.engine_process.channel import Channel, ChannelClosedError
from nand_edge_runtime.engine_process.crossing import inspection_of
from nand_edge_runtime.engine_process.failure import EngineFailure, too_slow
from nand_edge_runtime.engine_process.interpreter import ending, start_child
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.output_log import OutputLog
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.shared_block import SharedBlock
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
        map_size: int,
        region: NDArray[np.float32] | None = None,
        niceness: int = 0,
    ) -> None:
        self._folder, self._settings, self._niceness = folder, settings, niceness
        self._map_size, self._region = map_size, region
        self._lock = threading.Lock()
        self._blocks: dict[str, SharedBlock] = {}
        self._shape: Sequence[int] = ()
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
        return Ready(answer["device"], answer["bundle"])

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
            if answer["is"] == "failure":
                raise EngineFailure(Reason[answer["reason"]], answer["detail"])
            self.answered += 1
            return self._inspections(frames, answer, started)

    def hangs(self, timeout_s: float) -> bool:
        """Whether it has been at the same frames for longer than this."""
        since = self._busy_since
        return since is not None and time.monotonic() - since > timeout_s and not self._channel.has_input()

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
            for block in self._blocks.values():
                block.close()
            self._blocks.clear()
        finally:
            self._lock.release()

    def _take_late_answer(self, until: float) -> None:
        """Wait until it is done with the frames before, which were given up."""
        if self._busy_since is not None:
            self._answer(until)

    def _ask(self, frames: Sequence[CameraFrame], judged_by: JudgedBy) -> None:
        shape = (len(frames), *frames[0].image.shape)
        words, vectors = self._words(judged_by)
        try:
            new = self._new_blocks(shape)
            for place, frame in zip(self._blocks["frames"].view(shape), frames, strict=True):
                np.copyto(place, frame.image)
            self._number += 1
            message = {
                "id": self._number,
                "shape": shape,
                "judge by": words,
                "new blocks": {name: self._blocks[name].size for name in new},
            }
            files = [*([vectors] if vectors else []), *(self._blocks[name] for name in new)]
            self._asked, self._busy_since = judged_by, time.monotonic()
            self._channel.send(message, [each.fileno() for each in files])
        finally:
            if vectors:
                vectors.close()

    def _words(self, judged_by: JudgedBy) -> tuple[dict[str, Any] | None, SharedBlock | None]:
        """What the frames are to be judged by, where it does not know that yet."""
        if self._judges_by is judged_by:
            return None, None
        message, vectors = judged_by.to_message()
        block = _block(max(vectors.nbytes, 1))
        block.view(vectors.shape, np.float32)[...] = vectors
        return message, block

    def _new_blocks(self, shape: Sequence[int]) -> list[str]:
        """Make memory for frames of this shape and their maps, where there is not enough; gives the new ones' names."""
        if shape == self._shape:
            return []
        needed = {
            "frames": math.prod(shape),
            "maps": max(12 * shape[0] * self._map_size**2, 1),
        }
        new: dict[str, SharedBlock] = {}
        try:
            for name, size in needed.items():
                if name not in self._blocks or self._blocks[name].size < size:
                    new[name] = _block(size)
        except EngineFailure:
            for block in new.values():
                block.close()
            raise
        for name, block in new.items():
            if name in self._blocks:
                self._blocks[name].close()
            self._blocks[name] = block
        self._shape = shape
        return list(new)

    def _answer(self, until: float) -> dict[str, Any]:
        message = self._channel.receive(max(until - time.monotonic(), 0.0))
        if message is None:
            raise too_slow()
        if message["id"] != self._number:
            raise ChannelClosedError(f"an answer to {message['id']} instead of {self._number}")
        self._busy_since = None
        # After a failure it is not known how far it came with a change.
        self._judges_by = self._asked if message["is"] == "answer" else None
        if time.monotonic() > until:
            raise too_slow()
        return message

    def _inspections(self, frames: Sequence[CameraFrame], answer: dict[str, Any], started: float) -> list[Inspection]:
        side = int(answer["side"])
        maps = self._blocks["maps"].view([len(frames), 3, side, side], np.float32)
        waited_ms = (time.monotonic() - started) * 1e3
        return [
            inspection_of(frame, facts, drawn, region=self._region, waited_ms=waited_ms)
            for frame, facts, drawn in zip(frames, answer["inspections"], maps, strict=True)
        ]

    def _cannot_be_used(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"engine of bundle {self._folder.name!r}",
            found=found,
            needed="an engine that loads in its own process",
            do="run `nand-edge doctor`, or set another target under [engine]",
        )


def _block(size: int) -> SharedBlock:
    try:
        return SharedBlock.create(size)
    except OSError as error:
        raise EngineFailure(
            Reason.FRAME_REFUSED, f"no memory for {size} bytes ({error.strerror or type(error).__name__})"
        ) from None
