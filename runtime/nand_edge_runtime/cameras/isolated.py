"""A camera in a process of its own: where its driver hangs or crashes, the process is ended and another one started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.host import Host
from nand_edge_runtime.cameras.protocol import CameraError, EndOfSourceError, Taken
from nand_edge_runtime.cameras.settings import CameraSettings
from nand_edge_runtime.engine_process.channel import Channel, ChannelClosedError
from nand_edge_runtime.engine_process.shared_block import SharedBlock
from nand_edge_runtime.engine_process.shared_pool import SharedPool
from nand_edge_runtime.watch import Watch

_START = "from nand_edge_runtime.cameras.camera_process import main; main()"
_IMPORTS_S = 30.0
"""How long a process may take until its imports are done, on a machine that is busy."""

_CLOSE_S = 0.3
"""How long the driver may take to close its device before its process is ended."""


class ProcessHost(Host):
    """Runs a camera in a process, which stays over faults that the driver reports, and is ended over those it does not.

    Args:
        settings: The camera's.
        memory: Where frames are put; None for this process's own.
    """

    def __init__(self, settings: CameraSettings, memory: SharedPool | None = None) -> None:
        super().__init__(settings)
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._blocks: list[SharedBlock] = []
        self._unused: int | None = None
        self._is_ready = False
        self._wish = 0
        self._sign, self._watch = 0.0, Watch()

    def open(self) -> None:
        """Have the camera opened; see `Host`."""
        self._wish += 1
        self.is_open = False
        try:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._start()
            assert self._channel is not None  # noqa: S101 - just started
            self._channel.send({"open": self._wish})
        except (OSError, ChannelClosedError) as error:
            self._end()
            raise CameraError(f"its process cannot be started: {type(error).__name__}") from None
        self._sign = time.monotonic()

    def read(self, timeout_s: float) -> Taken | None:
        """The next frame; see `Host`."""
        return self._next(time.monotonic() + timeout_s)

    def close(self) -> None:
        """Have the camera closed; see `Host`."""
        process = self._process
        self._hang_up()
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSE_S)
        self._end()

    def _next(self, until: float) -> Taken | None:
        while True:
            if self._channel is None:
                raise CameraError("its process is not there")
            try:
                self._give_back()
                message = self._channel.receive(max(until - time.monotonic(), 0.0))
            except ChannelClosedError:
                raise self._died() from None
            if message is None:
                self._require_life()
                return None
            self._sign = time.monotonic()
            taken = self._understand(message)
            if taken is not None:
                return taken

    def _understand(self, message: dict[str, Any]) -> Taken | None:
        if "block" in message:
            return self._frame(message)
        if "blocks" in message:
            self._take_blocks(int(message["blocks"]), int(message["bytes"]))
        elif "opened" in message:
            self.is_open = message["opened"] == self._wish
        elif "ready" in message:
            self._is_ready = True
        elif "fault" in message:
            raise CameraError(str(message["fault"]))
        elif "lasting" in message:
            what, found, needed, do = message["lasting"]
            raise NandEdgeError(what, found=found, needed=needed, do=do)
        elif "end" in message:
            raise EndOfSourceError
        return None

    def _frame(self, message: dict[str, Any]) -> Taken:
        image = self._kept(self._blocks[message["block"]].view(message["shape"]))
        # Told at the next read: the process has others, and this frame is on its way sooner.
        self._unused = message["block"]
        return Taken(
            image, message["name"], message["taken"], message["timestamp"], message["device"], message["position"],
            message["fault"],
        )  # fmt: skip

    def _kept(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy that stays when the block is filled again."""
        # With too little memory to share, the frame may still find room here.
        with suppress(OSError):
            if self._memory is not None:
                return self._memory.copy_of(image)
        return np.array(image)

    def _give_back(self) -> None:
        """Tell the process which block it may fill again."""
        if self._unused is not None and self._channel is not None:
            self._channel.send({"free": self._unused})
        self._unused = None

    def _take_blocks(self, count: int, size: int) -> None:
        self._let_blocks_go()
        if self._channel is not None:
            self._blocks = [SharedBlock(descriptor, size) for descriptor in self._channel.take_descriptors(count)]

    def _let_blocks_go(self) -> None:
        for block in self._blocks:
            block.close()
        self._blocks, self._unused = [], None

    def _require_life(self) -> None:
        """End a process that has said nothing for too long."""
        if not self._is_ready:
            longest_s, doing = _IMPORTS_S, "starts"
        elif not self.is_open:
            longest_s, doing = self.settings.open_timeout_s, "opens"
        else:
            longest_s, doing = self.settings.read_timeout_s, "reads"
        if self._watch.silent_s(self._sign) > longest_s:
            self._end()
            raise CameraError(f"its driver hung while it {doing}: no sign of life for {longest_s:g} s")

    def _died(self) -> CameraError:
        process = self._process
        code: int | None = None
        if process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_CLOSE_S)
        self._end()
        how = "was ended" if code is None else f"ended by signal {-code}" if code < 0 else f"ended with {code}"
        return CameraError(f"its process {how}")

    def _start(self) -> None:
        own, other = Channel.pair()
        self._channel, self._is_ready = own, False
        # It imports what this process would import, in the same order, and nothing of its working folder.
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is the working folder
        with other:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter with a constant program
                [sys.executable, "-c", _START, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                # What a driver writes may hold an address with its password.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"},
                start_new_session=True,
            )
        settings = self.settings.model_dump(mode="json", include=set(CameraSettings.model_fields))
        # Not as an argument: those can be read by everybody on the machine.
        own.send({"settings": {**settings, "kind": self.settings.source_kind.value}})

    def _end(self) -> None:
        self._hang_up()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSE_S)

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._let_blocks_go()
        self.is_open = False
