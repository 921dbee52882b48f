"""What a monitoring system gets over HTTP, from a real server on the loopback."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from nand_edge_runtime.observability import StationMetrics, routes
from nand_edge_runtime.station.states import PartState, StationState

pytestmark = pytest.mark.station

Get = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def get(station: Any, metrics: StationMetrics) -> Iterator[Get]:
    """Asks a server for a path: status, content type and text."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    app = Starlette(routes=routes(station, metrics))
    server = Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert started.wait(10)
    port = server.servers[0].sockets[0].getsockname()[1]

    def ask(path: str) -> tuple[int, str, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers["Content-Type"], refused.read().decode()

    yield ask
    server.should_exit = True
    thread.join(5)


def test_metrics_are_served_in_prometheus_own_format(get: Get) -> None:
    status, content_type, text = get("/metrics")
    assert status == 200
    assert content_type.startswith("text/plain; version=")
    assert "nand_edge_station_state" in {family.name for family in text_string_to_metric_families(text)}


def test_a_process_that_lives_says_so_whatever_its_state(get: Get, station: Any) -> None:
    station.change(StationState.STOPPED)
    assert get("/healthz")[0] == 200


def test_a_running_station_is_ready(get: Get) -> None:
    status, _, text = get("/readyz")
    assert (status, json.loads(text)["ready"]) == (200, True)


@pytest.mark.parametrize("state", [StationState.STARTING, StationState.PAUSED, StationState.STOPPED])
def test_one_that_does_not_inspect_is_not_ready_and_says_why(get: Get, station: Any, state: StationState) -> None:
    station.change(state, "by anna")
    status, _, text = get("/readyz")
    assert status == 503
    assert json.loads(text) == {"ready": False, "state": state.value, "why": f"the station is {state.value}: by anna"}


def test_a_degraded_station_is_ready_while_it_inspects(get: Get, station: Any) -> None:
    station.change(StationState.DEGRADED, "camera side is reconnecting")
    status, _, text = get("/readyz")
    assert (status, json.loads(text)["why"]) == (200, "camera side is reconnecting")


@pytest.mark.parametrize(
    ("part", "why"), [("engine", "the engine is reconnecting"), ("camera", "no camera runs: something is down")]
)
def test_a_degraded_station_without_engine_or_cameras_is_not(get: Get, station: Any, part: str, why: str) -> None:
    station.change(StationState.DEGRADED, "something is down", **{part: PartState.RECONNECTING})
    status, _, text = get("/readyz")
    assert (status, json.loads(text)["why"]) == (503, why)
