"""The engine's own process: it judges what it is sent until the station goes."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.engine_process.channel import Channel, ChannelClosedError
from nand_edge_runtime.engine_process.crossing import facts_of
from nand_edge_runtime.engine_process.judge import Judge, failure_of
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.engine_process.shared_block import SharedBlock

_PR_SET_PDEATHSIG = 1
_LOST = 70
"""How the process ends when its engine no longer works."""


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
        self._frames: SharedBlock | None = None
        self._maps: SharedBlock | None = None

    def serve(self) -> None:
        """Open the engine, then judge until the station goes.

        Raises:
            ChannelClosedError: It is gone.
        """
        judge = self._opened(self._next())
        while judge is not None:
            message = self._next()
            try:
                self._channel.send(self._answer(judge, message))
            except ChannelClosedError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever an engine raises costs these frames and no others
                reason, detail = failure_of(error)
                self._channel.send({"is": "failure", "id": message["id"], "reason": reason.name, "detail": detail})
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

    def _answer(self, judge: Judge, message: dict[str, Any]) -> dict[str, Any]:
        # All that came with the message is taken before anything can fail.
        judged_by = None if message["judge by"] is None else self._judged_by(message["judge by"])
        for name, size in message["new blocks"].items():
            self._take(name, int(size))
        if judged_by is not None:
            judge.judge_by(judged_by)
        if self._frames is None or self._maps is None:
            raise ChannelClosedError("frames without memory for them")
        inspections = judge.judge(list(self._frames.view(message["shape"])))
        side = inspections[0].anomaly_map.shape[0]
        maps = self._maps.view([len(inspections), 3, side, side], np.float32)
        facts = [facts_of(inspection, place) for place, inspection in zip(maps, inspections, strict=True)]
        return {"is": "answer", "id": message["id"], "side": side, "inspections": facts}

    def _judged_by(self, message: dict[str, Any]) -> JudgedBy:
        (descriptor,) = self._channel.take_descriptors(1)
        length = int(message["length"])
        block = SharedBlock(descriptor, max(4 * length, 1))
        judged_by = JudgedBy.from_message(message, block.view([length], np.float32))
        block.close()
        return judged_by

    def _take(self, name: str, size: int) -> None:
        (descriptor,) = self._channel.take_descriptors(1)
        block = SharedBlock(descriptor, size)
        before = self._frames if name == "frames" else self._maps
        if before is not None:
            before.close()
        if name == "frames":
            self._frames = block
        else:
            self._maps = block

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
