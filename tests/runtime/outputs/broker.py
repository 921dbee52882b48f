"""A broker: Debian's mosquitto."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from outputs.cable import free_port, wait_until
from outputs.peer import QUICK, Peer, output_settings

from nand_edge_runtime.outputs import OutputSettings


class Broker(Peer):
    """Debian's mosquitto, with a receiver that counts a message once by its identity."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._binary = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/usr/local/sbin")
        if self._binary is None:
            pytest.skip("mosquitto is not installed (`sudo apt-get install -y mosquitto`)")
        self.port, self.folder = free_port(), folder
        self.more_configuration = ""
        self.doubles = 0
        self.deliveries: list[dict[str, Any]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._receiver: Any = None
        self.credentials: tuple[str, str] | None = None

    def settings(self, port: int, **more: Any) -> OutputSettings:
        values = {"kind": "mqtt", "name": "plc", "host": "127.0.0.1", "port": port, "topic": "line/3", **QUICK}
        return output_settings(**{**values, **more})

    def start(self) -> None:
        configuration = self.folder / "mosquitto.conf"
        anonymous = "" if "password_file" in self.more_configuration else "allow_anonymous true\n"
        # Otherwise it gives root's rights up, and cannot read its own files in a folder of root's.
        configuration.write_text(
            f"user root\nset_tcp_nodelay true\nlistener {self.port} 127.0.0.1\n{anonymous}{self.more_configuration}"
        )
        assert self._binary is not None
        self._process = subprocess.Popen(
            [self._binary, "-c", str(configuration)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._listens, "the broker listens")
        self._receive()

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(5)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            # First it reads what the broker had sent.
            wait_until(lambda: not receiver.is_connected(), "the receiver sees that the broker is gone")
            receiver.disconnect()
            receiver.loop_stop()

    def _listens(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def _receive(self) -> None:
        from paho.mqtt import client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        subscribed = threading.Event()
        receiver = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="receiver", reconnect_on_failure=False)
        if self.credentials is not None:
            receiver.username_pw_set(*self.credentials)
        receiver.on_connect = lambda client, *_: client.subscribe("line/3/#", 1)
        receiver.on_subscribe = lambda *_: subscribed.set()
        receiver.on_message = lambda _client, _data, message: self._received(message)
        receiver.connect("127.0.0.1", self.port)
        receiver.loop_start()
        assert subscribed.wait(5)
        self._receiver = receiver

    def _received(self, message: Any) -> None:
        said = json.loads(message.payload)
        if message.topic == "line/3/verdict":
            self.deliveries.append(said)
            if any(said["id"] == known["id"] for known in self.verdicts):
                self.doubles += 1
            else:
                self.verdicts.append(said)
        elif message.topic == "line/3/heartbeat":
            self.beats.append(said["count"])
        elif message.topic == "line/3/status":
            self.state = said["state"]
