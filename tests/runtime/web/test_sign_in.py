"""Signing in, out and again; passwords, users, and what wrong passwords cost."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web.live_page import PASSWORD, Visitor, wait_until

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.station.station import Station
from nand_edge_runtime.web import WebServer, WebSettings
from nand_edge_runtime.web.passwords import generated_password, hash_password, is_password
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.sessions import Sessions
from nand_edge_runtime.web.slow_down import SlowDown
from nand_edge_runtime.web.users import USERS_FILE, User, Users

pytestmark = pytest.mark.station

Serve = Callable[..., WebServer]


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def own(serve: Serve) -> Visitor:
    """Anna, on a page of the test's own."""
    return Visitor(serve().url).sign_in("anna")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(serve: Serve) -> None:
    visitor = Visitor(serve().url)
    answer = visitor.post("/api/sign-in", {"name": "Anna", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert answer.json()["user"] == "anna"
    assert PASSWORD not in answer.text
    visitor.close()


def test_wrong_name_and_wrong_password_are_answered_alike(serve: Serve) -> None:
    visitor = Visitor(serve().url)
    answers = [
        visitor.post("/api/sign-in", {"name": name, "password": "not the one"}) for name in ("anna", "nobody at all")
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == answers[1].json() == {"error": "Name or password is wrong."}
    visitor.close()


def test_wrong_passwords_are_slowed_down_whatever_their_names(serve: Serve) -> None:
    visitor = Visitor(serve().url)
    statuses = [
        visitor.post("/api/sign-in", {"name": f"guess{number}", "password": "not the one"}).status_code
        for number in range(5)
    ]
    assert statuses[:3] == [403] * 3
    assert statuses[4] == 429
    refused = visitor.post("/api/sign-in", {"name": "anna", "password": PASSWORD})
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1
    visitor.close()


def test_who_signed_in_here_before_is_not_locked_out_by_others_wrong_passwords(own: Visitor) -> None:
    guesser = Visitor(own.url)
    for number in range(5):
        guesser.post("/api/sign-in", {"name": f"guess{number}", "password": "not the one"})
    assert Visitor(own.url).sign_in("anna").token
    guesser.close()


def test_signing_out_ends_the_session_at_the_station_too(own: Visitor) -> None:
    stolen = "; ".join(f"{name}={token}" for name, token in own.client.cookies.items())
    assert own.post("/api/sign-out").status_code == 200
    assert own.get("/api/status", headers={"Cookie": stolen}).status_code == 401


def test_a_session_outlives_the_station_and_ends_with_the_user(serve: Serve, state_folder: Path) -> None:
    first = serve()
    port = int(first.url.rpartition(":")[2].strip("/"))
    visitor = Visitor(first.url).sign_in("anna")
    first.stop()
    serve(port=port)
    assert visitor.get("/api/me").json()["user"] == "anna"
    Users(state_folder / USERS_FILE).remove("otto")
    users = Users(state_folder / USERS_FILE)
    users.add("berta", Role.ENGINEER, PASSWORD)
    users.remove("anna")
    assert visitor.get("/api/status").status_code == 401
    visitor.close()


def test_another_role_holds_at_once(serve: Serve, state_folder: Path) -> None:
    visitor = Visitor(serve().url).sign_in("otto")
    assert visitor.post("/api/resume").status_code == 200
    Users(state_folder / USERS_FILE).set_role("otto", Role.VIEWER)
    assert visitor.post("/api/resume").status_code == 403
    visitor.close()


def test_the_first_engineer_chooses_a_password_before_anything_else(station: Station, tmp_path: Path) -> None:
    server = WebServer(WebSettings(port=0), station, station.history, state_folder=tmp_path / "new")
    server.start()
    try:
        name, _, password = server.first_sign_in.partition(", with the one-time password ")
        visitor = Visitor(server.url).sign_in(name, password)
        assert visitor.get("/").headers["location"].startswith("/sign-in")
        assert visitor.get("/api/status").json()["error"] == "Choose your own password first."
        refused = visitor.post("/api/password", {"old": password, "new": "short"})
        assert "10 to 256 characters" in refused.json()["error"]
        assert visitor.post("/api/password", {"old": password, "new": PASSWORD}).status_code == 200
        assert visitor.get("/api/status").status_code == 200
        assert Users(tmp_path / "new" / USERS_FILE).first_sign_in() is None
        visitor.close()
    finally:
        server.stop()


def test_another_password_signs_out_everywhere_else(own: Visitor) -> None:
    elsewhere = Visitor(own.url).sign_in("anna")
    answer = own.post("/api/password", {"old": PASSWORD, "new": "another that nobody guesses"})
    assert answer.status_code == 200
    assert own.get("/api/status").status_code == 200
    assert elsewhere.get("/api/status").status_code == 401
    elsewhere.close()


def test_an_engineer_adds_changes_and_removes_users_and_it_is_on_record(own: Visitor, station: Station) -> None:
    added = own.post("/api/users", {"name": "new one", "role": "viewer", "password": "given by anna 1"})
    assert (added.status_code, added.json()["must_change"]) == (201, True)
    assert own.post("/api/users", {"name": "new one", "role": "operator"}).json()["role"] == "operator"
    assert own.post("/api/users/remove", {"name": "new one"}).status_code == 200
    last = own.post("/api/users/remove", {"name": "anna"})
    assert (last.status_code, "no engineer left" in last.json()["error"]) == (409, True)
    said = ["removed user 'new one'", "made user 'new one' operator", "added user 'new one'"]
    wait_until(lambda: [one.what for one in station.history.audits(3)] == said, "the audit log")
    assert own.get("/api/audit").json()["changes"][0]["who"] == "anna"
    assert "given by anna" not in own.get("/api/audit").text


def test_a_damaged_file_of_users_is_said_and_the_page_goes_on(serve: Serve, state_folder: Path) -> None:
    server = serve()
    (state_folder / USERS_FILE).write_text("{")
    visitor = Visitor(server.url)
    answer = visitor.post("/api/sign-in", {"name": "anna", "password": PASSWORD})
    assert answer.status_code == 409
    assert "needed the file as the live page" in answer.json()["error"]
    assert visitor.get("/sign-in").status_code == 200
    visitor.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights than Unix")
def test_files_with_secrets_are_for_their_owner_alone(own: Visitor, state_folder: Path) -> None:
    files = [file for file in (state_folder / "web").iterdir() if file.suffix == ".json"]
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    kept = json.dumps([file.read_text() for file in files])
    assert PASSWORD not in kept
    assert not any(token in kept for token in own.client.cookies.values())


def test_users_names_are_one_whatever_their_case(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    users.add("Anna", Role.ENGINEER, PASSWORD)
    with pytest.raises(NandEdgeError, match="a name that is taken"):
        users.add("ANNA", Role.VIEWER, PASSWORD)
    found = users.sign_in("anna", PASSWORD)
    assert found is not None
    assert found.name == "Anna"
    assert users.sign_in("anna", PASSWORD + "x") is None


@pytest.mark.parametrize("name", ["", "../x", "a\0b", "a\nb", "<b>", "settings", "station", "x" * 65, " a"])
def test_a_name_that_would_mislead_is_refused(name: str) -> None:
    with pytest.raises(NandEdgeError, match="a name that cannot be used"):
        Users(None).add(name, Role.VIEWER, PASSWORD)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "somebody-here", "x" * 257])
def test_passwords_that_are_easily_guessed_are_refused(password: str) -> None:
    with pytest.raises(NandEdgeError, match="the new password"):
        hash_password(password, name="somebody-here")


def test_generated_passwords_are_good_ones_and_never_the_same() -> None:
    passwords = {generated_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(hash_password(password, name="x") for password in list(passwords)[:1])


def test_no_hash_no_password_however_long() -> None:
    assert not is_password("x" * 100_000, None)
    assert not is_password("anything", "no hash at all")


def test_sessions_end_in_time_whatever_the_clock_is_set_to(tmp_path: Path) -> None:
    wall, steady = Clock(), Clock()
    sessions = Sessions(tmp_path / "sessions.json", 1.0, wall, steady)
    token = sessions.begin(User("anna", Role.VIEWER, "", 0.0))
    wall.now -= 7200
    assert sessions.find(token)
    steady.now += 3599
    assert sessions.find(token)
    later = Sessions(tmp_path / "sessions.json", 1.0, wall, steady)
    assert later.find(token)
    steady.now += 2
    assert sessions.find(token) is None
    steady.now += 3600
    assert later.find(token) is None
    wall.now += 14400
    assert Sessions(tmp_path / "sessions.json", 1.0, wall, steady).find(token) is None


def test_sessions_do_not_grow_without_end() -> None:
    sessions = Sessions(None, 1.0)
    tokens = [sessions.begin(User("anna", Role.VIEWER, "", 0.0)) for _ in range(30)]
    assert [sessions.find(token) is not None for token in tokens] == [False] * 10 + [True] * 20


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 300), st.booleans()), max_size=60))
def test_nobody_waits_longer_than_two_minutes_and_who_is_known_longer_than_one(
    tries: list[tuple[int, int, float, bool]],
) -> None:
    clock = Clock()
    slow_down = SlowDown(clock)
    known = set()
    for user, address, pause, right in tries:
        clock.now += pause
        wait = slow_down.attempt(f"user{user}", f"10.0.0.{address}")
        assert 0 <= wait <= (60 if (user, address) in known else 120)
        if wait == 0 and right:
            slow_down.succeeded(f"user{user}", f"10.0.0.{address}")
            known.add((user, address))


