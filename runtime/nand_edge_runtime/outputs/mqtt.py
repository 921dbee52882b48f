"""MQTT: every verdict is a message of quality 1; the last will tells everybody when the station is gone."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from nand_edge_runtime.outputs.credentials import client_context, secret
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.protocol import Output, OutputFault, in_words
from nand_edge_runtime.outputs.settings import MqttSettings
from nand_edge_runtime.outputs.told import GateState, GateVerdict

_PROTOCOLS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_BEATS_OF_KEEPALIVE = 2
_ANSWERS = 64


class MqttOutput(Output):
    """A broker.

    Args:
        settings: Its address, the topics and how the station signs in.
        gate: Not needed: a message has no length.
    """

    def __init__(self, settings: MqttSettings, gate: GateSettings) -> None:
        del gate
        self._settings = settings
        self._timeout_s = settings.timeout_ms / 1e3
        self._user = secret(settings.username_env, settings.name)
        self._password = secret(settings.password_env, settings.name)
        self._context: ssl.SSLContext | None = None
        if settings.tls is not None:
            self._context = client_context(settings.tls, settings.name)
        self._client_id = settings.client_id or f"nand-edge-{secrets.token_hex(6)}"
        self._session: _Session | None = None
        self._state = GateState.STOPPED

    def connect(self, state: GateState) -> None:
        """Connect with a last will, and tell the state.

        Raises:
            OutputFault: The broker does not answer, or refuses.
        """
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=_PROTOCOLS[self._settings.version],
            reconnect_on_failure=False,
        )
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._context is not None:
            client.tls_set_context(self._context)
        client.will_set(self._topic("status"), _text({"event": "status", "state": "gone"}), qos=1, retain=True)
        client.connect_timeout = self._timeout_s
        keepalive_s = max(round(_BEATS_OF_KEEPALIVE * self._settings.heartbeat_ms / 1e3), 1)
        self._session = _Session(client)
        self._session.open(self._settings.host, self._settings.port, keepalive_s, self._timeout_s)
        self._say_state(state)

    def tell(self, verdict: GateVerdict) -> None:
        """Publish a verdict, and wait until the broker has it.

        Raises:
            OutputFault: The broker did not confirm.
        """
        self._publish("verdict", verdict.to_json())

    def beat(self, count: int, state: GateState) -> None:
        """Publish the sign of life; while the station is stalled, only that, once. The broker must answer either way.

        Raises:
            OutputFault: It does not.
        """
        if state is not self._state:
            self._say_state(state)
        session = self._connected()
        if state is GateState.RUNNING:
            # Of quality 0, so that no queue of a sleeping receiver fills with heartbeats.
            session.send(self._topic("heartbeat"), _text({"event": "heartbeat", "count": count, "state": state.word}))
        session.probe(self._topic("probe"), self._timeout_s)

    def farewell(self) -> None:
        """Publish that the station stopped, and take leave."""
        self._say_state(GateState.STOPPED)
        self._connected().leave(self._timeout_s)

    def disconnect(self) -> None:
        """Break the connection off; without a farewell the broker then publishes the last will."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _say_state(self, state: GateState) -> None:
        self._publish("status", {"event": "status", "state": state.word}, retain=True)
        self._state = state

    def _publish(self, topic: str, message: dict[str, Any], *, retain: bool = False) -> None:
        self._connected().deliver(self._topic(topic), _text(message), retain=retain, timeout_s=self._timeout_s)

    def _connected(self) -> _Session:
        if self._session is None:
            raise OutputFault("not connected")
        return self._session

    def _topic(self, name: str) -> str:
        return f"{self._settings.topic.strip('/')}/{name}"


