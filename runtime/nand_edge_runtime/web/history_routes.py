"""The routes of the history: frames by filters, one frame with its pictures, the audit log, and files to take along."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from nand_edge.inspection import Verdict
from nand_edge_runtime.history import Query, Reader
from nand_edge_runtime.history.export import csv_chunks, jsonl_chunks
from nand_edge_runtime.station.control import StationControl
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.records import FrameRecord, Reason
from nand_edge_runtime.web.access import Access, Visitor
from nand_edge_runtime.web.answers import NO_STORE, Body, Refusal, answer, checked
from nand_edge_runtime.web.panels import VIEWS, WHOLE, picture_of
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.workers import Workers

_EXPORTS: dict[str, tuple[str, Callable[[Reader, Query], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_chunks),
    "jsonl": ("application/jsonl", jsonl_chunks),
}
_LARGEST = 2**63 - 1


class _Key(Body):
    """Which frame, as an address says it."""

    run: str = Field(max_length=200)
    camera: str = Field(max_length=200)
    number: int = Field(ge=0, le=_LARGEST)

    def plain(self) -> FrameKey:
        return FrameKey(self.run, self.camera, self.number)


class _Filter(Body):
    """Which frames, as an address says it."""

    camera: str | None = Field(default=None, max_length=200)
    verdict: Verdict | None = None
    reason: Reason | None = None
    suppressed: bool | None = None
    since: float | None = Field(default=None, allow_inf_nan=False)
    until: float | None = Field(default=None, allow_inf_nan=False)
    lowest_score: float | None = Field(default=None, allow_inf_nan=False)
    highest_score: float | None = Field(default=None, allow_inf_nan=False)
    name: str = Field(default="", max_length=200)
    run: str | None = Field(default=None, max_length=200)
    limit: int = Field(default=50, ge=1, le=200)
    before_run: str | None = Field(default=None, max_length=200)
    before_camera: str | None = Field(default=None, max_length=200)
    before_number: int | None = Field(default=None, ge=0, le=_LARGEST)

    @field_validator("name", "run", "camera")
    @classmethod
    def _plain_text(cls, text: str | None) -> str | None:
        if text is not None and not text.isprintable():
            raise ValueError("Found a character that cannot be printed")
        return text

    def query(self) -> Query:
        before = None
        if self.before_run is not None and self.before_camera is not None and self.before_number is not None:
            before = FrameKey(self.before_run, self.before_camera, self.before_number)
        return Query(
            camera=self.camera,
            verdict=self.verdict,
            reason=self.reason,
            suppressed=self.suppressed,
            since=self.since,
            until=self.until,
            lowest_score=self.lowest_score,
            highest_score=self.highest_score,
            name=self.name,
            run=self.run,
            limit=self.limit,
            before=before,
        )


class _Earlier(Body):
    before: float | None = Field(default=None, allow_inf_nan=False)
    limit: int = Field(default=50, ge=1, le=200)


_Asked = TypeVar("_Asked", bound=Body)


class HistoryRoutes:
    """Answers what is on record.

    Args:
        station: Keeps the last frames in memory.
        history: Keeps the others.
        access: Knows who asks.
        workers: Ask the database and draw.
    """

    def __init__(self, station: StationControl, history: Reader, access: Access, workers: Workers) -> None:
        self._station, self._history, self._access, self._workers = station, history, access, workers

    def routes(self) -> list[Route]:
        """The routes."""
        needs = self._access.needs
        return [
            Route("/api/history", needs(Role.VIEWER, self._find), methods=["GET"]),
            Route("/api/history/counts", needs(Role.VIEWER, self._count), methods=["GET"]),
            Route("/api/history/export.{kind}", needs(Role.VIEWER, self._export), methods=["GET"]),
            Route("/api/frame", needs(Role.VIEWER, self._frame), methods=["GET"]),
            Route("/api/picture", needs(Role.VIEWER, self._picture), methods=["GET"]),
            Route("/api/audit", needs(Role.VIEWER, self._audit), methods=["GET"]),
            Route("/api/states", needs(Role.VIEWER, self._states), methods=["GET"]),
        ]

    async def _find(self, request: Request, _visitor: Visitor) -> Response:
        found = await self._workers.run(self._history.find, _asked(request, _Filter).query())
        return answer({"frames": [record.to_json() for record in found]})

    async def _count(self, request: Request, _visitor: Visitor) -> Response:
        return answer(await self._workers.run(self._history.count, _asked(request, _Filter).query()))

    async def _export(self, request: Request, _visitor: Visitor) -> Response:
        kind = request.path_params["kind"]
        if kind not in _EXPORTS:
            raise Refusal(404, f"There is no such format; there are {' and '.join(_EXPORTS)}.")
        content_type, chunks_of = _EXPORTS[kind]
        chunks = chunks_of(self._history, _asked(request, _Filter).query())
        # The first chunk is made before the answer begins, so that a history that is away is still said.
        first = await self._workers.run(_next, chunks)

        async def chunked() -> AsyncIterator[str]:
            chunk = first
            while chunk is not None:
                yield chunk
                chunk = await self._workers.run(_next, chunks)

        disposition = f'attachment; filename="frames.{kind}"'
        return StreamingResponse(
            chunked(), headers={**NO_STORE, "Content-Type": content_type, "Content-Disposition": disposition}
        )

    async def _frame(self, request: Request, _visitor: Visitor) -> Response:
        told = await self._workers.run(self._told_frame, _asked(request, _Key).plain())
        if told is None:
            raise Refusal(404, "There is no such frame on record.")
        return answer(told)

    async def _picture(self, request: Request, _visitor: Visitor) -> Response:
        view = request.query_params.get("view", "frame")
        if view not in (*VIEWS, WHOLE):
            raise Refusal(400, f"view: needed one of {', '.join((*VIEWS, WHOLE))}.")
        key = _asked(request, _Key, "view").plain()
        content = await self._workers.run(picture_of, self._station, self._history, key, view)
        if content is None:
            raise Refusal(404, "This picture is not kept.")
        return Response(content, media_type="image/jpeg", headers=NO_STORE)

    async def _audit(self, request: Request, _visitor: Visitor) -> Response:
        asked = _asked(request, _Earlier)
        audits = await self._workers.run(self._history.audits, asked.limit, asked.before)
        return answer(
            {"changes": [{"who": one.who, "what": one.what, "detail": one.detail, "at": one.at} for one in audits]}
        )

    async def _states(self, request: Request, _visitor: Visitor) -> Response:
        asked = _asked(request, _Earlier)
        states = await self._workers.run(self._history.states, asked.limit, asked.before)
        return answer({"states": [{"state": one.state.value, "why": one.why, "at": one.at} for one in states]})

    def _told_frame(self, key: FrameKey) -> dict[str, Any] | None:
        recent = self._station.recent(key)
        record: FrameRecord | None = recent.record if recent else self._history.get(key)
        if record is None:
            return None
        if recent is not None:
            has_picture, has_maps = True, recent.inspection is not None and recent.inspection.has_maps
        else:
            has_picture, has_maps = self._history.picture(key) is not None, self._history.maps(key) is not None
        views = [view for view in VIEWS if (has_picture if view == "frame" else has_picture and has_maps)]
        texts = {entry.name: entry.text for entry in self._station.normalities()}
        return {
            "record": record.to_json(),
            "views": views,
            "words": {name: texts.get(name, "") for name in record.normalities},
            "bundle_now": self._station.status().bundle_sha256,
        }


def _asked(request: Request, kind: type[_Asked], *others: str) -> _Asked:
    """What an address asks for; an empty value asks for nothing."""
    given = {key: value for key, value in request.query_params.items() if value != "" and key not in others}
    return checked(given, kind, strict=False)


def _next(chunks: Iterator[str]) -> str | None:
    return next(chunks, None)
