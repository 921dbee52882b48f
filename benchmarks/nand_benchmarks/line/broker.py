"""An MQTT broker, as a process that keeps what it has for clients that are away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nand_benchmarks.line.processes import Process, wait_for_port

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")


def mosquitto() -> str | None:
    """The broker's program; None where it is not installed."""
    # Debian puts it where only root's PATH leads.
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=os.pathsep.join(_PLACES))


class Broker:
    """Mosquitto on loopback.

    Args:
        folder: Where its settings and what it keeps go.
        port: Its port.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._folder, settings = folder, folder / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\nautosave_interval 1\n"
            # The last: as root it would become another user, who may not write there.
            f"persistence_location {folder}/\nmax_queued_messages 0\nuser root\n",
            encoding="utf-8",
        )
        self._process = Process((mosquitto() or "mosquitto", "-c", str(settings)), folder / "mosquitto.log")

    def start(self) -> None:
        """Start it, again if need be, with what it kept, and wait until it listens."""
        self._process.start()
        wait_for_port(self.port)

    def stop(self) -> None:
        """End it in order: it writes down what it keeps."""
        self._process.stop()
