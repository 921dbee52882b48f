"""A cable between a camera and the station, which can be pulled: nothing goes through it, and nobody says so."""

from __future__ import annotations

import contextlib
import socket
import threading

_PIECE = 1 << 16
_LOOK_S = 0.05


class Cable:
    """Passes connections on, until it is pulled: then what is sent is gone, on open connections and on new ones.

    Args:
        port: Its port of loopback, on the station's side.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._to = 0
        self._listener: socket.socket | None = None
        self._whole, self._closed = threading.Event(), threading.Event()
        self._whole.set()

    def start(self, *, to: int) -> None:
        """Begin to pass on to a port of loopback."""
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    def pull(self) -> None:
        """Let nothing through."""
        self._whole.clear()

    def plug(self) -> None:
        """Let new connections through; those that were open are broken, as after a while without answers."""
        self._whole.set()

    def close(self) -> None:
        """Pass on no more."""
        self._closed.set()
        if self._listener is not None:
            self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set() and self._listener is not None:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            if not self._whole.is_set():
                self._swallow(near)
                return
            with socket.create_connection(("127.0.0.1", self._to), timeout=5) as far:
                far.settimeout(None)
                back = threading.Thread(target=self._copy, args=(near, far), daemon=True)
                back.start()
                self._copy(far, near)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        """Until one side is gone; what comes while the cable is pulled is lost, and with it the connection."""
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if not self._whole.is_set():
                    self._swallow(source)
                    break
                target.sendall(data)
        for side in (source, target):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def _swallow(self, source: socket.socket) -> None:
        """Take what is sent and answer nothing, until the cable is plugged in again."""
        source.settimeout(_LOOK_S)
        while not self._whole.is_set() and not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                if not source.recv(_PIECE):
                    return
