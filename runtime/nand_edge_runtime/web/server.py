"""The live page's server: a thread with its own loop, which comes back by itself and stops at once."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.routing import BaseRoute

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.history import Reader
from nand_edge_runtime.station.control import StationControl
from nand_edge_runtime.station.hub import PartChanged
from nand_edge_runtime.station.states import PartState, PartStatus
from nand_edge_runtime.web.application import Application
from nand_edge_runtime.web.connection import MOST_BESIDES_VIEWERS, Connection
from nand_edge_runtime.web.settings import WebSettings

_LOG = logging.getLogger(__name__)

_START_S = 10.0
_STOP_S = 0.4
_AGAIN_S = 2.0
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what these addresses mean is asked, not chosen


class WebServer:
    """Serves the live page.

    Args:
        settings: Where and to whom.
        station: What is shown and asked.
        history: What is on record.
        extra_routes: Served beside the page, without a sign-in, such as those for monitoring.
        state_folder: Where users and sessions are kept; the station's own unless given, and memory where it has none.
    """

    def __init__(
        self,
        settings: WebSettings,
        station: StationControl,
        history: Reader,
        *,
        extra_routes: Sequence[BaseRoute] = (),
        state_folder: Path | None = None,
    ) -> None:
        self._settings, self._station, self._history = settings, station, history
        self._extra_routes = tuple(extra_routes)
        self._state_folder = state_folder or _own_folder(station)
        self._port = settings.port
        self._application: Application | None = None
        self._server: uvicorn.Server | None = None
        self._listener: socket.socket | None = None
        self._started, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="live page", daemon=True)
        self._first_sign_in = ""

    @property
    def url(self) -> str:
        """Where the page is."""
        settings = self._settings
        host = socket.gethostname() if settings.host in _EVERYWHERE else settings.host
        shown = f"[{host}]" if ":" in host else host
        return f"{'https' if settings.uses_tls else 'http'}://{shown}:{self._port}/"

    @property
    def first_sign_in(self) -> str:
        """What the first engineer signs in with, while nobody has chosen a password; else empty."""
        return self._first_sign_in

    @property
    def viewers(self) -> int:
        """How many browsers are shown live pictures."""
        return self._application.live.viewers if self._application else 0

    def start(self) -> None:
        """Begin to serve.

        Raises:
            NandEdgeError: The port is in use, the address is not this machine's, or certificate and key cannot be used.
        """
        settings = self._settings
        if settings.uses_tls:
            _require_certificate(settings)
        elif not settings.is_local:
            _LOG.warning("the live page is served to other machines without TLS: passwords can be read on the way")
        listener = _listener(settings.host, self._port)
        self._port = listener.getsockname()[1]
        self._application = Application(
            settings,
            self._station,
            self._history,
            port=self._port,
            extra_routes=self._extra_routes,
            state_folder=self._state_folder,
        )
        self._offer_first_sign_in(self._application)
        self._application.start()
        self._listener = listener
        self._thread.start()
        if not self._started.wait(_START_S):
            _LOG.error("the live page takes long to start")

    def stop(self) -> None:
        """Serve nothing more; returns within half a second whatever browsers do."""
        self._stopping.set()
        if self._application is not None:
            self._application.stop()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
            self._tell(PartState.STOPPED)

    def _offer_first_sign_in(self, application: Application) -> None:
        try:
            first = application.users.first_sign_in()
        except NandEdgeError as error:
            # The line goes on; whoever tries to sign in is told the same.
            _LOG.error("nobody can sign in to the live page: %s", error)
            return
        if first is not None:
            name, password = first
            self._first_sign_in = f"{name}, with the one-time password {password}"

    def _run(self) -> None:
        while not self._stopping.is_set():
            why = "it ended"
            try:
                self._serve()
            except Exception as error:  # noqa: BLE001 - whatever it is, the page comes back
                why = type(error).__name__
                _LOG.exception("the live page ended in a way that was not foreseen")
            except SystemExit:
                why = "it could not start"
            if self._stopping.is_set():
                return
            self._listener = None
            self._tell(PartState.RECONNECTING, f"the live page begins again: {why}")
            self._stopping.wait(_AGAIN_S)

    def _serve(self) -> None:
        application, settings = self._application, self._settings
        if application is None:
            return
        limited = type("LimitedConnection", (Connection,), {"most": settings.viewers + MOST_BESIDES_VIEWERS})
        config = uvicorn.Config(
            application.app,
            http=limited,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_keep_alive=15,
            timeout_graceful_shutdown=0,
            ssl_certfile=None if settings.tls_certificate is None else str(settings.tls_certificate),
            ssl_keyfile=None if settings.tls_key is None else str(settings.tls_key),
        )
        # What it says comes with every malformed request of a port scan.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        listener = self._listener or _listener(settings.host, self._port)
        self._server = _Server(config, self._serves)
        if self._stopping.is_set():
            listener.close()
            return
        self._server.run(sockets=[listener])

    def _serves(self) -> None:
        self._started.set()
        self._tell(PartState.RUNNING)

    def _tell(self, state: PartState, why: str = "") -> None:
        self._station.hub.publish(PartChanged(PartStatus("page", state, why, time.time())))


class _Server(uvicorn.Server):
    """Says when it serves, and drops what is left when it ends."""

    def __init__(self, config: uvicorn.Config, serves: Callable[[], None]) -> None:
        super().__init__(config)
        self._serves = serves

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        self._serves()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, without waiting for anybody."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def _own_folder(station: StationControl) -> Path | None:
    folder = getattr(getattr(station, "settings", None), "state_folder", None)
    return folder if isinstance(folder, Path) else None


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        NandEdgeError: The port is in use, or the address is not this machine's.
    """
    what = f"live page at {host}, port {port}"
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            # Elsewhere than on Windows it means: also right after an earlier station ended.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise NandEdgeError(
            what,
            found=_words_of(error),
            needed="a free port at an address of this machine",
            do="stop the program that has it, or choose another host or port in the settings' [web] (or --port)",
        ) from None
    listener.setblocking(False)  # noqa: FBT003 - the standard library's own way to say it
    return listener


def _words_of(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "an address that nobody knows"
    return (error.strerror or type(error).__name__).lower()


def _require_certificate(settings: WebSettings) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(str(settings.tls_certificate), str(settings.tls_key), password=lambda: "")
    except (OSError, ValueError) as error:
        found = error.strerror if type(error) in (FileNotFoundError, PermissionError) else "no pair of both"  # type: ignore[union-attr]
        raise NandEdgeError(
            f"live page's certificate {str(settings.tls_certificate)!r} and key {str(settings.tls_key)!r}",
            found=str(found).lower(),
            needed="two PEM files that belong together, the key without a password",
            do="correct tls_certificate and tls_key in the settings' [web]",
        ) from None
