"""Faults of those who look at the live page."""

from __future__ import annotations

import random
import socket
import time
from contextlib import ExitStack
from typing import ClassVar

from nand_benchmarks.line.faults.protocol import Fault
from nand_benchmarks.line.line import Line
from nand_benchmarks.line.outage import Outage

_CLIENTS = 50
_SMALLEST_BUFFER = 4096
_SERVED = b"HTTP/1.1 200"


class SlowPageClients(Fault):
    """Fifty browsers on bad networks look at the live page: they ask, and hardly read what they get."""

    title: ClassVar[str] = "50 slow page clients"
    how: ClassVar[str] = "connections that ask for live pictures and read nothing, or send half a request, 1 to 2 s"

    def happen(self, line: Line, chance: random.Random) -> Outage:
        """Connect, be slow, and go."""
        page = line.sign_in()
        with Outage.during() as outage, ExitStack() as clients:
            for number in range(_CLIENTS):
                client = clients.enter_context(socket.socket())
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALLEST_BUFFER)
                client.settimeout(2)
                client.connect(("127.0.0.1", line.station.port))
                request = page.stream_request() if number % 5 else page.stream_request()[:-20]
                client.sendall(request)
                if number % 5 and client.recv(len(_SERVED)) != _SERVED:
                    raise OSError("a page client is not served")
            time.sleep(chance.uniform(1.0, 2.0))
        return outage
