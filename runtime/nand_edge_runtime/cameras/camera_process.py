"""The process that runs one camera's driver: it puts frames into shared memory, and ends when the station does."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras import make_camera
from nand_edge_runtime.cameras.protocol import Camera, CameraError, EndOfSourceError, Taken, within_limit
from nand_edge_runtime.cameras.settings import CameraSettings
from nand_edge_runtime.engine_process.channel import Channel, ChannelClosedError
from nand_edge_runtime.engine_process.shared_block import SharedBlock

_BLOCKS = 3
"""Frames on their way to the station at once; so many open files go with one message."""

_POLL_S = 0.1
_CLOSE_S = 2.0
"""How long a driver may take to close its device once the station has gone."""


class CameraProcess:
    """One camera, and what the station wants of it.

    Args:
        channel: To the station.
        settings: The camera's.
    """

    def __init__(self, channel: Channel, settings: CameraSettings) -> None:
        self._channel, self._settings = channel, settings
        self._changed = threading.Condition()
        self._wanted = 0
        self._is_ending = False
        self._blocks: list[SharedBlock] = []
        self._free: list[int] = []

    def run(self) -> None:
        """Open the camera whenever the station wants it, and pass its frames on, until the station goes."""
        threading.Thread(target=self._listen, name="station", daemon=True).start()
        served: int | None = 0
        camera: Camera | None = None
        while (served := self._next_wish(served)) is not None:
            try:
                camera = camera or make_camera(self._settings)
                camera.open()
                self._say({"opened": served})
                self._pass_on(camera, served)
            except EndOfSourceError:
                self._say({"end": True})
            except CameraError as error:
                self._say({"fault": str(error)})
            except NandEdgeError as error:
                self._say({"lasting": [error.what, error.found, error.needed, error.do]})
            except ChannelClosedError:
                pass
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; it is opened again
                self._say({"fault": f"its driver failed: {type(error).__name__}"})
            finally:
                if camera is not None:
                    camera.close()

    def _pass_on(self, camera: Camera, wish: int) -> None:
        while self._wanted == wish and not self._is_ending:
            taken = camera.read(_POLL_S)
            if taken is None:
                self._say({"alive": True})
                continue
            # Before memory is made for it.
            taken = within_limit(taken, self._settings.max_megapixels)
            block = self._block_for(taken)
            if block is None:
                return
            np.copyto(self._blocks[block].view(taken.image.shape), taken.image)
            self._say({
                "block": block, "shape": taken.image.shape, "name": taken.name, "taken": taken.taken,
                "timestamp": taken.timestamp, "device": taken.device_timestamp_ns, "position": taken.position,
                "fault": taken.fault,
            })  # fmt: skip

    def _block_for(self, taken: Taken) -> int | None:
        """A free block that is large enough; None when the station wants no more frames."""
        size = taken.image.nbytes
        if not self._blocks or self._blocks[0].size < size:
            if not self._wait_for_blocks(len(self._blocks)):
                return None
            for block in self._blocks:
                block.close()
            self._blocks = [SharedBlock.create(size) for _ in range(_BLOCKS)]
            self._free = list(range(_BLOCKS))
            message = {"blocks": _BLOCKS, "bytes": size}
            self._channel.send(message, [block.fileno() for block in self._blocks])
        # The one that was freed last is the one that the caches still hold.
        return self._free.pop() if self._wait_for_blocks(1) else None

    def _wait_for_blocks(self, count: int) -> bool:
        """Wait for so many free blocks: while the station takes no frames, the driver is held back."""
        with self._changed:
            while len(self._free) < count and not self._is_ending:
                self._changed.wait(1.0)
            return not self._is_ending

    def _next_wish(self, served: int | None) -> int | None:
        with self._changed:
            while self._wanted == served and not self._is_ending:
                self._changed.wait(1.0)
            return None if self._is_ending else self._wanted

    def _listen(self) -> None:
        """Take the station's wishes; when it goes, so do we, even if the driver hangs."""
        try:
            while (message := self._channel.receive(None)) is not None:
                with self._changed:
                    if "free" in message:
                        self._free.append(int(message["free"]))
                    else:
                        self._wanted = int(message["open"])
                    self._changed.notify_all()
        except (ChannelClosedError, ValueError, KeyError):
            pass
        with self._changed:
            self._is_ending = True
            self._changed.notify_all()
        time.sleep(_CLOSE_S)
        os._exit(1)

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self._channel.send(message)
        except ChannelClosedError:
            with self._changed:
                self._is_ending = True


def main() -> None:
    """Run the camera of the settings that come first through the socket whose number is the only argument."""
    # The station says when we end: Ctrl-C and the service manager's signal reach the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    message = channel.receive(10.0)
    if message is None:
        return
    process = CameraProcess(channel, CameraSettings.model_validate(message["settings"]))
    channel.send({"ready": True})
    process.run()


if __name__ == "__main__":
    main()
