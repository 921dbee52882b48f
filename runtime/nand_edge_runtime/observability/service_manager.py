"""What a station tells the service manager (systemd): that it is ready, that it lives, that it stops.

It speaks sd_notify's protocol itself: datagrams to the socket that NOTIFY_SOCKET names. Without one, nothing happens.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping

_LOG = logging.getLogger(__name__)

_PARTS_OF_PATIENCE = 4
"""Signs of life in the time after which the service manager would start the station again."""


class ServiceManager:
    """The service manager that started this process, if it is one that wants to be told.

    Args:
        environment: Where it says so; by default that of the process.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        variables = os.environ if environment is None else environment
        self._socket, self._address = _connect(variables.get("NOTIFY_SOCKET", ""))
        self._every_s = _interval_s(variables) if self._socket is not None else None
        self._lock = threading.Lock()
        self._next = 0.0
        self._faulty = False

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return self._socket is not None

    @property
    def watchdog_s(self) -> float | None:
        """Seconds between signs of life; None when nobody waits for them."""
        return self._every_s

    def ready(self) -> None:
        """The station is started."""
        self._tell(f"READY=1\nMAINPID={os.getpid()}")

    def status(self, text: str) -> None:
        """What the station does, in a line for `systemctl status`."""
        self._tell(f"STATUS={' '.join(text.split())[:400]}")

    def beat(self) -> None:
        """The dispatcher turns. Call it at every turn: it tells as often as is asked for, and costs nothing between."""
        if self._every_s is None:
            return
        now = time.monotonic()
        with self._lock:
            if now < self._next:
                return
            self._next = now + self._every_s
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The station stops, as it was told to."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            # A service manager that does not listen must not stop the line; it starts the station again if it must.
            if not self._faulty:
                _LOG.warning("the service manager cannot be told (%s)", error.strerror or type(error).__name__)
            self._faulty = True
        else:
            self._faulty = False


def _connect(address: str) -> tuple[socket.socket | None, str]:
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return None, ""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)  # noqa: FBT003 - the standard library's own way to say it
    return made, "\0" + address[1:] if address.startswith("@") else address


def _interval_s(variables: Mapping[str, str]) -> float | None:
    asked, process = variables.get("WATCHDOG_USEC", ""), variables.get("WATCHDOG_PID", "")
    if not asked.isdecimal() or int(asked) == 0 or process not in ("", str(os.getpid())):
        return None
    return int(asked) / 1e6 / _PARTS_OF_PATIENCE
