"""Access: who asks, whether they may, and whether it is really their page that asks."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.web.answers import NO_STORE, Refusal, refused, said
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.sessions import Sessions, change_token
from nand_edge_runtime.web.users import User, Users
from nand_edge_runtime.web.workers import TooBusyError, Workers

_LOG = logging.getLogger(__name__)

CHANGE_HEADER = "X-Change-Token"
SIGN_IN_PAGE = "/sign-in"

_SAFE_METHODS = ("GET", "HEAD")


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        user: None where everybody may look and nobody signed in.
        role: What they may do; None where they may not even look.
        token: Of their session; empty without one.
        address: The browser's.
    """

    user: User | None
    role: Role | None
    token: str
    address: str

    @property
    def name(self) -> str:
        """For the audit log."""
        return self.user.name if self.user else "nobody"

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return self.role is not None and self.role.may(role)


Endpoint = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Access:
    """Lets requests through to their handlers.

    Args:
        users: Who may sign in.
        sessions: Who is signed in.
        workers: Read the file of users.
        cookie: Name of the cookie.
        public_view: Whether everybody may look.
    """

    def __init__(self, users: Users, sessions: Sessions, workers: Workers, *, cookie: str, public_view: bool) -> None:
        self.cookie = cookie
        self._users, self._sessions, self._workers = users, sessions, workers
        self._public_view = public_view

    def open(self, handler: Handler) -> Endpoint:
        """An endpoint for everybody, signed in or not."""
        return self._guarded(handler, None)

    def needs(self, role: Role, handler: Handler, *, also_new: bool = False) -> Endpoint:
        """An endpoint for those who may do what this role may.

        Args:
            role: The role.
            handler: Answers.
            also_new: Whether those may come too who have yet to choose their own password.
        """
        return self._guarded(handler, role, also_new=also_new)

    def page(self, role: Role, handler: Handler) -> Endpoint:
        """A page for those who may: others are led to the sign-in."""
        return self._guarded(handler, role, is_page=True)

    async def visitor(self, request: Request) -> Visitor:
        """Who asks."""
        return await self._workers.run(self.visitor_of, request.cookies.get(self.cookie, ""), _address(request))

    def visitor_of(self, token: str, address: str) -> Visitor:
        """Who shows this token.

        Raises:
            NandEdgeError: The file of users cannot be read.
        """
        session = self._sessions.find(token)
        user = self._users.find(session.user) if session else None
        if session is None or user is None or user.changed != session.password_changed:
            return Visitor(None, Role.VIEWER if self._public_view else None, "", address)
        return Visitor(user, user.role, token, address)

    def _guarded(
        self, handler: Handler, role: Role | None, *, also_new: bool = False, is_page: bool = False
    ) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                _require_own_page(request)
                visitor = await self.visitor(request)
                if role is not None:
                    if is_page and (not visitor.may(Role.VIEWER) or _is_new(visitor)):
                        return _to_sign_in(request)
                    _require(visitor, role, also_new=also_new)
                if request.method not in _SAFE_METHODS and role is not None:
                    _require_change_token(request, visitor)
                return await handler(request, visitor)
            except Refusal as refusal:
                return refusal.response()
            except NandEdgeError as error:
                return refused(error)
            except TooBusyError:
                return said(503, "The station has too much to do for the page now; try again in a moment.")

        return endpoint


def _is_new(visitor: Visitor) -> bool:
    return visitor.user is not None and visitor.user.must_change


def _require(visitor: Visitor, role: Role, *, also_new: bool) -> None:
    if visitor.role is None or (visitor.user is None and role is not Role.VIEWER):
        raise Refusal(401, "Sign in first.")
    if not visitor.may(role):
        raise Refusal(403, f"This needs the role {role.value}; {visitor.name} is {visitor.role.value}.")
    if _is_new(visitor) and not also_new:
        raise Refusal(403, "Choose your own password first.")


def _require_own_page(request: Request) -> None:
    """Refuse changes that another site's page asks for in the name of whoever looks at it."""
    if request.method in _SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    if origin is None:
        # Browsers always say it. Others have no cookies of anybody's that a page could misuse.
        foreign = request.headers.get("sec-fetch-site", "same-origin") != "same-origin"
    else:
        parts = urlsplit(origin)
        foreign = parts.netloc != request.headers.get("host", "")
        if not foreign and parts.scheme != request.url.scheme:
            raise Refusal(
                403,
                f"The browser came by {parts.scheme[:10]}, the request by {request.url.scheme}: name the proxy between "
                "them in trusted_proxies in the settings' [web].",
            )
    if foreign:
        raise Refusal(403, "This request comes from another site's page.")


def _require_change_token(request: Request, visitor: Visitor) -> None:
    shown = request.headers.get(CHANGE_HEADER, "")
    if not visitor.token or not hmac.compare_digest(shown.encode(), change_token(visitor.token).encode()):
        raise Refusal(403, "This request lacks its page's token; load the page again.")


def _to_sign_in(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{SIGN_IN_PAGE}?then={quote(wanted, safe='')}", status_code=303, headers=NO_STORE)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
