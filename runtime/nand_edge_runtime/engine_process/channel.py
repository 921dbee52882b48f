"""Messages between the station and a process of its own: small JSON objects over a socket, and open files beside them."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!I")
_MAX_BYTES = 16 << 20


class ChannelClosedError(Exception):
    """The other side is gone, or says what is no message."""


class Channel:
    """One end of a socket pair.

    Args:
        connected: The socket, which is closed with the channel.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._read = bytearray()
        self._descriptors: list[int] = []

    @staticmethod
    def pair() -> tuple[Channel, socket.socket]:
        """This side's channel, and the other side's socket to hand over."""
        own, other = socket.socketpair()
        return Channel(own), other

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a message; with open files, the other side gets copies of them.

        Raises:
            ChannelClosedError: Nobody is there.
        """
        content = json.dumps(message).encode()
        data = _LENGTH.pack(len(content)) + content
        try:
            sent = socket.send_fds(self._socket, [data], descriptors) if descriptors else 0
            self._socket.sendall(data[sent:])
        except OSError as error:
            raise ChannelClosedError(str(error)) from None

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next message, or None when there is none in time; open files that came with it are in `descriptors`.

        Raises:
            ChannelClosedError: Nobody is there any more.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            message = self._next()
            if message is not None:
                return message
            left = None if until is None else max(until - time.monotonic(), 0.0)
            try:
                if not select.select([self._socket], [], [], left)[0]:
                    return None
                data, descriptors, _, _ = socket.recv_fds(self._socket, 1 << 16, 4)
            except (OSError, ValueError) as error:
                raise ChannelClosedError(str(error)) from None
            if not data:
                raise ChannelClosedError("closed")
            self._read += data
            self._descriptors += descriptors

    def take_descriptors(self) -> list[int]:
        """The open files that came so far and were not taken."""
        taken, self._descriptors = self._descriptors, []
        return taken

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _next(self) -> dict[str, Any] | None:
        if len(self._read) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._read)
        if length > _MAX_BYTES:
            raise ChannelClosedError(f"a message of {length} bytes")
        end = _LENGTH.size + length
        if len(self._read) < end:
            return None
        content = bytes(self._read[_LENGTH.size : end])
        del self._read[:end]
        message: dict[str, Any] = json.loads(content)
        return message
