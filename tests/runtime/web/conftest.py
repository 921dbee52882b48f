"""A real station on the toy bundle behind a real server, and people who are signed in to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from web.live_page import PASSWORD, PEOPLE, Visitor, wait_until

from nand_edge_runtime.station.settings import validated
from nand_edge_runtime.station.station import Station
from nand_edge_runtime.web import WebServer, WebSettings
from nand_edge_runtime.web.passwords import hash_password
from nand_edge_runtime.web.private_files import write_private
from nand_edge_runtime.web.users import USERS_FILE, User

Serve = Callable[..., WebServer]


@pytest.fixture(scope="session")
def station(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station whose camera gives a dim, a bright and a plain part by turns, 20 a second.

    Only the bright one is suspicious to the base detector, and the normality `bright` makes it a pass.
    """
    folder = tmp_path_factory.mktemp("line")
    (folder / "parts").mkdir()
    for name, inside, outside in (("dim", 90, 40), ("bright", 230, 40), ("plain", 40, 40)):
        frame = _part(inside, outside)
        assert cv2.imwrite(str(folder / "parts" / f"{name}.png"), frame)
    document: dict[str, Any] = {
        "name": "line 3",
        "bundle": str(toy_bundle),
        "normalities": ["bright"],
        "state_folder": str(folder / "state"),
        "engine": {"threads": 1},
        "history": {"write_every_s": 0.05},
        "camera": [
            {
                "name": "top", "source": str(folder / "parts"), "kind": "folder", "loop": True, "frames_per_second": 20,
                "deadline_ms": 5000,
            }
        ],
    }  # fmt: skip
    made = Station(validated(document, what="the tests' station", folder=folder))
    made.start()
    try:
        wait_until(lambda: made.latest("top") is not None, "the first frame")
        yield made
    finally:
        made.stop()


def _part(inside: int, outside: int) -> Any:

    frame = np.full((48, 64, 3), outside, dtype=np.uint8)
    frame[12:36, 16:48] = inside
    return frame


@pytest.fixture(scope="session")
def people() -> list[dict[str, Any]]:
    """Vera looks, Otto operates, Anna is the engineer; one hash for all, because hashes take long by design."""
    hashed = hash_password(PASSWORD, name="")
    return [User(name, role, hashed, 1.0).to_json() for name, role in PEOPLE.items()]


@pytest.fixture
def state_folder(tmp_path: Path, people: list[dict[str, Any]]) -> Path:
    """A state folder in which those three are known."""
    write_private(tmp_path / USERS_FILE, {"version": 1, "users": people})
    return tmp_path


@pytest.fixture
def serve(station: Station, state_folder: Path) -> Iterator[Serve]:
    """Serves the station's live page; what is left of settings is the argument."""
    servers = []

    def start(**settings: Any) -> WebServer:
        server = WebServer(WebSettings(**{"port": 0, **settings}), station, station.history, state_folder=state_folder)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def page(
    station: Station, people: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebServer]:
    """One page for all tests that leave its users alone."""
    folder = tmp_path_factory.mktemp("page")
    write_private(folder / USERS_FILE, {"version": 1, "users": people})
    server = WebServer(WebSettings(port=0), station, station.history, state_folder=folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def visitors(page: WebServer) -> Iterator[dict[str, Visitor]]:
    """Somebody of each role who is signed in, and `nobody`, who is not."""
    made = {name: Visitor(page.url).sign_in(name) for name in PEOPLE}
    made["nobody"] = Visitor(page.url)
    yield made
    for visitor in made.values():
        visitor.close()


@pytest.fixture
def anna(visitors: dict[str, Visitor]) -> Visitor:
    """The engineer."""
    return visitors["anna"]


@pytest.fixture(autouse=True)
def _as_it_was(station: Station) -> Iterator[None]:
    """Put in force again what was, so that no test sees what another one changed."""
    before = station.status().in_force
    yield
    if station.status().in_force != before:
        station.put_in_force(before, who="test")
    if station.status().state.value == "paused":
        station.resume(who="test")


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """Ask the loopback itself, whatever proxy this machine has."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    yield
    if before is None:
        del os.environ["NO_PROXY"]
    else:
        os.environ["NO_PROXY"] = before
