"""A TCP connection to a real server that can be cut, and how tests wait."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress


def wait_until(true: Callable[[], object], what: str, timeout_s: float = 5.0) -> None:
    until = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < until, f"not in {timeout_s} s: {what}"
        time.sleep(0.005)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Cable:
    """A TCP connection to a real server, which can be cut, hang, or be slow."""

    def __init__(self, to_port: int) -> None:
        self.to_port, self.delay_s = to_port, 0.0
        self.hanging = threading.Event()
        self.port = free_port()
        self._closed = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener: socket.socket | None = None
        self.plug_in()

    def plug_in(self) -> None:
        self.hanging.clear()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for pair in self._pairs:
            for end in pair:
                shut(end)
        self._pairs = []

    def hang(self) -> None:
        """Accept connections and data, and answer nothing."""
        self.hanging.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.to_port), timeout=2)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            other = {near: far, far: near}
            while True:
                try:
                    for ready in select.select([near, far], [], [], 1.0)[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        if self.hanging.is_set():
                            continue  # what was sent now is lost for good: the connection is no longer of use
                        if ready is far:
                            time.sleep(self.delay_s)
                        other[ready].sendall(data)
                except (OSError, ValueError):
                    return
