"""The routes of accounts: signing in and out, one's own password, and the users."""

from __future__ import annotations

import logging
import math
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from nand_edge_runtime.station.hub import Changed, Hub
from nand_edge_runtime.web.access import Access, Visitor
from nand_edge_runtime.web.answers import Body, Refusal, answer, body_of
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.sessions import Sessions, change_token
from nand_edge_runtime.web.slow_down import SlowDown
from nand_edge_runtime.web.users import User, Users
from nand_edge_runtime.web.workers import Workers

_LOG = logging.getLogger(__name__)

_Name = Field(min_length=1, max_length=64)
_Password = Field(min_length=1, max_length=1024)


class _SignIn(Body):
    name: str = _Name
    password: str = _Password


class _NewPassword(Body):
    old: str = _Password
    new: str = _Password


class _UserChange(Body):
    """A user to be added or changed; what is None stays."""

    name: str = _Name
    role: str | None = Field(default=None, max_length=20)
    password: str | None = Field(default=None, min_length=1, max_length=1024)


class _UserName(Body):
    name: str = _Name


class AccountRoutes:
    """Answers what has to do with accounts.

    Args:
        access: Knows who asks.
        users: Who may sign in.
        sessions: Who is signed in.
        hub: Told of changes, for the audit log.
        hours: How long a session lasts.
    """

    def __init__(self, access: Access, users: Users, sessions: Sessions, hub: Hub, *, hours: float) -> None:
        self._access, self._users, self._sessions, self._hub = access, users, sessions, hub
        self._hours = hours
        self._slow_down = SlowDown()
        # Hashes take memory and time by design: one at a time, and few in a row.
        self._hashing = Workers("sign-in", 1, 16)

    def routes(self) -> list[Route]:
        """The routes."""
        access = self._access
        return [
            Route("/api/me", access.open(self._me), methods=["GET"]),
            Route("/api/sign-in", access.open(self._sign_in), methods=["POST"]),
            Route("/api/sign-out", access.needs(Role.VIEWER, self._sign_out, also_new=True), methods=["POST"]),
            Route("/api/password", access.needs(Role.VIEWER, self._password, also_new=True), methods=["POST"]),
            Route("/api/users", access.needs(Role.ENGINEER, self._list), methods=["GET"]),
            Route("/api/users", access.needs(Role.ENGINEER, self._change), methods=["POST"]),
            Route("/api/users/remove", access.needs(Role.ENGINEER, self._remove), methods=["POST"]),
        ]

    def stop(self) -> None:
        """Take on nothing more."""
        self._hashing.stop()

    async def _me(self, _request: Request, visitor: Visitor) -> Response:
        return answer(_told(visitor))

    async def _sign_in(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _SignIn)
        wait = self._slow_down.attempt(given.name, visitor.address)
        if wait > 0:
            seconds = math.ceil(wait)
            raise Refusal(
                429, f"Too many wrong passwords: try again in {seconds} seconds.", {"Retry-After": str(seconds)}
            )
        user = await self._hashing.run(self._users.sign_in, given.name, given.password)
        if user is None:
            _LOG.warning("sign-in refused for %r from %s", given.name, visitor.address or "nowhere")
            raise Refusal(403, "Name or password is wrong.")
        self._slow_down.succeeded(given.name, visitor.address)
        if visitor.token:
            self._sessions.end(visitor.token)
        return await self._signed_in(request, user, visitor.address)

    async def _sign_out(self, request: Request, visitor: Visitor) -> Response:
        await self._hashing.run(self._sessions.end, visitor.token)
        response = answer({})
        response.delete_cookie(
            self._access.cookie, path="/", httponly=True, samesite="strict", secure=_is_secure(request)
        )
        return response

    async def _password(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _NewPassword)
        user = visitor.user
        if user is None:
            raise Refusal(401, "Sign in first.")
        wait = self._slow_down.attempt(user.name, visitor.address)
        if wait > 0:
            raise Refusal(429, f"Too many wrong passwords: try again in {math.ceil(wait)} seconds.")
        if await self._hashing.run(self._users.sign_in, user.name, given.old) is None:
            raise Refusal(403, "The old password is wrong.")
        self._slow_down.succeeded(user.name, visitor.address)
        if given.new == given.old:
            raise Refusal(400, "The new password is the old one; choose another.")
        changed = await self._hashing.run(self._users.set_password, user.name, given.new)
        self._sessions.end_all_of(user.name)
        self._say(visitor, "changed the own password")
        return await self._signed_in(request, changed, visitor.address)

    async def _list(self, _request: Request, _visitor: Visitor) -> Response:
        users = await self._hashing.run(self._users.all)
        return answer({"users": [_public(user) for user in users], "roles": [role.value for role in Role]})

    async def _change(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _UserChange)
        role = None if given.role is None else _role(given.role)
        known = await self._hashing.run(self._users.find, given.name)
        if known is None:
            if role is None or given.password is None:
                raise Refusal(400, "A new user needs a role and a first password.")
            user = await self._hashing.run(
                lambda: self._users.add(given.name, role, str(given.password), must_change=True)
            )
            self._say(visitor, f"added user {user.name!r}", {"role": user.role.value})
            return answer(_public(user), 201)
        user = known
        if role is not None and role is not known.role:
            user = await self._hashing.run(self._users.set_role, known.name, role)
            self._say(visitor, f"made user {user.name!r} {user.role.value}", {"before": known.role.value})
        if given.password is not None:
            is_own = visitor.user is not None and known.name == visitor.user.name
            if is_own:
                raise Refusal(400, "Change your own password on the page for that.")
            user = await self._hashing.run(
                lambda: self._users.set_password(known.name, str(given.password), must_change=True)
            )
            self._sessions.end_all_of(known.name)
            self._say(visitor, f"gave user {user.name!r} a new password")
        return answer(_public(user))

    async def _remove(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _UserName)
        known = await self._hashing.run(self._users.find, given.name)
        await self._hashing.run(self._users.remove, given.name)
        if known is not None:
            self._sessions.end_all_of(known.name)
            self._say(visitor, f"removed user {known.name!r}")
        return answer({})

    async def _signed_in(self, request: Request, user: User, address: str) -> Response:
        token = await self._hashing.run(self._sessions.begin, user)
        response = answer(_told(Visitor(user, user.role, token, address)))
        response.set_cookie(
            self._access.cookie,
            token,
            max_age=int(self._hours * 3600),
            path="/",
            httponly=True,
            samesite="strict",
            secure=_is_secure(request),
        )
        return response

    def _say(self, visitor: Visitor, what: str, detail: dict[str, Any] | None = None) -> None:
        self._hub.publish(Changed(visitor.name, what, detail or {}))


def _is_secure(request: Request) -> bool:
    """Whether the browser came by TLS, to this server or to a proxy that is trusted."""
    return request.url.scheme == "https"


def _told(visitor: Visitor) -> dict[str, Any]:
    user = visitor.user
    return {
        "user": user.name if user else None,
        "role": visitor.role.value if visitor.role else None,
        "must_change": bool(user and user.must_change),
        "change_token": change_token(visitor.token) if visitor.token else "",
    }


def _public(user: User) -> dict[str, Any]:
    return {
        "name": user.name, "role": user.role.value, "changed": user.changed, "must_change": user.must_change
    }  # fmt: skip


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise Refusal(400, f"There is no such role; there are {', '.join(role.value for role in Role)}.") from None
