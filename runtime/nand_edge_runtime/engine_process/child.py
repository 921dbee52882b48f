"""The engine's own process: it judges what it is sent until the station goes."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.engine_process.channel import PACKED, Channel, ChannelClosedError
from nand_edge_runtime.engine_process.crossing import MAPS, Answer, Question, facts_of
from nand_edge_runtime.engine_process.judge import Judge, failure_of
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.shared_block import SharedBlock

_PR_SET_PDEATHSIG = 1
_LOST = 70
"""How the process ends when its engine no longer works."""

_VIEWS = 256
"""Arrays in the shared memory that are kept to be used again."""


def main() -> None:
    """Serve the socket that the first argument names, for the process that the second one names."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    # Ctrl-C and systemd's SIGTERM go to the station, which still wants verdicts for the frames that it has.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _end_with(parent)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    channel = Channel(socket.socket(fileno=descriptor))
    try:
        _Child(channel).serve()
    except ChannelClosedError as error:
        if str(error):
            print(error, file=sys.stderr)
    # No tidying up: engines take their time for it, and some never finish.
    _end(0)


def _end_with(parent: int) -> None:
    """End when the station does, even in the middle of a run that never comes back."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        _end(0)


def _end(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Child:
    """Answers messages one by one.

    Args:
        channel: To the station.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._segments: dict[int, SharedBlock] = {}
        # The same places come again and again.
        self._array = lru_cache(maxsize=_VIEWS)(self._view)

    def serve(self) -> None:
        """Open the engine, then judge until the station goes.

        Raises:
            ChannelClosedError: It is gone.
        """
        judge = self._opened(self._next())
        while judge is not None:
            question = Question.unpacked(self._next()[PACKED])
            try:
                self._channel.send_packed(self._answer(judge, question).packed())
            except ChannelClosedError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever an engine raises costs these frames and no others
                reason, detail = failure_of(error)
                self._channel.send({"is": "failure", "id": question.number, "reason": reason.name, "detail": detail})
                if not judge.still_works():
                    print(f"the engine no longer judges what it judged before: {detail}", file=sys.stderr)
                    _end(_LOST)

    def _opened(self, message: dict[str, Any]) -> Judge | None:
        _step_back(int(message["niceness"]))
        try:
            judge = Judge(Path(message["folder"]), EngineSettings(**message["settings"]))
            judge.warm_up(message["shape"])
        except NandEdgeError as error:
            self._channel.send({"is": "refused", "error": [error.what, error.found, error.needed, error.do]})
            return None
        ready = {"is": "ready", "device": judge.device, "bundle": judge.inspector.bundle.sha256}
        self._channel.send(ready)
        # What is there now stays: the garbage collector need not look through it while frames wait.
        gc.collect()
        gc.freeze()
        return judge

    def _answer(self, judge: Judge, question: Question) -> Answer:
        if question.changes:
            self._change(judge, question.changes)
        segment, offset, *rooms = question.places
        inspections = judge.judge(list(self._array(segment, offset, question.shape, np.uint8)))
        side = len(inspections[0].anomaly_map)

        def room(frame: int, number: int) -> NDArray[np.float32]:
            place = 2 * (MAPS * frame + number)
            return self._array(rooms[place], rooms[place + 1], (side, side), np.float32)

        facts = [facts_of(inspection, partial(room, frame)) for frame, inspection in enumerate(inspections)]
        return Answer(question.number, judge.serial, side, facts)

    def _change(self, judge: Judge, changes: dict[str, Any]) -> None:
        # All that came with the message is taken before anything can fail.
        judged_by = self._judged_by(changes["judge by"]) if "judge by" in changes else None
        self._share(changes.get("new", ()), changes.get("gone", ()))
        if judged_by is not None:
            judge.judge_by(judged_by)

    def _judged_by(self, message: dict[str, Any]) -> JudgedBy:
        (descriptor,) = self._channel.take_descriptors(1)
        length = int(message["length"])
        block = SharedBlock(descriptor, max(4 * length, 1))
        judged_by = JudgedBy.from_message(message, block.view([length], np.float32))
        block.close()
        return judged_by

    def _share(self, new: Sequence[tuple[int, int]], gone: Sequence[int]) -> None:
        """Take the memory that the station has new, and let go of what it no longer has."""
        for (number, size), descriptor in zip(new, self._channel.take_descriptors(len(new)), strict=True):
            self._segments[number] = SharedBlock(descriptor, size)
        if gone:
            self._array.cache_clear()
        for number in gone:
            self._segments.pop(number).close()

    def _view(self, segment: int, offset: int, shape: Sequence[int], kind: DTypeLike) -> NDArray[Any]:
        return self._segments[segment].view(shape, kind, offset=offset)

    def _next(self) -> dict[str, Any]:
        message = self._channel.receive()
        if message is None:
            raise ChannelClosedError("no message without a time-out")
        return message


def _step_back(niceness: int) -> None:
    """Leave the processor to whoever else wants it."""
    if niceness == 0:
        return
    os.nice(niceness)
    with suppress(OSError):
        # Where the kernel shares the processor among sessions first, niceness counts within a session alone.
        Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
