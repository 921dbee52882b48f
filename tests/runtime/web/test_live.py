"""What browsers are shown: once for all of them, the newest alone, and nothing while nobody looks."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from pace import within
from web.live_page import Visitor, wait_until

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.station.hub import PartChanged
from nand_edge_runtime.station.states import PartState
from nand_edge_runtime.station.station import Station
from nand_edge_runtime.web import WebServer, WebSettings
from nand_edge_runtime.web import live as live_module
from nand_edge_runtime.web.live import Viewer

pytestmark = pytest.mark.station

Serve = Callable[..., WebServer]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - settings are made of it, and nothing listens there


def test_a_viewer_is_shown_the_station_its_frames_and_its_rates(visitors: dict[str, Visitor]) -> None:
    told: dict[str, dict[str, object]] = {}
    with visitors["vera"].messages() as messages:
        for kind, data in messages:
            told[kind] = json.loads(data)
            if {"status", "frame", "rates"} <= told.keys():
                break
    assert told["status"]["state"] == "running"
    record, pictures = told["frame"]["record"], told["frame"]["pictures"]
    assert isinstance(record, dict)
    assert isinstance(pictures, dict)
    assert record["camera"] == "top"
    assert set(pictures) == {"frame", "base", "suppression", "final"}
    content = base64.b64decode(pictures["final"].removeprefix("data:image/jpeg;base64,"))
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == (240, 320, 3)


def test_who_wants_no_pictures_gets_none(visitors: dict[str, Visitor]) -> None:
    with visitors["vera"].messages(pictures="no") as messages:
        kinds = [next(messages)[0] for _ in range(4)]
    assert "frame" not in kinds


def test_pictures_are_made_once_for_all_and_only_while_somebody_looks(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    draw = live_module.live_panels
    monkeypatch.setattr(live_module, "live_panels", lambda decided: made.append(decided.record.key) or draw(decided))
    server = serve(pictures_per_second=10)
    time.sleep(0.5)
    assert made == []
    viewers = [Visitor(server.url).sign_in("vera") for _ in range(3)]
    began = time.monotonic()
    with ThreadPoolExecutor(len(viewers)) as looking:
        seen = list(looking.map(lambda viewer: _look(viewer, pictures=3), viewers))
    wait_until(lambda: server.viewers == 0, "the viewers' leave")
    time.sleep(0.2)
    before, took = len(made), time.monotonic() - began
    assert [len(pictures) for pictures in seen] == [3, 3, 3]
    assert len(set(made)) == len(made) <= 10 * took + len(viewers)
    time.sleep(0.3)
    assert len(made) == before
    for viewer in viewers:
        viewer.close()


def _look(viewer: Visitor, *, pictures: int) -> list[str]:
    """The final maps that a browser is shown, as many as that."""
    seen: list[str] = []
    with viewer.messages() as messages:
        for kind, data in messages:
            if kind == "frame":
                seen.append(json.loads(data)["pictures"]["final"])
            if len(seen) == pictures:
                break
    return seen


def test_a_browser_too_many_is_told_so(serve: Serve) -> None:
    server = serve(viewers=1)
    first, second = Visitor(server.url).sign_in("vera"), Visitor(server.url).sign_in("otto")
    with first.messages() as messages:
        next(messages)
        refused = second.get("/api/live")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "10"
    first.close()
    second.close()


def test_slow_browsers_miss_pictures_and_hold_nobody_up(serve: Serve) -> None:
    server = serve(pictures_per_second=30)
    visitor = Visitor(server.url).sign_in("vera")
    port = int(server.url.rpartition(":")[2].strip("/"))
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.client.cookies.items())
    request = f"GET /api/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
    slow = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(request)
        slow.append(connection)
    wait_until(lambda: server.viewers == 20, "the slow viewers")
    with visitor.messages() as messages:
        seen = set()
        until = time.monotonic() + 2
        for kind, data in messages:
            if kind == "frame":
                seen.add(json.loads(data)["record"]["number"])
            if time.monotonic() > until:
                break
    assert len(seen) >= 4
    for connection in slow:
        connection.close()
    visitor.close()


def test_a_viewer_that_does_not_come_back_for_them_keeps_the_newest_of_each_topic() -> None:
    async def look() -> list[bytes | None]:
        viewer = Viewer(pictures=True)
        for number in range(1000):
            viewer.put("frame top", b"frame %d" % number)
            viewer.put("status", b"status %d" % number)
        first, second = await viewer.next(1), await viewer.next(1)
        nothing = await viewer.next(0.01)
        viewer.end()
        return [first, second, nothing, await viewer.next(1)]

    assert asyncio.run(look()) == [b"frame 999", b"status 999", b"", None]


def test_the_stream_ends_for_who_signed_out(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nand_edge_runtime.web.station_routes._QUIET_S", 0.2)
    server = serve()
    visitor, other = Visitor(server.url).sign_in("vera"), Visitor(server.url)
    other.client.cookies = visitor.client.cookies
    other.token = visitor.token
    with visitor.messages(pictures="no") as messages:
        next(messages)
        other.post("/api/sign-out")
        kinds = [kind for kind, _ in messages]
    assert kinds[-1] == "signed-out"
    visitor.close()


def test_it_stops_at_once_though_browsers_look(serve: Serve) -> None:
    server = serve()
    visitor = Visitor(server.url).sign_in("vera")
    with visitor.messages() as messages:
        next(messages)
        with within(0.5):
            server.stop()
    with pytest.raises(OSError, match=r"."):
        socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2].strip("/"))), timeout=1).close()
    visitor.close()


def test_a_port_in_use_is_said_in_a_sentence(serve: Serve, station: Station) -> None:
    port = int(serve().url.rpartition(":")[2].strip("/"))
    second = WebServer(WebSettings(port=port), station, station.history)
    with pytest.raises(NandEdgeError, match=f"live page at 127.0.0.1, port {port}: found address already in use"):
        second.start()
    second.stop()


def test_it_comes_back_by_itself(serve: Serve, station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nand_edge_runtime.web.server._AGAIN_S", 0.1)
    told: list[PartState] = []
    station.hub.listen(
        listener := lambda event: (
            told.append(event.status.state) if isinstance(event, PartChanged) and event.status.name == "page" else None
        )
    )
    server = serve()
    visitor = Visitor(server.url)
    assert server._server is not None
    server._server.should_exit = True  # as if its loop had ended by a fault
    wait_until(lambda: PartState.RECONNECTING in told, "the page's end")
    wait_until(lambda: _answers(visitor), "the page's return")
    wait_until(lambda: told[-1] is PartState.RUNNING, "that it is said")
    station.hub.forget(listener)
    visitor.close()


def _answers(visitor: Visitor) -> bool:
    try:
        return visitor.get("/api/me").status_code == 200
    except OSError:
        return False
    except Exception as error:
        if "Error" in type(error).__name__:
            return False
        raise


def test_with_a_certificate_it_speaks_tls_and_the_cookie_stays_within(serve: Serve, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    server = serve(tls_certificate=certificate, tls_key=key)
    assert server.url.startswith("https://")
    visitor = Visitor(server.url)
    answer = visitor.post("/api/sign-in", {"name": "anna", "password": "nobody guesses this one"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    visitor.close()


def test_a_certificate_that_cannot_be_used_is_said(station: Station, tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_text("nothing")
    settings = WebSettings(port=0, tls_certificate=tmp_path / "both.pem", tls_key=tmp_path / "none.pem")
    with pytest.raises(NandEdgeError, match="live page's certificate"):
        WebServer(settings, station, station.history).start()


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "page.pem", folder / "page.key"
    try:
        subprocess.run(
            [  # noqa: S607 - whichever this machine has
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost", "-days", "2",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate with")
    assert ssl.OPENSSL_VERSION
    return certificate, key


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": EVERYWHERE}, "without TLS"),
        ({"tls_key": "key.pem"}, "both or none"),
        ({"host": "a b"}, "no address"),
        ({"trusted_proxies": ["anybody"]}, "an address such as"),
        ({"prot": 80}, "Extra inputs"),
    ],
)
def test_settings_that_would_put_passwords_at_risk_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WebSettings.model_validate(given)


def test_other_machines_may_come_where_it_is_said_that_nobody_listens() -> None:
    assert not WebSettings(host=EVERYWHERE, plain_http=True).is_local
    assert WebSettings(host="::1").is_local
    assert WebSettings(host="localhost").is_local
