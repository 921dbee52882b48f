"""OPC UA: the station writes verdict, sequence number and sign of life into the variables of a server."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import threading
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.status_codes import get_name_and_doc
from asyncua.ua.uaerrors import UaError, UaStatusCodeError, UaStringParsingError

from nand_edge_runtime.outputs.credentials import existing, secret
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.opc_ua_values import Value, variant
from nand_edge_runtime.outputs.protocol import Output, OutputFault, in_words, quiet
from nand_edge_runtime.outputs.settings import OpcUaSettings
from nand_edge_runtime.outputs.told import REASON_CODES, GateState, GateVerdict

_Answer = TypeVar("_Answer")

_MODES = {
    "sign": ua.MessageSecurityMode.Sign,
    "sign-and-encrypt": ua.MessageSecurityMode.SignAndEncrypt,
}
_TIMEOUTS = (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError)
"""One class from Python 3.11 on."""

_PEM = b"-----BEGIN"
_LEAVE_S = 0.2
_ASK_AGAIN_S = 0.01
_CLOSED_GATE: dict[str, Value] = {"verdict": Value(0, "reject"), "sequence": Value(0, "0", counts=True)}


class OpcUaOutput(Output):
    """An OPC UA server.

    Args:
        settings: Its address, its variables and how the station signs in.
        gate: Not needed: a variable has no length.
    """

    def __init__(self, settings: OpcUaSettings, gate: GateSettings) -> None:
        del gate
        self._settings = settings
        self._timeout_s = settings.timeout_ms / 1e3
        self._password = secret(settings.password_env, settings.name)
        for path in (settings.certificate_file, settings.key_file, settings.server_certificate_file):
            if path is not None:
                existing(path, settings.name)
        quiet("asyncua")
        self._session: _Session | None = None
        self._beats = 0
        self._known = False

    def connect(self, state: GateState) -> None:
        """Connect, look the variables up and write the state.

        Raises:
            OutputFault: The server does not answer or refuses, or has no such variable.
        """
        self._session = _Session(self._settings, self._password)
        self._session.open(self._timeout_s)
        if not self._known:
            # The server may hold the verdict of an earlier run: 0 is no sequence number.
            self._session.write(_CLOSED_GATE, self._timeout_s)
            self._known = True
        self.beat(self._beats, state)

    def tell(self, verdict: GateVerdict) -> None:
        """Write the variables in one request, and wait for the acknowledgement where there is one.

        Raises:
            OutputFault: The server did not confirm in time.
        """
        until = time.monotonic() + self._timeout_s
        session = self._connected()
        written = session.write(self._values(verdict), self._timeout_s)
        if self._settings.nodes.acknowledge is None:
            return
        while session.read_acknowledgement(self._timeout_s) != written["sequence"]:
            if time.monotonic() > until:
                raise OutputFault("it did not acknowledge a verdict in time")
            time.sleep(_ASK_AGAIN_S)

    def beat(self, count: int, state: GateState) -> None:
        """Write the count and the state.

        Raises:
            OutputFault: The server did not confirm.
        """
        self._beats = count
        values = {"heartbeat": Value(count, str(count), counts=True), "state": Value(int(state), state.word)}
        self._connected().write(values, self._timeout_s)

    def farewell(self) -> None:
        """Write that the station stopped, and a reject."""
        values = {
            "state": Value(int(GateState.STOPPED), GateState.STOPPED.word),
            "verdict": _CLOSED_GATE["verdict"],
        }
        self._connected().write(values, self._timeout_s)

    def disconnect(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _values(self, verdict: GateVerdict) -> dict[str, Value]:
        """All that can be written; the sequence number last, because servers write in this order."""
        record = verdict.record
        position, score = record.position, record.score
        return {
            "verdict": Value(int(verdict.passes), verdict.verdict.value),
            "reason": Value(REASON_CODES[verdict.reason], verdict.reason.value),
            "late": Value(int(verdict.late), str(verdict.late).lower()),
            "camera": Value(self._settings.number_of(record.key.camera), record.key.camera),
            "frame": Value(record.key.number, str(record.key.number), counts=True),
            "position": Value(position, "" if position is None else str(position)),
            "score": Value(score, "" if score is None else str(score)),
            "identity": Value(None, verdict.identity),
            "message": Value(None, json.dumps(verdict.to_json(), allow_nan=False)),
            "sequence": Value(verdict.sequence, str(verdict.sequence), counts=True),
        }

    def _connected(self) -> _Session:
        if self._session is None:
            raise OutputFault("not connected")
        return self._session


class _Session:
    """One session with a loop and a thread of its own, in which the library keeps the connection alive.

    Args:
        settings: The server's address and variables.
        password: The user's.
    """

    def __init__(self, settings: OpcUaSettings, password: str | None) -> None:
        self._settings, self._password = settings, password
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"opc-ua {settings.name}", daemon=True)
        self._thread.start()
        self._client: Client | None = None
        self._nodes: dict[str, tuple[Any, ua.VariantType]] = {}

    def open(self, timeout_s: float) -> None:
        """Connect, sign in, and look up the variables and their types."""
        self._ask(self._open(timeout_s), timeout_s)

    def write(self, values: Mapping[str, Value], timeout_s: float) -> dict[str, Any]:
        """Write those of the values that have a variable; returns them as they were written."""
        wanted = {name: value for name, value in values.items() if name in self._nodes}
        variants = {name: variant(name, value, self._nodes[name][1]) for name, value in wanted.items()}
        self._ask(self._write(variants), timeout_s)
        return {name: made.Value for name, made in variants.items()}

    def read_acknowledgement(self, timeout_s: float) -> Any:
        """What the PLC wrote into its variable."""
        return self._ask(self._read(self._nodes["acknowledge"][0]), timeout_s)

    def close(self) -> None:
        """Close session and connection, or give them up if the server does not answer."""
        if self._client is not None:
            with suppress(OutputFault):
                self._ask(self._client.disconnect(), _LEAVE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        finally:
            self._loop.close()

    async def _open(self, timeout_s: float) -> None:
        settings = self._settings
        self._client = client = Client(settings.url, timeout=timeout_s)
        client.application_uri = settings.application_uri
        if settings.username is not None:
            client.set_user(settings.username)
            client.set_password(self._password or "")
        if settings.security != "none":
            await client.set_security(
                SecurityPolicyBasic256Sha256,
                certificate=_pem_or_der(settings.certificate_file),
                private_key=_pem_or_der(settings.key_file),
                server_certificate=_pem_or_der(settings.server_certificate_file),
                mode=_MODES[settings.security],
            )
        await client.connect()
        for name, identifier in settings.nodes.model_dump(exclude_none=True).items():
            self._nodes[name] = await _look_up(client, name, identifier)

    async def _write(self, variants: Mapping[str, ua.Variant]) -> None:
        if self._client is not None:
            nodes = [self._nodes[name][0] for name in variants]
            # Without time stamps, which many PLCs refuse.
            await self._client.write_values(nodes, [ua.DataValue(made) for made in variants.values()])

    async def _read(self, node: Any) -> Any:
        return await node.read_value()

    def _ask(self, question: Coroutine[Any, Any, _Answer], timeout_s: float) -> _Answer:
        future = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            return future.result(timeout_s)
        except _TIMEOUTS:
            future.cancel()
            raise OutputFault("no answer in time") from None
        except (asyncio.CancelledError, concurrent.futures.CancelledError):
            raise OutputFault("the connection broke") from None
        except UaStatusCodeError as error:
            raise OutputFault(f"the server refuses ({get_name_and_doc(error.code)[0]})") from None
        except (UaError, OSError) as error:
            raise OutputFault(f"no connection ({in_words(error)})") from None


def _pem_or_der(path: Path | None) -> CertProperties:
    """A file as the library wants it: by what is in it, not by the end of its name."""
    content = (path or Path()).read_bytes()
    return CertProperties(content, extension="pem" if content.startswith(_PEM) else "der")


async def _look_up(client: Client, name: str, identifier: str) -> tuple[Any, ua.VariantType]:
    try:
        node = client.get_node(identifier)
        return node, await node.read_data_type_as_variant_type()
    except UaStatusCodeError as error:
        status = get_name_and_doc(error.code)[0]
        raise OutputFault(f"the server has no variable {identifier!r} for {name} ({status})") from None
    except (UaStringParsingError, ValueError):
        raise OutputFault(f"{identifier!r} for {name} is no node identifier, such as 'ns=2;s=Verdict'") from None
