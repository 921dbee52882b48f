"""The guard: what every request and answer must keep to, before anything else looks at it."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nand_edge_runtime.web.answers import Refusal, said
from nand_edge_runtime.web.workers import TooBusyError

_LOG = logging.getLogger(__name__)

FAILED = "The page failed at this; the station's log has more."

_MAX_BODY = 64 << 10
_MAX_TARGET = 4096
_RECEIVE_S = 10.0
_TOO_MUCH = f"This request brings more than {_MAX_BODY} bytes."
_CLOSE = {"Connection": "close"}

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Refuses requests to other names and oversized ones, hurries slow clients, and puts headers on every answer.

    Args:
        app: What is guarded.
        host_names: The names by which browsers may ask, besides addresses.
    """

    def __init__(self, app: ASGIApp, *, host_names: Iterable[str]) -> None:
        self._app = app
        self._names = {name.lower().rstrip(".") for name in host_names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        started = False

        async def dressed_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _dress(message)
            await send(message)

        refusal = self._refusal(scope)
        try:
            if refusal is None:
                await self._app(scope, _limited(receive, brings=_brings(scope)), dressed_send)
        except Exception as error:  # noqa: BLE001 - the outermost frame of a request: nobody gets a traceback
            refusal = _sentence(error, scope)
        if refusal is not None and not started:
            await said(*refusal, _CLOSE)(scope, receive, dressed_send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > _MAX_TARGET:
            return 414, "This address is too long."
        if not self._is_ours(_header(scope, b"host")):
            return 400, "This station is not known by that name; add it to host_names in the settings' [web]."
        if _declared_length(scope) > _MAX_BODY:
            return 413, _TOO_MUCH
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a name is this station's: a page elsewhere may have had its own name lead here."""
        name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name.lower().rstrip(".") in self._names
        return True


def _dress(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)


def _sentence(error: Exception, scope: Scope) -> tuple[int, str]:
    """Status and sentence for what ended a request."""
    if isinstance(error, Refusal):
        return error.status, error.sentence
    if isinstance(error, TooBusyError):
        return 503, "The station has too much to do for the page now; try again in a moment."
    _LOG.error("the live page failed at %s", scope["method"], exc_info=error)
    return 500, FAILED


def own_names() -> set[str]:
    """The names of this machine."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return {"localhost", name, short, f"{short}.local"} - {""}


def _header(scope: Scope, wanted: bytes) -> str:
    found = [value for name, value in scope["headers"] if name == wanted]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def _declared_length(scope: Scope) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


def _brings(scope: Scope) -> bool:
    """Whether a request has a body."""
    return _declared_length(scope) > 0 or any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _limited(receive: Receive, *, brings: bool) -> Receive:
    """Gives no more of a body than is allowed, and does not wait for long for it."""
    got, ended = 0, not brings

    async def limited() -> Message:
        nonlocal got, ended
        # After the body, what is waited for is the end of the connection: for as long as the answer lasts.
        try:
            message = await (receive() if ended else asyncio.wait_for(receive(), _RECEIVE_S))
        except asyncio.TimeoutError:
            raise Refusal(408, "This request took too long to arrive.", _CLOSE) from None
        if message["type"] == "http.request":
            got += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if got > _MAX_BODY:
                raise Refusal(413, _TOO_MUCH, _CLOSE)
        else:
            ended = True
        return message

    return limited
