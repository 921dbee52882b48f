"""Webhook: one POST a verdict, known again by its key; refusals, tokens, answers that never end."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict

Until = Callable[..., None]


def test_a_verdict_the_server_will_never_take_does_not_stop_the_next(
    http_server: Any, line: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    http_server.refused = {1}
    running = line(http_server.settings(http_server.port))
    running.up()
    for number in range(3):
        running.decide(number, Verdict.REJECT)
    until(lambda: len(http_server.verdicts) == 2, "the others")
    assert http_server.frames() == [0, 2]
    assert running.facts()["dropped"] == 1
    assert "refused the verdict of frame run/top#1 with status 422" in caplog.text
    until(lambda: any("refused by the peer" in what for what in running.on_record()), "on record")


def test_a_server_that_answers_with_an_error_is_told_again(http_server: Any, line: Any, until: Until) -> None:
    http_server.status = 503
    running = line(http_server.settings(http_server.port))
    running.decide(0, Verdict.REJECT)
    until(lambda: "status 503" in (running.gate.blocked() or ""), "blocked")
    http_server.status = 200
    running.up()
    until(lambda: http_server.frames() == [0], "told")


@pytest.mark.parametrize("way", ["token", "basic"])
def test_signing_in(
    http_server: Any, line: Any, until: Until, monkeypatch: pytest.MonkeyPatch, caplog: Any, *, way: str
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "tok-en-0815")
    monkeypatch.setenv("HOOK_USER", "line-3")
    monkeypatch.setenv("HOOK_PASSWORD", "hunter2-hunter2")
    variables = {"token_env": "HOOK_TOKEN"}
    if way == "basic":
        variables = {"username_env": "HOOK_USER", "password_env": "HOOK_PASSWORD"}
    running = line(http_server.settings(http_server.port, **variables))
    running.up()
    basic = "Basic " + base64.b64encode(b"line-3:hunter2-hunter2").decode()
    assert http_server.authorization == {"token": "Bearer tok-en-0815", "basic": basic}[way]
    http_server.status = 401
    until(lambda: "refuses the station's credentials" in (running.gate.blocked() or ""), "said")
    assert not any(secret in caplog.text + repr(running.events) for secret in ("tok-en-0815", "hunter2"))


def test_an_address_that_is_a_secret_comes_from_the_environment(
    http_server: Any, line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NandEdgeError, match="no environment variable HOOK_ADDRESS"):
        line(http_server.settings(0, url="", url_env="HOOK_ADDRESS"))
    monkeypatch.setenv("HOOK_ADDRESS", f"http://127.0.0.1:{http_server.port}/secret-path")
    line(http_server.settings(0, url="", url_env="HOOK_ADDRESS")).up()


def test_an_answer_that_never_ends_is_cut_off(http_server: Any, line: Any) -> None:
    """A byte every 50 ms: no read ever times out, and the answer as a whole does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not stopped.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        threading.Thread(target=drip, daemon=True).start()
        running = line(http_server.settings(listener.getsockname()[1]))
        running.up()
        stopped.set()


def test_redirections_and_proxies_lead_nowhere(
    http_server: Any, line: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    running = line(http_server.settings(http_server.port))
    running.up()
    http_server.status = 302
    until(lambda: "status 302" in (running.gate.blocked() or ""), "no redirection is followed")
