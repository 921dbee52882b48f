"""What hears verdicts from an MQTT broker, as a process: a client whose session the broker keeps while it is away."""

from __future__ import annotations

import argparse
import json
import threading
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_RETRY_S = 0.1


class Receiver:
    """Subscribes with quality 1 and acknowledges what is on the disk.

    Args:
        port: The broker's.
        topic: What is subscribed to.
        log: File of what was received.
    """

    def __init__(self, port: int, topic: str, log: Path) -> None:
        self._port, self._topic = port, topic
        self._stream = log.open("ab", buffering=0)
        # The broker keeps what comes while this client, of this name, is away.
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="line-receiver", clean_session=False, manual_ack=True
        )
        self._client.on_connect, self._client.on_message = self._connected, self._received
        self._client.reconnect_delay_set(_RETRY_S, _RETRY_S * 2)  # type: ignore[arg-type]  # it takes fractions

    def run(self) -> None:
        """Receive until the process is ended."""
        while True:
            try:
                self._client.connect("127.0.0.1", self._port, keepalive=5)
                break
            except OSError:
                time.sleep(_RETRY_S)
        self._client.loop_start()
        threading.Event().wait()

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(self._topic, qos=1)

    def _received(self, client: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        line = json.dumps({"at": time.monotonic(), "message": json.loads(message.payload)}).encode() + b"\n"
        self._stream.write(line)
        client.ack(message.mid, message.qos)


def main() -> None:
    """Receive until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args()
    Receiver(options.port, options.topic, options.log).run()


if __name__ == "__main__":
    main()
