"""One question to an OpenAI-compatible endpoint, through the official client; the only place that uses the network."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nand_edge.errors import NandEdgeError
from nand_edge_export.language_model.packages import package
from nand_edge_export.language_model.reply import UnusableReplyError
from nand_edge_export.language_model.request import RESPONSE_FORMAT, Message

if TYPE_CHECKING:
    import openai

KEY_VARIABLE = "NAND_EDGE_LLM_KEY"
OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"
_OPENAI_HOST = "api.openai.com"
# The client wants some key; endpoints without keys take any.
_NO_KEY = "none"
_MAX_RESPONSE_BYTES = 1 << 18
OFFLINE = "or leave --llm-url out: then rules make the phrases, without any network"


def require_url(url: str) -> str:
    """An endpoint's URL without a slash at its end.

    Raises:
        NandEdgeError: It is no http(s) URL with a host, or has a password, a query or a fragment, where secrets hide.
    """
    try:
        parts = urlsplit(url)
        plain = bool(parts.hostname) and (parts.port is None or parts.port > 0) and url.isprintable() and " " not in url
    except ValueError:
        plain = False
    else:
        plain = plain and parts.scheme in ("http", "https")
    if not plain or "@" in parts.netloc or parts.query or parts.fragment:
        # It is not repeated: what stands there may be a secret.
        raise NandEdgeError(
            "--llm-url",
            found="no plain URL" if not plain else "a URL with more than host and path",
            needed="a URL such as http://localhost:8000/v1",
            do=f"correct it; a key belongs into the environment variable {KEY_VARIABLE}",
        )
    return url.rstrip("/")


def ask(url: str, model: str, messages: list[Message], *, timeout: float, retries: int) -> str:
    """Ask for one chat completion and return its text.

    The key is `NAND_EDGE_LLM_KEY` from the environment; `OPENAI_API_KEY` goes to OpenAI's own host only. After
    time-outs, lost connections and HTTP 408, 409, 429 and 5xx the client asks again, waiting longer each time.

    Args:
        url: The endpoint, as `require_url` gives it.
        model: The model's name there.
        messages: The chat.
        timeout: Seconds that the endpoint may be silent, and that its answer may take to arrive.
        retries: How often to ask again.

    Raises:
        NandEdgeError: There is no answer, or the endpoint refuses.
        UnusableReplyError: What came is no chat completion, or one without text.
    """
    question = {"model": model, "messages": messages}
    with _client(url, timeout, retries) as client:
        body = _answer(client, {**question, "response_format": RESPONSE_FORMAT}, timeout)
        # Many endpoints cannot hold a model to a schema; the request says the form in words as well.
        body = _answer(client, question, timeout) if body is None else body
    if body is None:
        raise _no_answer(client, "HTTP 400, the request refused", f"an endpoint that knows the model {model!r}")
    return _text_of(body)


def _client(url: str, timeout: float, retries: int) -> openai.OpenAI:
    client: openai.OpenAI = package("openai").OpenAI(
        base_url=url, api_key=_key_for(url), timeout=timeout, max_retries=retries
    )
    return client


def _key_for(url: str) -> str:
    key = os.environ.get(KEY_VARIABLE, "")
    parts = urlsplit(url)
    if not key and parts.hostname == _OPENAI_HOST and parts.scheme == "https":
        key = os.environ.get(OPENAI_KEY_VARIABLE, "")
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise NandEdgeError(
            f"environment variable {KEY_VARIABLE}",
            found="characters that no key has",
            needed="the key alone",
            do="set it again",
        )
    return key or _NO_KEY


def _answer(client: openai.OpenAI, question: dict[str, Any], timeout: float) -> bytes | None:
    """The body of the endpoint's answer; None if it does not understand the request."""
    import httpx2
    import openai

    try:
        with client.chat.completions.with_streaming_response.create(**question) as response:
            return _body(response.iter_bytes(), time.monotonic() + timeout)
    except (openai.BadRequestError, openai.UnprocessableEntityError):
        return None
    except (openai.APITimeoutError, httpx2.TimeoutException, TimeoutError):
        raise _no_answer(client, f"no answer in {timeout:g} s", "a faster answer, or more --llm-timeout") from None
    except openai.APIStatusError as error:
        raise _no_answer(client, *_status(error.status_code, str(question["model"]))) from None
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        raise _no_answer(client, f"no connection ({_cause(error)})", "a running endpoint") from None


def _cause(error: BaseException) -> str:
    """What the operating system says, or the fault's kind: its text may quote what the endpoint sent."""
    kind, cause = type(error).__name__, error.__cause__ or error.__context__
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        kind, cause = type(cause).__name__, cause.__cause__ or cause.__context__
    return kind


def _body(chunks: Iterator[bytes], deadline: float) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > _MAX_RESPONSE_BYTES:
            raise UnusableReplyError(f"an answer of over {_MAX_RESPONSE_BYTES >> 10} KiB")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(body)


def _text_of(body: bytes) -> str:
    try:
        choice = json.loads(body)["choices"][0]
        message, finished = dict(choice["message"]), choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UnusableReplyError("something else than a chat completion") from None
    if message.get("refusal") or finished == "content_filter":
        raise UnusableReplyError("that the model refuses to answer")
    if finished == "length":
        raise UnusableReplyError("a reply that was cut short")
    content = message.get("content")
    if not isinstance(content, str):
        raise UnusableReplyError("a reply without text")
    return content


def _status(status: int, model: str) -> tuple[str, str]:
    """What was found and what was needed, for an HTTP status; the endpoint's own words may hold anything."""
    if status in (401, 403):
        return f"HTTP {status}", f"a key that it accepts, in the environment variable {KEY_VARIABLE}"
    if status == 404:
        return (
            "HTTP 404",
            f"the URL of an OpenAI-compatible endpoint (often it ends in /v1) that has the model {model!r}",
        )
    if status == 429:
        return "HTTP 429 again and again", "fewer requests, or a larger quota there"
    return f"HTTP {status}", "an endpoint that answers"


def _no_answer(client: openai.OpenAI, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(
        f"language model at {str(client.base_url).rstrip('/')!r}",
        found=found,
        needed=needed,
        do=f"try again, {OFFLINE}",
    )
