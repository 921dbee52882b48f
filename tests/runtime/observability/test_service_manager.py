"""The station tells the service manager over a real socket of systemd's kind."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nand_edge_runtime.observability import ServiceManager

pytestmark = [
    pytest.mark.station,
    pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="systemd's socket is there on Linux only"),
]


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """What systemd is to a service: a datagram socket, and its path."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(2)
        yield manager, path


def test_it_says_that_it_is_ready_that_it_lives_and_that_it_stops(listening: tuple[socket.socket, str]) -> None:
    manager, path = listening
    station = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())})
    station.ready()
    station.beat()
    station.status("degraded:\ncamera top is reconnecting")
    station.stopping()
    messages = [manager.recv(4096).decode() for _ in range(4)]
    assert messages[0].splitlines() == ["READY=1", f"MAINPID={os.getpid()}"]
    assert messages[1:] == ["WATCHDOG=1", "STATUS=degraded: camera top is reconnecting", "STOPPING=1"]


def test_many_turns_are_few_signs_of_life(listening: tuple[socket.socket, str]) -> None:
    manager, path = listening
    station = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "60000000"})
    assert station.watchdog_s == 15
    threads = [threading.Thread(target=lambda: [station.beat() for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.recv(4096) == b"WATCHDOG=1"
    manager.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


def test_signs_of_life_come_again_after_a_while(listening: tuple[socket.socket, str]) -> None:
    manager, path = listening
    station = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "4"})
    station.beat()
    station.beat()
    assert [manager.recv(4096) for _ in range(2)] == [b"WATCHDOG=1"] * 2


@pytest.mark.parametrize(
    "watchdog",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}],
)
def test_nobody_who_does_not_wait_is_told(listening: tuple[socket.socket, str], watchdog: dict[str, str]) -> None:
    manager, path = listening
    ServiceManager({"NOTIFY_SOCKET": path, **watchdog}).beat()
    manager.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.recv(4096)


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux's")
def test_a_socket_without_a_file_is_told_too() -> None:
    name = f"nand-edge-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        manager.settimeout(2)
        ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).stopping()
        assert manager.recv(4096) == b"STOPPING=1"


def test_without_a_service_manager_nothing_happens() -> None:
    station = ServiceManager({})
    station.ready()
    station.beat()
    station.stopping()
    assert not station.listens


def test_one_that_is_gone_or_does_not_read_stops_nothing(tmp_path: Path, listening: tuple[socket.socket, str]) -> None:
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nobody"), "WATCHDOG_USEC": "1"}).beat()
    _, path = listening
    station = ServiceManager({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1"})
    for _ in range(2000):  # far more than its queue takes
        station.beat()
