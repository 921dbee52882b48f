"""A browser's side of the live page, without a browser: signs in, asks, changes, and loads what a page loads."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from pathlib import Path
from typing import Any

from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.users import USERS_FILE, Users

USER, PASSWORD = "line-engineer", "a benchmark's own password 7"
_TIMEOUT_S = 10.0
_LINKED = re.compile(rb"""(?:src|href)="(/[^"#]+\.(?:js|css|svg|png|ico))\"""")
_IMPORTED = re.compile(rb"""from\s+["'](\.{1,2}/[^"']+|/[^"']+)["']""")


def add_user(state_folder: Path) -> None:
    """Let the benchmark sign in; a running station knows it at once."""
    users = Users(state_folder / USERS_FILE)
    if users.find(USER) is None:
        users.add(USER, Role.ENGINEER, PASSWORD)


class Page:
    """Somebody who is signed in.

    Args:
        port: The live page's.

    Raises:
        OSError: The station does not answer, or does not let them in.
    """

    def __init__(self, port: int) -> None:
        self._port, self._cookie, self._token = port, "", ""
        self._token = self.post("/api/sign-in", {"name": USER, "password": PASSWORD})["change_token"]

    def get(self, path: str) -> Any:
        """What the station answers."""
        return json.loads(self._ask("GET", path)[1])

    def post(self, path: str, document: dict[str, Any]) -> Any:
        """What the station answers to a change."""
        return json.loads(self._ask("POST", path, json.dumps(document).encode())[1] or b"{}")

    def put_in_force(self, normalities: list[str], threshold: float) -> None:
        """Have frames judged by this, from the next one on."""
        before = self.get("/api/words")["in_force"]
        now = {"normalities": normalities, "threshold": threshold}
        self.post("/api/words", {**now, "instead_of": before})

    def load(self, path: str = "/") -> int:
        """Load a page as a browser that has nothing of it yet; the bytes that came."""
        seen, waiting, total = set(), [path], 0
        while waiting:
            wanted = waiting.pop()
            if wanted in seen:
                continue
            seen.add(wanted)
            content = self._ask("GET", wanted)[1]
            total += len(content)
            found = _LINKED.findall(content) if wanted == path else _IMPORTED.findall(content)
            waiting += [_absolute(link.decode(), wanted) for link in found]
        return total

    def watch(self, seconds: float) -> int:
        """Look at the live pictures for a while, as fast as they come; the bytes that came."""
        until, total = time.monotonic() + seconds, 0
        with socket.create_connection(("127.0.0.1", self._port), timeout=_TIMEOUT_S) as stream:
            stream.sendall(self.stream_request())
            stream.settimeout(0.1)
            while time.monotonic() < until:
                with contextlib.suppress(TimeoutError):
                    total += len(stream.recv(1 << 16))
        return total

    def stream_request(self) -> bytes:
        """The request for the live pictures, word for word."""
        lines = ("GET /api/live HTTP/1.1", f"Host: 127.0.0.1:{self._port}", f"Cookie: {self._cookie}", "", "")
        return "\r\n".join(lines).encode("ascii")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S)
        headers = {"Cookie": self._cookie, "X-Change-Token": self._token, "Content-Type": "application/json"}
        try:
            connection.request(method, path, body, {key: value for key, value in headers.items() if value})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status} {content[:200]!r}")
        cookie = answer.headers.get("Set-Cookie")
        if cookie:
            self._cookie = cookie.partition(";")[0]
        return answer.status, content


def _absolute(link: str, seen_in: str) -> str:
    if link.startswith("/"):
        return link
    folder = seen_in.rpartition("/")[0]
    for step in link.split("/")[:-1]:
        folder = folder.rpartition("/")[0] if step == ".." else folder if step == "." else f"{folder}/{step}"
    return f"{folder}/{link.rpartition('/')[2]}"
