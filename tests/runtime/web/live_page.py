"""Visits the live page as a browser does: with its cookie, its token and its origin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from nand_edge_runtime.web.roles import Role

PEOPLE = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "anna": Role.ENGINEER}
PASSWORD = "nobody guesses this one"  # noqa: S105 - of nobody but the tests


class Visitor:
    """Somebody with a browser.

    Args:
        url: Where the page is.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.client = httpx2.Client(base_url=self.url, timeout=20, verify=False)
        self.token = ""

    def sign_in(self, name: str, password: str = PASSWORD) -> Visitor:
        """Sign in; it must succeed."""
        answer = self.post("/api/sign-in", {"name": name, "password": password})
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["change_token"]
        return self

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return self.client.get(path, **options)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> httpx2.Response:
        sent = {"X-Change-Token": self.token, "Origin": self.url, **(headers or {})}
        return self.client.post(path, json={} if body is None else body, headers=sent)

    def words(self) -> dict[str, Any]:
        """What is in force."""
        told: dict[str, Any] = self.get("/api/words").json()["in_force"]
        return told

    @contextmanager
    def messages(self, pictures: str = "yes") -> Iterator[Iterator[tuple[str, str]]]:
        """The station's messages: kind and data."""
        with self.client.stream("GET", f"/api/live?pictures={pictures}") as answer:
            assert answer.status_code == 200
            yield _parsed(answer.iter_lines())

    def close(self) -> None:
        self.client.close()


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = 20.0) -> Any:
    """Wait until something is so, and give it."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {timeout_s} s for {what}")


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    kind = ""
    for line in lines:
        if line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            yield kind, line[6:]
