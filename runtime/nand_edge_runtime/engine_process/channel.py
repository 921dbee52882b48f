"""Messages between the station and another process over a socket: small JSON objects, bytes, and open files."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

PACKED = "packed"
_PACKED = b"\0"
"""What no JSON begins with."""

_LENGTH = struct.Struct("!I")
_MAX_BYTES = 16 << 20
_READ_BYTES, _READ_ON_BYTES = 1 << 13, 1 << 20
"""Read at once: of a message, and where that was only the beginning of a large one."""
_MAX_DESCRIPTORS = 64


class ChannelClosedError(Exception):
    """The other side is gone, or says what is no message."""


class Channel:
    """One end of a socket pair; one thread at a time sends, and one receives.

    Args:
        connected: The socket, which is closed with the channel.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)
        self._read = b""
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
        self._send(json.dumps(message).encode(), descriptors)

    def send_packed(self, content: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send bytes, which come as the message `{PACKED: content}`.

        Raises:
            ChannelClosedError: Nobody is there.
        """
        self._send(_PACKED + content, descriptors)

    def _send(self, content: bytes, descriptors: Sequence[int]) -> None:
        data = _LENGTH.pack(len(content)) + content
        try:
            sent = socket.send_fds(self._socket, [data], descriptors) if descriptors else 0
            self._socket.sendall(data[sent:])
        except OSError as error:
            raise ChannelClosedError(str(error)) from None

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next message, or None when there is none in time; for open files that came with it, `take_descriptors`.

        Raises:
            ChannelClosedError: Nobody is there any more.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while (message := self._next()) is None:
            try:
                if until is not None and not self._poll.poll(max(until - time.monotonic(), 0.0) * 1e3):
                    return None
                at_once = _READ_ON_BYTES if self._read else _READ_BYTES
                data, descriptors, _, _ = socket.recv_fds(self._socket, at_once, _MAX_DESCRIPTORS)
            except (OSError, ValueError) as error:
                raise ChannelClosedError(str(error)) from None
            if not data:
                raise ChannelClosedError("")
            self._read = self._read + data if self._read else data
            self._descriptors += descriptors
        return message

    def has_input(self) -> bool:
        """Whether something came that was not yet received; safe from any thread."""
        if self._socket.fileno() < 0:
            return True
        # A poll object of its own: one must not be used by two threads at once.
        look = select.poll()
        look.register(self._socket, select.POLLIN)
        return bool(look.poll(0))

    def take_descriptors(self, count: int) -> list[int]:
        """The first open files of those that came and were not taken.

        Raises:
            ChannelClosedError: Fewer came than the message says.
        """
        if len(self._descriptors) < count:
            raise ChannelClosedError(f"{len(self._descriptors)} open files instead of {count}")
        taken, self._descriptors = self._descriptors[:count], self._descriptors[count:]
        return taken

    def shut_down(self) -> None:
        """End the conversation for both sides, and for whoever waits in `receive`; safe from any thread."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket; nobody may be in `receive`."""
        self._socket.close()

    def _next(self) -> dict[str, Any] | None:
        read, begin = self._read, _LENGTH.size
        if len(read) < begin:
            return None
        (length,) = _LENGTH.unpack_from(read)
        if length > _MAX_BYTES:
            raise ChannelClosedError(f"a message of {length} bytes")
        end = begin + length
        if len(read) < end:
            return None
        self._read = read[end:]
        if read.startswith(_PACKED, begin):
            return {PACKED: read[begin + 1 : end]}
        message: dict[str, Any] = json.loads(read[begin:end])
        return message
