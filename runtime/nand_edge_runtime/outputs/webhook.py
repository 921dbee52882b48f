"""Webhook: every verdict is a POST of one JSON object to an HTTP server, with a key that tells doubles."""

from __future__ import annotations

import time
from typing import Any

import httpx2

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.outputs.credentials import client_context, secret
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.protocol import Output, OutputFault, VerdictRefused, in_words
from nand_edge_runtime.outputs.settings import TlsSettings, WebhookSettings
from nand_edge_runtime.outputs.told import GateState, GateVerdict

_NEVER = (400, 413, 422)
"""Answers to a verdict that will be the same whenever it is sent."""

_LONGEST_ANSWER = 65_536
"""Bytes of an answer that are read, so that the connection can be used again; nothing is made of them."""


class WebhookOutput(Output):
    """An HTTP server.

    Args:
        settings: Its address and how the station signs in.
        gate: Not needed: a message has no length.
    """

    def __init__(self, settings: WebhookSettings, gate: GateSettings) -> None:
        del gate
        self._settings = settings
        self._timeout_s = settings.timeout_ms / 1e3
        self._url = _address(settings)
        self._context = client_context(settings.tls or TlsSettings(), settings.name)
        self._headers = {"User-Agent": "nand-edge"}
        self._auth: tuple[str, str] | None = None
        token = secret(settings.token_env, settings.name)
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        user, password = secret(settings.username_env, settings.name), secret(settings.password_env, settings.name)
        if user is not None and password is not None:
            self._auth = (user, password)
        self._client: httpx2.Client | None = None
        self._state = GateState.STOPPED

    def connect(self, state: GateState) -> None:
        """Tell the server the state.

        Raises:
            OutputFault: It does not answer with 2xx.
        """
        # Neither proxies of the environment nor redirections: a verdict goes where the settings say.
        self._client = httpx2.Client(
            timeout=self._timeout_s,
            verify=self._context,
            headers=self._headers,
            auth=self._auth,
            trust_env=False,
            follow_redirects=False,
        )
        self._say_state(state)

    def tell(self, verdict: GateVerdict) -> None:
        """Post a verdict.

        Raises:
            OutputFault: The server does not answer with 2xx.
            VerdictRefused: It says that the verdict is no good.
        """
        status = self._post(verdict.to_json(), {"Idempotency-Key": verdict.identity})
        if status in _NEVER:
            raise VerdictRefused(f"the server refused the verdict of frame {verdict.identity} with status {status}")
        _require(status)

    def beat(self, count: int, state: GateState) -> None:
        """Post the sign of life; while the station is stalled, only that, once.

        Raises:
            OutputFault: The server does not answer with 2xx.
        """
        if state is not self._state:
            self._say_state(state)
        if state is GateState.RUNNING:
            _require(self._post({"event": "heartbeat", "count": count, "state": state.word}))

    def farewell(self) -> None:
        """Post that the station stopped."""
        self._say_state(GateState.STOPPED)

    def disconnect(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _say_state(self, state: GateState) -> None:
        _require(self._post({"event": "status", "state": state.word}))
        self._state = state

    def _post(self, message: dict[str, Any], headers: dict[str, str] | None = None) -> int:
        """The status of the answer, of which no more than a little is read, and that not for ever."""
        if self._client is None:
            raise OutputFault("not connected")
        until = time.monotonic() + self._timeout_s
        try:
            with self._client.stream("POST", self._url, json=message, headers=headers) as answer:
                read = 0
                for part in answer.iter_raw():
                    read += len(part)
                    if read > _LONGEST_ANSWER or time.monotonic() > until:
                        break
                return int(answer.status_code)
        except httpx2.TimeoutException:
            raise OutputFault("no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError) as error:
            raise OutputFault(f"no connection ({in_words(error)})") from None


def _require(status: int) -> None:
    if status in (401, 403):
        raise OutputFault(f"the server refuses the station's credentials (status {status})")
    if not 200 <= status < 300:
        raise OutputFault(f"the server answers with status {status}")


def _address(settings: WebhookSettings) -> str:
    if settings.url:
        return settings.url
    url = secret(settings.url_env, settings.name) or ""
    if not url.startswith(("http://", "https://")):
        raise NandEdgeError(
            f"output {settings.name!r}",
            found=f"no http:// or https:// address in {settings.url_env}",
            needed="the server's address",
            do="correct the environment variable",
        )
    return url
