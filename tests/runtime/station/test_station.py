"""The whole station: cameras, engine, gate, history and page as they run on a line, in a process where that matters."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("starlette")

from toy_bundle import Spot, write_toy_bundle

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import Query
from nand_edge_runtime.history.opening import OpenedHistory
from nand_edge_runtime.station.control import InForce
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import FrameRecord, Reason
from nand_edge_runtime.station.settings import validated
from nand_edge_runtime.station.states import StationState
from nand_edge_runtime.station.station import Station

pytestmark = pytest.mark.station

_PATIENCE_S = 60.0
NAND_EDGE = [sys.executable, "-m", "nand_edge.command_line"]

Open = Callable[..., Station]


@pytest.fixture
def cells(tmp_path: Path, spot: Spot) -> Path:
    """Three frames: one dark all over, one with a bright spot, which the words take out, and one with a grey one."""
    folder = tmp_path / "cells"
    folder.mkdir()
    for name, inside in (("a-good", 40), ("b-bright", 250), ("c-grey", 100)):
        cv2.imwrite(str(folder / f"{name}.png"), spot(inside=inside))
    return folder


@pytest.fixture
def opened(tmp_path: Path, toy_bundle: Path) -> Iterator[Open]:
    """Starts stations without a page, and stops them."""
    stations: list[Station] = []

    def start(*, camera: dict[str, Any], **more: Any) -> Station:
        camera = {"name": "top", "deadline_ms": 30_000, **camera}
        document = {
            "bundle": str(toy_bundle), "state_folder": str(tmp_path / "state"), "camera": [camera],
            "engine": {"target": "onnx", "threads": 1}, "web": {"enabled": False}, "threshold": 0.3, **more,
        }  # fmt: skip
        stations.append(Station(validated(document, what="settings", folder=tmp_path)))
        stations[-1].start()
        return stations[-1]

    yield start
    for station in stations:
        station.stop()


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def on_record(state_folder: Path) -> list[FrameRecord]:
    """What the history has; nothing while there is none yet."""
    try:
        return OpenedHistory(state_folder).find(Query(limit=10_000))
    except NandEdgeError:
        return []


def test_every_frame_of_a_folder_gets_its_verdict_and_is_on_record(opened: Open, cells: Path, tmp_path: Path) -> None:
    station = opened(camera={"source": str(cells)})
    until(station.finished)
    station.stop()
    records = {Path(record.name).stem: record for record in on_record(tmp_path / "state")}
    assert {name: record.verdict for name, record in records.items()} == {
        "a-good": Verdict.PASS, "b-bright": Verdict.PASS, "c-grey": Verdict.REJECT,
    }  # fmt: skip
    assert records["b-bright"].suppressed
    assert {record.reason for record in records.values()} == {Reason.INSPECTED}


def test_words_that_are_switched_off_hold_from_the_next_frame_on(opened: Open, cells: Path) -> None:
    station = opened(camera={"source": str(cells), "loop": True, "frames_per_second": 50})
    decided: list[FrameRecord] = []
    station.hub.listen(lambda event: decided.append(event.record) if isinstance(event, Decided) else None)
    until(lambda: len(decided) > 5)
    station.put_in_force(InForce((), station.status().in_force.threshold), who="anna")
    # The frame that is in the engine at this moment may still be judged by the words.
    changed = len(decided) + 2
    until(lambda: len(decided) > changed + 9)
    assert all(record.normalities == ("bright",) for record in decided[:5])
    later = decided[changed:]
    assert all(record.normalities == () for record in later)
    assert {record.verdict for record in later if "b-bright" in record.name} == {Verdict.REJECT}
    assert station.history.flushed(10)
    assert [changed.who for changed in station.history.audits()] == ["anna"]


def test_what_was_put_in_force_is_in_force_again_after_the_station_was_away(opened: Open, cells: Path) -> None:
    camera = {"source": str(cells)}
    first = opened(camera=camera)
    first.put_in_force(InForce((), 0.9), who="anna")
    first.stop()
    assert opened(camera=camera).status().in_force == InForce((), 0.9)
    with pytest.raises(NandEdgeError, match="another station that uses it"):
        opened(camera=camera)


def test_a_rehearsal_tells_what_a_change_would_have_done_and_changes_nothing(opened: Open, cells: Path) -> None:
    station = opened(camera={"source": str(cells)})
    until(station.finished)
    rehearsal = station.rehearse(InForce((), station.status().in_force.threshold), frames=10)
    assert len(rehearsal.frames) == 3
    (changed,) = rehearsal.changed
    assert (changed.now, changed.proposed) == (Verdict.PASS, Verdict.REJECT)
    assert station.status().in_force.normalities == ("bright",)


def test_a_paused_station_rejects_and_goes_on_when_it_is_resumed(opened: Open, cells: Path) -> None:
    station = opened(camera={"source": str(cells), "loop": True, "frames_per_second": 50})
    station.pause(who="anna")
    assert station.status().state is StationState.PAUSED
    until(lambda: station.status().counts.get(Reason.PAUSED.value, 0) > 3)
    station.resume(who="anna")
    before = station.status().counts["pass"]
    until(lambda: station.status().counts["pass"] > before)


def test_a_bundle_that_is_swapped_under_a_running_station_changes_nothing_but_is_said(
    opened: Open, cells: Path, tmp_path: Path
) -> None:
    bundle = write_toy_bundle(tmp_path / "line.nand")
    station = opened(camera={"source": str(cells), "loop": True, "frames_per_second": 50}, bundle=str(bundle))
    until(lambda: station.status().state is StationState.RUNNING)
    shutil.rmtree(bundle)
    write_toy_bundle(bundle, base_gain=0.0)
    until(lambda: station.status().state is StationState.DEGRADED)
    assert "goes on with its own copy" in station.status().why
    latest = station.latest("top")
    assert latest is not None
    frames = station.status().counts["frames"]
    until(lambda: station.status().counts["frames"] > frames + 3)
    assert station.status().counts["reject"] > 0, "the detector that finds nothing is not in use"


def test_an_image_of_four_gigapixels_in_a_hot_folder_is_a_reject_and_the_line_goes_on(
    opened: Open, tmp_path: Path, spot: Spot
) -> None:
    folder = tmp_path / "hot"
    folder.mkdir()
    station = opened(camera={"source": str(folder), "kind": "hot-folder", "give_up_s": 0.2, "settle_s": 0.05})
    (folder / "huge.png").write_bytes(png_header(65_536, 65_536))
    until(lambda: station.status().counts.get(Reason.FRAME_REFUSED.value, 0) == 1)
    cv2.imwrite(str(folder / "good.png"), spot(inside=40))
    until(lambda: station.status().counts["pass"] == 1)
    assert station.history.flushed(10)
    huge = station.history.get(FrameKey(station.run, "top", 0))
    assert huge is not None
    assert (huge.verdict, huge.reason) == (Verdict.REJECT, Reason.FRAME_REFUSED)
    assert "65536 x 65536" in huge.detail


def png_header(width: int, height: int) -> bytes:
    """The beginning and end of a PNG of this size, without its pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))

    header = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_the_blocks_of_a_line_scan_camera_become_tiles_whose_regions_are_on_the_map_of_the_roll(
    opened: Open, tmp_path: Path
) -> None:
    web = np.full((64 * 6, 96, 3), 40, np.uint8)
    web[150:175, 30:60] = 100
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    for number, start in enumerate(range(0, len(web), 32)):
        cv2.imwrite(str(blocks / f"{number:03}.png"), web[start : start + 32])
    line_scan = {
        "tile_height": 96, "overlap": 32, "context": 8, "stride": 16, "batch": 2,
        "millimetres_per_line": 0.5, "millimetres_per_column": 0.5,
    }  # fmt: skip
    station = opened(camera={"source": str(blocks), "line_scan": line_scan})
    station.begin_roll("top", "roll 7", who="anna")
    until(station.finished)
    station.stop()
    report = tmp_path / "roll.json"
    done = nand_edge("roll-report", str(tmp_path / "state"), "--roll", "roll 7", "-o", str(report))
    assert done.returncode == 0, done.stderr
    regions = json.loads(report.read_text(encoding="utf-8"))["regions"]
    assert len(regions) == 1, regions
    (region,) = regions
    assert region["box"]["along_from"] == pytest.approx(75, abs=3)
    assert region["box"]["along_to"] == pytest.approx(87.5, abs=3)


