"""Who may do what, and what every request and answer must keep to."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web.live_page import PASSWORD, PEOPLE, Visitor

from nand_edge_runtime.observability.redaction import REDACTOR
from nand_edge_runtime.web import WebServer
from nand_edge_runtime.web.answers import harmless, harmless_text
from nand_edge_runtime.web.guard import Guard
from nand_edge_runtime.web.roles import Role

pytestmark = pytest.mark.station

CHANGES: list[tuple[str, Any, Role]] = [
    ("/api/pause", {}, Role.OPERATOR),
    ("/api/resume", {}, Role.OPERATOR),
    (
        "/api/words",
        {"normalities": [], "threshold": 0.5, "instead_of": {"normalities": [], "threshold": 9.0}},
        Role.OPERATOR,
    ),
    ("/api/rolls", {"camera": "top", "name": "roll 7"}, Role.OPERATOR),
    ("/api/rehearsals", {"normalities": ["nothing of that name"], "threshold": 0.5}, Role.OPERATOR),
    ("/api/normalities", {"text": "a stain", "name": "stain", "object_name": "cell"}, Role.ENGINEER),
    ("/api/users", {"name": "new", "role": "nobody", "password": "something to be refused"}, Role.ENGINEER),
    ("/api/users/remove", {"name": "nobody there"}, Role.ENGINEER),
]
LOOKS = [
    "/api/status",
    "/api/words",
    "/api/history",
    "/api/history/counts",
    "/api/audit",
    "/api/states",
    "/api/history/export.csv",
]


@pytest.mark.parametrize("who", [*PEOPLE, "nobody"])
@pytest.mark.parametrize(("path", "body", "least"), CHANGES)
def test_everybody_may_do_what_their_role_may(
    visitors: dict[str, Visitor], who: str, path: str, body: Any, least: Role
) -> None:
    status = visitors[who].post(path, body).status_code
    if who == "nobody":
        assert status == 401
    elif PEOPLE[who].may(least):
        assert status not in (401, 403)
    else:
        assert status == 403


@pytest.mark.parametrize(
    "path", [*LOOKS, "/api/live", "/api/frame?run=r&camera=c&number=0", "/api/picture?run=r&camera=c&number=0"]
)
def test_who_is_not_signed_in_sees_nothing(visitors: dict[str, Visitor], path: str) -> None:
    assert visitors["nobody"].get(path).status_code == 401


@pytest.mark.parametrize("path", LOOKS)
def test_a_viewer_may_look(visitors: dict[str, Visitor], path: str) -> None:
    assert visitors["vera"].get(path).status_code == 200


def test_users_are_for_engineers_to_see(visitors: dict[str, Visitor]) -> None:
    assert visitors["otto"].get("/api/users").status_code == 403
    assert {user["name"] for user in visitors["anna"].get("/api/users").json()["users"]} == set(PEOPLE)
    assert "argon2" not in visitors["anna"].get("/api/users").text


def test_pages_lead_to_the_sign_in_and_back(visitors: dict[str, Visitor]) -> None:
    answer = visitors["nobody"].get("/history?verdict=reject")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?then=%2Fhistory%3Fverdict%3Dreject")


def test_everybody_may_look_where_the_settings_say_so_and_change_nothing(serve: Callable[..., WebServer]) -> None:
    visitor = Visitor(serve(public_view=True).url)
    assert visitor.get("/").status_code == 200
    assert visitor.get("/api/status").status_code == 200
    assert visitor.post("/api/pause").status_code == 401
    assert visitor.get("/api/users").status_code == 401
    visitor.close()


def test_a_change_needs_its_pages_token(anna: Visitor) -> None:
    answer = anna.post("/api/pause", headers={"X-Change-Token": "0" * 64})
    assert (answer.status_code, answer.json()) == (
        403, {"error": "This request lacks its page's token; load the page again."},
    )  # fmt: skip


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "https://127.0.0.1"}, {"Origin": ""}]
)
def test_a_change_from_another_sites_page_is_refused(anna: Visitor, headers: dict[str, str]) -> None:
    answer = anna.post("/api/pause", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "This request comes from another site's page.")


def test_behind_a_proxy_that_is_trusted_the_browsers_own_address_and_scheme_count(
    serve: Callable[..., WebServer],
) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.1.2.3"}
    for proxies, status in (((), 403), (("127.0.0.1",), 200)):
        visitor = Visitor(serve(trusted_proxies=proxies).url)
        origin = visitor.url.replace("http:", "https:")
        sent = {"name": "anna", "password": PASSWORD}
        answer = visitor.post("/api/sign-in", sent, {**said, "Origin": origin})
        assert answer.status_code == status
        if status == 200:
            assert "Secure" in answer.headers["set-cookie"]
        else:
            assert "trusted_proxies" in answer.json()["error"]
        visitor.close()


def test_so_is_a_sign_in(page: WebServer) -> None:
    visitor = Visitor(page.url)
    answer = visitor.post("/api/sign-in", {"name": "anna", "password": "x"}, {"Origin": "http://evil.example"})
    assert answer.status_code == 403
    visitor.close()


def test_a_name_that_leads_here_from_elsewhere_is_refused(anna: Visitor) -> None:
    answer = anna.get("/api/status", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "host_names" in answer.json()["error"]


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789.-:[]", max_size=40))
def test_no_name_but_the_own_ones_passes(host: str) -> None:
    name = host.partition(":")[0].lower().rstrip(".")
    guard = Guard(lambda *_: None, host_names={"localhost", "line-3"})  # type: ignore[arg-type,return-value]  # never called
    if guard._is_ours(host) and name not in ("localhost", "line-3"):
        literal = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
        family = socket.AF_INET6 if ":" in literal else socket.AF_INET
        socket.inet_pton(family, literal)


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/static/style.css", "/api/status", "/api/me", "/nothing", "/static/no.js"]
)
def test_every_answer_carries_its_headers(anna: Visitor, path: str) -> None:
    headers = anna.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'none'" in policy  # a form sent without its script would put a password into the address
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("no-cache" if path == "/static/style.css" else "no-store")


def test_a_request_that_brings_too_much_is_refused(anna: Visitor) -> None:
    answer = anna.post("/api/words", {"normalities": ["x" * 100_000]})
    assert (answer.status_code, answer.json()["error"]) == (413, "This request brings more than 65536 bytes.")


def test_so_is_one_that_does_not_say_how_much(anna: Visitor) -> None:
    def without_end() -> Any:
        for _ in range(100):
            yield b"x" * 10_000

    headers = {"X-Change-Token": anna.token, "Content-Type": "application/json"}
    answer = anna.client.post("/api/words", content=without_end(), headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 30_000, "nested too deeply"),
        (b'{"normalities": [], "threshold": NaN}', "no JSON"),
        (b"[]", "the request"),
        (b'{"normalities": "stain", "threshold": 0.5}', "normalities: "),
        (b'{"normalities": [], "threshold": "high"}', "threshold: "),
        (b'{"normalities": [], "threshold": 0.5, "colour": 1}', "colour: "),
        (b'{"normalities": [], "threshold": 1e999}', "threshold: "),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(anna: Visitor, content: bytes, said: str) -> None:
    headers = {"X-Change-Token": anna.token, "Content-Type": "application/json"}
    answer = anna.client.post("/api/rehearsals", content=content, headers=headers)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_a_form_of_another_sites_page_brings_nothing(anna: Visitor) -> None:
    headers = {"X-Change-Token": anna.token, "Content-Type": "text/plain"}
    assert anna.client.post("/api/rehearsals", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py", "/static/..%2fserver.py", "/static/%2e%2e/%2e%2e/etc/passwd", "/static//etc/passwd",
        "/api/picture?run=..%2F..&camera=..%2F..%2Fetc&number=0&view=frame",
        "/api/frame?run=%00&camera=%00&number=0", "/api/history/export.exe",
    ],
)  # fmt: skip
def test_no_path_leads_anywhere_else(anna: Visitor, path: str) -> None:
    answer = anna.get(path)
    assert answer.status_code in (400, 404)
    assert "root:" not in answer.text


def test_an_address_that_is_too_long_is_refused(anna: Visitor) -> None:
    assert anna.get("/api/history?name=" + "x" * 5000).status_code == 414


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_ways_of_asking_end(anna: Visitor, method: str) -> None:
    assert anna.client.request(method, "/api/live").status_code == (200 if method == "HEAD" else 405)


@pytest.mark.parametrize("noise", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n"])
def test_noise_is_answered_and_the_page_goes_on(page: WebServer, anna: Visitor, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(page.url.rpartition(":")[2].strip("/"))), timeout=5) as connection:
        connection.sendall(noise)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
    assert anna.get("/api/me").status_code == 200


def test_a_crowd_of_silent_connections_leaves_files_for_the_station(serve: Callable[..., WebServer]) -> None:
    server = serve(viewers=1)
    port = int(server.url.rpartition(":")[2].strip("/"))
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(200)]
    time.sleep(0.3)
    ended = 0
    for connection in crowd:
        connection.setblocking(False)  # noqa: FBT003 - the standard library's own way to say it
        try:
            ended += connection.recv(1) == b""
        except BlockingIOError:
            pass
        except ConnectionError:
            ended += 1
    for connection in crowd:
        connection.close()
    assert ended >= 200 - 129


def test_a_password_that_is_one_of_the_pages_own_words_breaks_no_page(
    visitors: dict[str, Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(REDACTOR, "_values", ("operator", "hunter2-plc"))
    harmless_text.cache_clear()
    assert visitors["otto"].get("/api/me").json()["role"] == "operator"
    assert harmless({"why": "refused for hunter2-plc"}) == {"why": "refused for ***"}
    harmless_text.cache_clear()
