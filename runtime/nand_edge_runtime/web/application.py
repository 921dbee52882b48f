"""The application: all routes of the live page, behind its guard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from nand_edge_runtime.history import Reader
from nand_edge_runtime.station.control import StationControl
from nand_edge_runtime.web.access import Access
from nand_edge_runtime.web.account_routes import AccountRoutes
from nand_edge_runtime.web.answers import said
from nand_edge_runtime.web.guard import FAILED, Guard, own_names
from nand_edge_runtime.web.history_routes import HistoryRoutes
from nand_edge_runtime.web.live import Live
from nand_edge_runtime.web.pages import page_routes
from nand_edge_runtime.web.sessions import SESSIONS_FILE, Sessions
from nand_edge_runtime.web.settings import WebSettings
from nand_edge_runtime.web.station_routes import StationRoutes
from nand_edge_runtime.web.users import USERS_FILE, Users
from nand_edge_runtime.web.workers import Workers

_SENTENCES = {404: "There is nothing here.", 405: "This cannot be done here."}


class Application:
    """What the server serves.

    Args:
        settings: The page's settings.
        station: What is shown and asked.
        history: What is on record.
        port: Where it is served; the cookie carries it, because browsers do not tell ports of one host apart.
        extra_routes: Served as they are, without a sign-in.
        state_folder: Where users and sessions are kept; None keeps them in memory.
    """

    def __init__(
        self,
        settings: WebSettings,
        station: StationControl,
        history: Reader,
        *,
        port: int,
        extra_routes: Sequence[BaseRoute] = (),
        state_folder: Path | None = None,
    ) -> None:
        kept_users = None if state_folder is None else state_folder / USERS_FILE
        self.users = Users(settings.users_file or kept_users)
        sessions = Sessions(None if state_folder is None else state_folder / SESSIONS_FILE, settings.session_hours)
        self.live = Live(station, pictures_per_second=settings.pictures_per_second, viewers=settings.viewers)
        # What browsers come back to: asked of the file of users, the database, the station.
        self._looking, self._working = Workers("page looks", 1, 256), Workers("page work", 3, 64)
        cookie = f"{'__Host-' if settings.uses_tls else ''}nand-edge-{port}"
        access = Access(self.users, sessions, self._looking, cookie=cookie, public_view=settings.public_view)
        self._accounts = AccountRoutes(access, self.users, sessions, station.hub, hours=settings.session_hours)
        on_station = StationRoutes(
            station, access, self.live, self._working, rehearsal_frames=settings.rehearsal_frames
        )
        routes = [
            *extra_routes,
            *page_routes(access, station=station.status().name),
            *self._accounts.routes(),
            *on_station.routes(),
            *HistoryRoutes(station, history, access, self._working).routes(),
        ]
        plain = Starlette(routes=routes, exception_handlers={HTTPException: _refused, Exception: _failed})
        plain.router.redirect_slashes = False
        names = {*own_names(), settings.host, *settings.host_names}
        self.app: ASGIApp = Guard(plain, host_names=names)

    def start(self) -> None:
        """Begin to show."""
        self.live.start()

    def stop(self) -> None:
        """Show nothing more, and take on nothing more."""
        self.live.stop()
        self._accounts.stop()
        self._looking.stop()
        self._working.stop()


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return said(status, _SENTENCES.get(status, "This cannot be done."))


async def _failed(_request: Request, _error: Exception) -> Response:
    # It is raised again afterwards, and the guard writes it into the log.
    return said(500, FAILED)
