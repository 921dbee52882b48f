"""The answers: JSON both ways, and what cannot be done said in one sentence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.observability.redaction import REDACTOR
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import PartState, StationState
from nand_edge_runtime.web.roles import Role

NO_STORE = {"Cache-Control": "no-store"}


_OWN_WORDS = frozenset(str(word.value) for words in (Role, StationState, PartState, Verdict, Reason) for word in words)
"""What pages decide by. Somebody whose password is one of these words gives nothing away by it."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A request that gets an answer other than what it asked for.

    Args:
        status: The status of HTTP.
        sentence: What is said.
        headers: Sent with it.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, dict(headers or {})

    def response(self) -> Response:
        """The answer."""
        return said(self.status, self.sentence, self.headers)


class Body(BaseModel):
    """What a request may bring: unknown keys are refused, and so is a text where a number belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


_Body = TypeVar("_Body", bound=Body)


def harmless(value: Any) -> Any:
    """A document as every browser can read it: without secrets, half characters, and numbers that are none."""
    if isinstance(value, str):
        return harmless_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: harmless(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [harmless(item) for item in value]
    return value


@lru_cache(maxsize=1024)
def harmless_text(text: str) -> str:
    """A text without secrets; most texts of an answer come again and again: names of cameras, hashes, reasons."""
    if text in _OWN_WORDS:
        return text
    return REDACTOR.clean(text).encode("utf-8", "replace").decode("utf-8")


def answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON that no browser keeps, see `harmless`."""
    return JSONResponse(harmless(document), status_code=status, headers={**NO_STORE, **(headers or {})})


def said(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    """What cannot be done, in a sentence without secrets."""
    return answer({"error": sentence}, status, headers)


def refused(error: NandEdgeError) -> Response:
    """What the station says that cannot be done."""
    return said(409, str(error))


async def body_of(request: Request, kind: type[_Body]) -> _Body:
    """What a request brings.

    Raises:
        Refusal: It is no JSON, or not what belongs there.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "This request must bring application/json.")
    content = await request.body()
    try:
        document = json.loads(content, parse_constant=_no_number)
    except RecursionError:
        raise Refusal(400, "This request's JSON is nested too deeply.") from None
    except ValueError:
        raise Refusal(400, "This request brings no JSON that can be read.") from None
    return checked(document, kind)


def checked(document: Any, kind: type[_Body], *, strict: bool = True) -> _Body:
    """A document as what it must be.

    Raises:
        Refusal: It is something else.
    """
    try:
        return kind.model_validate(document, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(str(part)[:40] for part in first["loc"][:4]) or "the request"
        raise Refusal(400, f"{key}: {first['msg'].removeprefix('Value error, ')}.") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