class _Session:
    """One connection: what is sent is waited for; when it breaks, it is over.

    The client's own queue and its own way to reconnect are not used: what was not confirmed is told again by the
    output, in order and under the same identity.

    Args:
        client: A client that was not connected yet.
    """

    def __init__(self, client: mqtt.Client) -> None:
        self._client = client
        self._changed = threading.Condition()
        self._open = False
        self._over = ""
        self._answers: dict[int, ReasonCode | None] = {}
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_unsubscribe = self._on_unsubscribe

    def open(self, host: str, port: int, keepalive_s: int, timeout_s: float) -> None:
        """Connect and sign in."""
        until = time.monotonic() + timeout_s
        try:
            self._client.connect(host, port, keepalive=keepalive_s)
        except (OSError, ValueError) as error:
            raise OutputFault(f"no connection to {host}:{port} ({in_words(error)})") from None
        self._client.loop_start()
        with self._changed:
            while not self._open:
                self._wait(until, "the broker does not answer")

    def send(self, topic: str, payload: str) -> None:
        """Send without a confirmation."""
        self._sent(self._client.publish(topic, payload, qos=0).rc)

    def deliver(self, topic: str, payload: str, *, retain: bool, timeout_s: float) -> None:
        """Send and wait for the confirmation."""
        until = time.monotonic() + timeout_s
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        self._sent(info.rc)
        code = self._answer(info.mid, until, "the broker did not confirm a message in time")
        if code is not None and code.is_failure:
            raise OutputFault(f"the broker refuses topic {topic!r} ({code})")

    def probe(self, topic: str, timeout_s: float) -> None:
        """Ask for what every broker must answer, and changes nothing: the end of a subscription that there is not."""
        until = time.monotonic() + timeout_s
        result, number = self._client.unsubscribe(topic)
        self._sent(result)
        self._answer(number or 0, until, "the broker does not answer")

    def leave(self, timeout_s: float) -> None:
        """Take leave, so that the broker keeps the last will to itself."""
        until = time.monotonic() + timeout_s
        self._client.disconnect()
        with self._changed:
            while not self._over:
                self._wait(until, "the broker does not answer")

    def close(self) -> None:
        """Break it off; the client's thread sees that and ends by itself, so nobody waits for it."""
        connection: Any = self._client.socket()
        if connection is not None:
            with suppress(OSError):  # broken already
                # Not the method of a TLS connection, which takes it from under the thread that reads from it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _sent(self, result: MQTTErrorCode) -> None:
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise OutputFault(self._over or f"the broker is gone ({mqtt.error_string(result)})")

    def _answer(self, number: int, until: float, otherwise: str) -> ReasonCode | None:
        with self._changed:
            while number not in self._answers:
                self._wait(until, otherwise)
            return self._answers.pop(number)

    def _wait(self, until: float, otherwise: str) -> None:
        """Wait for a change; with `_changed` held."""
        if self._over:
            raise OutputFault(self._over)
        left = until - time.monotonic()
        if left <= 0:
            raise OutputFault(otherwise)
        self._changed.wait(left)

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        with self._changed:
            if code.is_failure:
                self._over = f"the broker refuses the station ({code})"
            else:
                self._open = True
            self._changed.notify_all()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        with self._changed:
            self._over = self._over or f"the connection to the broker broke ({code})"
            self._changed.notify_all()

    def _on_publish(self, _client: Any, _data: Any, number: int, code: ReasonCode, _properties: Any) -> None:
        self._answered(number, code)

    def _on_unsubscribe(self, _client: Any, _data: Any, number: int, _codes: Any, _properties: Any) -> None:
        self._answered(number, None)

    def _answered(self, number: int, code: ReasonCode | None) -> None:
        with self._changed:
            self._answers[number] = code
            if len(self._answers) > _ANSWERS:
                self._answers.pop(next(iter(self._answers)))  # nobody waits for the oldest any more
            self._changed.notify_all()


def _without_delay(_client: Any, _data: Any, connection: Any) -> None:
    """Have small packets sent at once: otherwise one waits up to 40 ms for the answer to the one before."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message, allow_nan=False)
