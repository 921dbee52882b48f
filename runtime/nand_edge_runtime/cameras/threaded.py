"""A camera in a thread of its own: where its driver hangs, the thread is left alone until it comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from contextlib import suppress

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.host import Host
from nand_edge_runtime.cameras.protocol import Camera, CameraError, EndOfSourceError, Recorded, Taken
from nand_edge_runtime.cameras.settings import CameraSettings
from nand_edge_runtime.watch import Watch

_POLL_S = 0.1
_JOIN_S = 0.2

_Told = Taken | Exception | None
"""A frame, what went wrong, or None: it lives."""


class ThreadHost(Host):
    """Runs a camera in one thread, for as long as the host lives.

    A thread cannot be ended: one that hangs in a driver is not joined by a second one, but waited for, while the
    station goes on and can be stopped.

    Args:
        settings: The camera's.
        camera: What it runs.
    """

    def __init__(self, settings: CameraSettings, camera: Camera) -> None:
        super().__init__(settings)
        self._camera = camera
        self._changed = threading.Condition()
        self._told: _Told = None
        self._wanted, self._opened = 0, 0
        self._is_closed = self._is_stuck = False
        self._sign, self._watch = time.monotonic(), Watch()
        self._thread = threading.Thread(target=self._forever, name=f"driver of {settings.name}", daemon=True)

    def open(self) -> None:
        """Have the camera opened; see `Host`."""
        with self._changed:
            if not self._is_stuck:
                self._wanted += 1
                self._told = None
            # What a stuck camera may still give is not lost: it goes on where it is once its driver comes back.
            self.is_open = False
            self._sign = time.monotonic()
            self._changed.notify_all()
        if self._thread.ident is None:
            self._thread.start()

    def read(self, timeout_s: float) -> Taken | None:
        """The next frame; see `Host`."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while self._told is None and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            told, self._told = self._told, None
            self._changed.notify_all()
            self.is_open = self._opened == self._wanted and not self._is_stuck
            if isinstance(told, Taken):
                return told
            if told is not None:
                raise told
            self._require_life()
        return None

    def close(self) -> None:
        """Have the camera closed; see `Host`."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def entered(self, name: str) -> None:
        """Pass it on; see `Host`."""
        self._camera.entered(name)

    def recorded(self, frames: Collection[Recorded]) -> None:
        """Pass it on; see `Host`."""
        self._camera.recorded(frames)

    def _require_life(self) -> None:
        silent_s = self._watch.silent_s(self._sign)
        longest_s = self.settings.read_timeout_s if self.is_open else self.settings.open_timeout_s
        if silent_s > longest_s + _POLL_S:
            self._is_stuck = True
            raise CameraError(f"no sign of life for {silent_s:.1f} s")

    def _forever(self) -> None:
        wish: int | None = 0
        while (wish := self._next_wish(wish)) is not None:
            try:
                self._camera.open()
                with self._changed:
                    self._opened, self._sign, self._is_stuck = wish, time.monotonic(), False
                while self._tell(self._camera.read(_POLL_S), wish):
                    pass
            except (CameraError, EndOfSourceError, NandEdgeError) as error:
                self._tell(error, wish)
            except Exception as error:  # noqa: BLE001 - a driver may raise anything; it is opened again
                self._tell(CameraError(f"its driver failed: {type(error).__name__}"), wish)
            finally:
                self._close_camera()

    def _next_wish(self, served: int | None) -> int | None:
        """Wait until the camera is to be opened; None when it never will be."""
        with self._changed:
            while self._wanted == served and not self._is_closed:
                self._changed.wait(1.0)
            return None if self._is_closed else self._wanted

    def _tell(self, told: _Told, wish: int) -> bool:
        """Hand over what the camera gave, and say whether it is to go on."""
        with self._changed:
            self._sign, self._is_stuck = time.monotonic(), False
            while self._told is not None and self._is_wished(wish):
                self._changed.wait(1.0)
            if not self._is_wished(wish):
                return False
            self._told, self._sign = told, time.monotonic()
            self._changed.notify_all()
            return True

    def _is_wished(self, wish: int) -> bool:
        return self._wanted == wish and not self._is_closed

    def _close_camera(self) -> None:
        with suppress(Exception):  # nothing that a close says changes what we do
            self._camera.close()
