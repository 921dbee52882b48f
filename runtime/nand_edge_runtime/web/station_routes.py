"""The routes of the station itself: what it does now, pause and resume, and what frames are judged by."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nand_edge_runtime.station.control import InForce, StationControl, Status
from nand_edge_runtime.web.access import Access, Visitor
from nand_edge_runtime.web.answers import NO_STORE, Body, Refusal, answer, body_of
from nand_edge_runtime.web.live import Live
from nand_edge_runtime.web.rehearsals import Rehearsals
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.workers import Workers

_QUIET_S = 5.0
"""A stream without news says that it lives this often, and looks whether its viewer may still look."""


class _InForce(Body):
    """What frames are to be judged by, and what they were judged by when it was chosen."""

    normalities: list[str] = Field(max_length=256)
    threshold: float = Field(allow_inf_nan=False)

    def plain(self) -> InForce:
        return InForce(tuple(self.normalities), float(self.threshold))


class _Rehearsal(_InForce):
    frames: int | None = Field(default=None, ge=1, le=10_000)


class _Change(_InForce):
    instead_of: _InForce


class _Normality(Body):
    text: str = Field(min_length=1, max_length=300)
    name: str = Field(min_length=1, max_length=64)
    object_name: str = Field(min_length=1, max_length=100)


class _Roll(Body):
    camera: str = Field(min_length=1, max_length=64)
    name: str = Field(min_length=1, max_length=100)


class StationRoutes:
    """Answers what the station can tell and do.

    Args:
        station: The station.
        access: Knows who asks.
        live: What is shown live.
        workers: Do what takes longer.
        rehearsal_frames: On how many frames a change is tried, unless chosen.
    """

    def __init__(
        self, station: StationControl, access: Access, live: Live, workers: Workers, *, rehearsal_frames: int
    ) -> None:
        self._station, self._access, self._live, self._workers = station, access, live, workers
        self._rehearsals, self._frames = Rehearsals(station), rehearsal_frames
        self._changing = threading.Lock()

    def routes(self) -> list[Route]:
        """The routes."""
        needs = self._access.needs
        return [
            Route("/api/status", needs(Role.VIEWER, self._status), methods=["GET"]),
            Route("/api/live", needs(Role.VIEWER, self._stream), methods=["GET"]),
            Route("/api/pause", needs(Role.OPERATOR, self._pause), methods=["POST"]),
            Route("/api/resume", needs(Role.OPERATOR, self._resume), methods=["POST"]),
            Route("/api/words", needs(Role.VIEWER, self._words), methods=["GET"]),
            Route("/api/words", needs(Role.OPERATOR, self._put_in_force), methods=["POST"]),
            Route("/api/rehearsals", needs(Role.OPERATOR, self._rehearse), methods=["POST"]),
            Route("/api/rehearsals/{id}", needs(Role.VIEWER, self._rehearsal), methods=["GET"]),
            Route("/api/rolls", needs(Role.OPERATOR, self._begin_roll), methods=["POST"]),
            Route("/api/normalities", needs(Role.ENGINEER, self._add), methods=["POST"]),
        ]

    async def _status(self, _request: Request, _visitor: Visitor) -> Response:
        status = await self._workers.run(self._station.status)
        return answer({**status.to_json(), "cameras": list(self._station.cameras())})

    async def _stream(self, request: Request, visitor: Visitor) -> Response:
        headers = {**NO_STORE, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers)
        viewer = self._live.join(pictures=request.query_params.get("pictures") != "no")
        if viewer is None:
            raise Refusal(503, "As many browsers look at this station as it shows pictures to.", {"Retry-After": "10"})

        async def messages() -> AsyncIterator[bytes]:
            try:
                # How long a browser waits before it comes back.
                yield b"retry: 1000\n\n"
                looked = asyncio.get_running_loop().time()
                while (message := await viewer.next(_QUIET_S)) is not None:
                    yield message or b": still here\n\n"
                    if asyncio.get_running_loop().time() - looked > _QUIET_S:
                        looked = asyncio.get_running_loop().time()
                        if not await self._may_still_look(visitor):
                            yield b"event: signed-out\ndata: {}\n\n"
                            return
            finally:
                self._live.leave(viewer)

        return StreamingResponse(messages(), headers=headers)

    async def _may_still_look(self, visitor: Visitor) -> bool:
        now = await self._workers.run(self._access.visitor_of, visitor.token, visitor.address)
        return now.may(Role.VIEWER) and (now.user is not None) == (visitor.user is not None)

    async def _pause(self, _request: Request, visitor: Visitor) -> Response:
        await self._workers.run(lambda: self._station.pause(who=visitor.name))
        return answer({})

    async def _resume(self, _request: Request, visitor: Visitor) -> Response:
        await self._workers.run(lambda: self._station.resume(who=visitor.name))
        return answer({})

    async def _begin_roll(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _Roll)
        await self._workers.run(lambda: self._station.begin_roll(given.camera, given.name, who=visitor.name))
        return answer({}, 201)

    async def _words(self, _request: Request, _visitor: Visitor) -> Response:
        return answer(await self._workers.run(self._told_words))

    async def _put_in_force(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _Change)
        await self._workers.run(self._change, given.plain(), given.instead_of.plain(), visitor.name)
        return answer(await self._workers.run(self._told_words))

    async def _rehearse(self, request: Request, _visitor: Visitor) -> Response:
        given = await body_of(request, _Rehearsal)
        identity = self._rehearsals.start(given.plain(), given.frames or self._frames)
        return answer({"id": identity}, 202)

    async def _rehearsal(self, request: Request, _visitor: Visitor) -> Response:
        told = self._rehearsals.told(request.path_params["id"])
        if told is None:
            raise Refusal(404, "This rehearsal is no longer kept; try the change again.")
        return answer(told)

    async def _add(self, request: Request, visitor: Visitor) -> Response:
        given = await body_of(request, _Normality)
        entry = await self._workers.run(
            lambda: self._station.add_normality(
                given.text, name=given.name, object_name=given.object_name, who=visitor.name
            )
        )
        return answer({"name": entry.name, **(await self._workers.run(self._told_words))}, 201)

    def _change(self, proposed: InForce, instead_of: InForce, who: str) -> None:
        with self._changing:
            if not _same(self._station.status(), instead_of):
                raise Refusal(409, "Somebody changed what is in force meanwhile; look at it again.")
            self._station.put_in_force(proposed, who=who)

    def _told_words(self) -> dict[str, Any]:
        in_force = self._station.status().in_force
        return {
            "in_force": {"normalities": list(in_force.normalities), "threshold": in_force.threshold},
            "normalities": [
                {
                    "name": entry.name,
                    "text": entry.text,
                    "object_name": entry.object_name,
                    "active": entry.active,
                    "added": entry.added,
                }
                for entry in self._station.normalities()
            ],
            "can_add": self._station.can_add_normality(),
            "rehearsal_frames": self._frames,
        }


def _same(status: Status, seen: InForce) -> bool:
    now = status.in_force
    return set(now.normalities) == set(seen.normalities) and now.threshold == seen.threshold