def test_a_station_without_line_scan_camera_has_no_rolls(opened: Open, cells: Path) -> None:
    with pytest.raises(NandEdgeError, match="no line-scan camera"):
        opened(camera={"source": str(cells)}).begin_roll("top", "roll 7", who="anna")


def nand_edge(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NAND_EDGE, *arguments], capture_output=True, text=True, check=False, timeout=_PATIENCE_S)


@pytest.fixture
def settings_file(tmp_path: Path, toy_bundle: Path, cells: Path) -> Path:
    path = tmp_path / "line.toml"
    path.write_text(
        f'bundle = "{toy_bundle}"\nstate_folder = "state"\n[engine]\ntarget = "onnx"\nthreads = 1\n'
        f'[[camera]]\nname = "top"\nsource = "{cells}"\nloop = true\nframes_per_second = 50\ndeadline_ms = 2000\n'
        "[web]\nport = 0\n",
        encoding="utf-8",
    )
    return path


def test_serve_stops_at_sigterm_with_every_frame_on_record(settings_file: Path, tmp_path: Path) -> None:
    serve = [*NAND_EDGE, "serve", str(settings_file), "--json"]
    process = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: len(on_record(tmp_path / "state")) > 20)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=_PATIENCE_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    counts = json.loads(output)
    assert counts["frames"] == counts["pass"] + counts["reject"]
    records = on_record(tmp_path / "state")
    assert len(records) == len({record.key for record in records}) == counts["frames"]
    assert "live page: http://127.0.0.1:" in errors


def test_check_says_what_a_station_would_be_without_starting_it(settings_file: Path, tmp_path: Path) -> None:
    done = nand_edge("serve", str(settings_file), "--check", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["cameras"], found["normalities"]) == (["top"], ["bright"])
    assert not (tmp_path / "state").exists()


def test_a_port_in_use_is_said_in_one_sentence(settings_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = settings_file.read_text(encoding="utf-8").replace("port = 0", f"port = {port}")
        settings_file.write_text(text, encoding="utf-8")
        done = nand_edge("serve", str(settings_file))
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bundle_and_a_folder_are_a_station_of_their_own(toy_bundle: Path, cells: Path, tmp_path: Path) -> None:
    state = tmp_path / "own.state"
    arguments = ["serve", str(toy_bundle), str(cells), "--port", "0", "--state-folder", str(state)]
    done = nand_edge(*arguments, "--exit-when-finished", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 3
    assert len(on_record(state)) == 3