def test_guessing_gets_one_try_a_minute_in_the_end() -> None:
    clock = Clock()
    slow_down = SlowDown(clock)
    tries = 0
    for _ in range(3600):
        tries += slow_down.attempt("anna", "10.0.0.1") == 0
        clock.now += 1
    assert tries < 45


def test_many_guesses_at_once_gain_nothing() -> None:
    slow_down = SlowDown(Clock())
    assert sum(slow_down.attempt("anna", "10.0.0.1") == 0 for _ in range(100)) == 3


def test_many_names_and_addresses_take_no_more_memory() -> None:
    slow_down = SlowDown(Clock())
    for number in range(6000):
        slow_down.attempt(f"user{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    kept = (slow_down._users, slow_down._addresses, slow_down._pairs)
    assert max(len(known) for known in kept) <= 4096


def test_one_machines_many_ipv6_addresses_count_as_one() -> None:
    slow_down = SlowDown(Clock())
    waits = [slow_down.attempt(f"user{number}", f"2001:db8::{number:x}") for number in range(5)]
    assert waits[4] > 0


def test_the_password_of_the_command_may_come_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from nand_edge_runtime.commands.user import user

    def run(*arguments: str) -> dict[str, Any]:
        app = _app(user)
        done = CliRunner().invoke(app, [str(tmp_path / "state"), *arguments, "--json"])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        told: dict[str, Any] = json.loads(done.output)
        return told

    monkeypatch.setitem(os.environ, "ITS_PASSWORD", PASSWORD)
    assert run() == {"users": []}
    run("anna", "--role", "engineer", "--password-env", "ITS_PASSWORD")
    told = run("otto", "--role", "operator", "--password-env", "ITS_PASSWORD")
    assert told["users"][1] == {"name": "otto", "role": "operator", "must_change": False}
    assert run("otto", "--role", "viewer")["users"][1]["role"] == "viewer"
    assert run("otto", "--remove") == {"users": [{"name": "anna", "role": "engineer", "must_change": False}]}
    with pytest.raises(NandEdgeError, match="no engineer left"):
        run("anna", "--remove")
    with pytest.raises(NandEdgeError, match="needed a role for somebody new"):
        run("berta")


def _app(function: Callable[..., None]) -> Any:
    import typer

    app = typer.Typer()
    app.command()(function)
    return app
