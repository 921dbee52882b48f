"""Maps of rolls: begun and ended, kept over a kill, of bounded size, and of no cost to the verdict's path."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.line_scan import RollBook, TileMaker
from nand_edge_runtime.line_scan.roll_book import roll_files
from nand_edge_runtime.line_scan.roll_file import Roll, read_header, read_roll
from nand_edge_runtime.station.hub import Decided, Hub, PartChanged
from nand_edge_runtime.station.states import PartState

RunWeb = Callable[[NDArray[np.uint8]], list[Decided]]
Until = Callable[[Callable[[], bool]], None]


def spots(lines: int, count: int) -> NDArray[np.uint8]:
    """A web with so many spots."""
    web = np.zeros((lines, 50), np.uint8)
    web[5 :: lines // count, 20:24] = 255
    return web


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def run_web(line_scan: Any, line: Any, blocks: Any, hub: Hub) -> RunWeb:
    """Lets a web run under a camera, and tells the verdicts of its tiles."""

    def run(web: NDArray[np.uint8]) -> list[Decided]:
        maker = TileMaker(line_scan(), camera="web")
        tiles = [tile for block in blocks(web) for tile in maker.push(block)] + maker.flush()
        judge = line().judged
        verdicts = [judge(tile) for tile in tiles]
        for decided in verdicts:
            hub.publish(decided)
        return verdicts

    return run


def rolls(folder: Path) -> list[Roll]:
    return sorted((read_roll(path) for path in roll_files(folder)), key=lambda roll: roll.header.began)


@pytest.fixture
def book(line_scan: Any, hub: Hub, tmp_path: Path) -> Iterator[RollBook]:
    opened = RollBook({"web": line_scan()}, tmp_path, hub)
    opened.start()
    yield opened
    opened.stop()


def test_a_roll_begins_by_itself_and_ends_with_the_station(run_web: RunWeb, book: RollBook, tmp_path: Path) -> None:
    assert book.current("web") is None
    verdicts = run_web(spots(1000, 10))
    book.stop()
    (roll,) = rolls(tmp_path)
    assert roll.totals.tiles == len(verdicts)
    assert roll.totals.length_mm == 1000
    assert len(roll.regions) == roll.totals.regions == 10
    assert roll.header.ended is not None
    assert {file.name for file in (tmp_path / "rolls" / "web").iterdir()} == {roll_files(tmp_path)[0].name}


def test_rolls_are_begun_by_name(run_web: RunWeb, book: RollBook, tmp_path: Path) -> None:
    for name, count in (("4711", 3), ("4712", 5)):
        book.begin_roll("web", name)
        run_web(spots(500, count))
    assert book.current("web") == "4712"
    book.end_roll("web")
    assert book.current("web") is None
    run_web(spots(500, 2))
    book.stop()
    found = rolls(tmp_path)
    assert [roll.totals.regions for roll in found] == [3, 5, 2]
    assert [roll.header.name for roll in found[:2]] == ["4711", "4712"]


def test_an_empty_roll_leaves_nothing(book: RollBook, tmp_path: Path) -> None:
    book.begin_roll("web", "first")
    book.begin_roll("web", "second")
    book.end_roll("web")
    assert roll_files(tmp_path) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb"])
def test_names_that_cannot_be_printed_are_refused(book: RollBook, name: str) -> None:
    with pytest.raises(NandEdgeError, match="printable"):
        book.begin_roll("web", name)


def test_an_unknown_camera_is_refused(book: RollBook) -> None:
    with pytest.raises(NandEdgeError, match="one of web"):
        book.begin_roll("../web", "roll")


def test_the_map_can_be_read_while_the_roll_runs(run_web: RunWeb, book: RollBook, tmp_path: Path, until: Until) -> None:
    book.begin_roll("web", "now")
    run_web(spots(1000, 10))
    until(lambda: rolls(tmp_path)[0].totals.regions == 10)
    assert rolls(tmp_path)[0].header.ended is None


_CHILD = """
import sys, time
import numpy as np
from pathlib import Path
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.line_scan import LineScanSettings, RollBook, TilePlace
from nand_edge_runtime.line_scan.place import Side, Span
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided, Hub
from nand_edge_runtime.station.records import inspected

settings = LineScanSettings(millimetres_per_line=1, millimetres_per_column=1)
hub = Hub()
book = RollBook({"web": settings}, Path(sys.argv[1]), hub)
book.start()
final = np.zeros((256, 256), np.float32)
final[100:104, 7:9] = 1
for number in range(1_000_000):
    lines = Span(384 * number, 384 * number + 512)
    place = TilePlace(Side(lines, Span(lines.start + 32, lines.stop - 32), Span(lines.start + 64, lines.stop - 64)),
                      Side(Span(0, 256), Span(0, 256), Span(0, 256)))
    name = place.name("web")
    frame = CameraFrame(FrameKey("run", "web", number), np.zeros((1, 1, 3), np.uint8), name, 0.0, 0.0)
    inspection = Inspection(name, number, 0.0, 1.0, 1.0, 0.5, Verdict.REJECT, True, (), {}, "", final, final, final)
    hub.publish(Decided(inspected(frame, inspection, normalities_sha256="", latency_ms={}), frame.image, inspection))
    print(number, flush=True)
    time.sleep(0.002)
"""


def test_a_kill_costs_no_more_than_the_last_moment(line_scan: Any, hub: Hub, tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", _CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    started, told = time.monotonic(), 0
    for text in child.stdout:
        told = int(text)
        if told >= 50 and time.monotonic() - started > 2.5:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.wait(5)
    child.stdout.close()
    (roll,) = rolls(tmp_path)
    assert roll.header.ended is None
    assert 0 < len(roll.regions) == roll.totals.regions == roll.totals.tiles <= told + 1
    opened = RollBook({"web": line_scan()}, tmp_path, hub)
    opened.start()
    opened.stop()
    (closed,) = rolls(tmp_path)
    assert closed.header.ended == roll.header.changed
    assert closed.regions == roll.regions


def test_the_oldest_rolls_are_removed(run_web: RunWeb, line_scan: Any, hub: Hub, tmp_path: Path) -> None:
    settings = line_scan(rolls_kept=3)
    opened = RollBook({"web": settings}, tmp_path, hub)
    opened.start()
    for number in range(6):
        opened.begin_roll("web", f"roll {number}")
        run_web(spots(100, 1))
    opened.stop()
    kept = rolls(tmp_path)
    assert len(kept) == 3


def test_rolls_take_no_more_than_they_may(run_web: RunWeb, line_scan: Any, hub: Hub, tmp_path: Path) -> None:
    settings = line_scan(rolls_megabytes=1)
    opened = RollBook({"web": settings}, tmp_path, hub)
    opened.start()
    for _ in range(3):
        opened.begin_roll("web", "roll")
        run_web(spots(4000, 1000))
        opened.end_roll("web")
        path = roll_files(tmp_path)[-1]
        with sqlite3.connect(path) as connection:
            connection.execute("create table weight (content blob)")
            connection.execute("insert into weight values (zeroblob(800000))")
        connection.close()
    opened.begin_roll("web", "last")
    assert sum(path.stat().st_size for path in roll_files(tmp_path)) < 2 << 20
    opened.stop()


def test_a_slow_map_costs_its_own_entries_and_says_so(run_web: RunWeb, book: RollBook, tmp_path: Path) -> None:
    with book._rolls_lock:
        started = time.monotonic()
        verdicts = run_web(spots(12_000, 300))
        published = time.monotonic() - started
    book.stop()
    (roll,) = rolls(tmp_path)
    assert published < 10
    assert book.dropped > 0
    assert roll.totals.tiles == roll.totals.rejected == len(verdicts)
    assert roll.totals.untold == book.dropped
    (stretch,) = roll.stretches
    assert (stretch.reason, stretch.tiles) == ("not on this map", book.dropped)


def test_a_state_folder_that_takes_nothing_costs_the_map_alone(
    run_web: RunWeb, line_scan: Any, hub: Hub, tmp_path: Path, until: Until
) -> None:
    """The map is away while a file stands in its place, and comes back by itself."""
    in_the_way = tmp_path / "rolls"
    in_the_way.write_text("no folder")
    changes = hub.subscribe(PartChanged)
    opened = RollBook({"web": line_scan()}, tmp_path, hub)
    opened.start()
    with pytest.raises(NandEdgeError, match="cannot be made"):
        opened.begin_roll("web", "roll")
    run_web(spots(100, 1))
    until(lambda: opened.status().state is PartState.FAILED)
    assert isinstance(changed := changes.get(1), PartChanged)
    assert "no map of camera 'web'" in changed.status.why
    in_the_way.unlink()
    run_web(spots(100, 1))
    until(lambda: opened.status().state is PartState.RUNNING)
    opened.stop()
    assert len(rolls(tmp_path)) == 1


def test_a_damaged_file_is_no_obstacle(run_web: RunWeb, line_scan: Any, hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "rolls" / "web"
    folder.mkdir(parents=True)
    (folder / "20200101T000000-abcdef.sqlite").write_bytes(b"no database at all" * 100)
    opened = RollBook({"web": line_scan()}, tmp_path, hub)
    opened.start()
    run_web(spots(100, 1))
    opened.stop()
    with pytest.raises(NandEdgeError, match="cannot be read"):
        read_header(roll_files(tmp_path)[0])
    assert read_roll(roll_files(tmp_path)[1]).totals.regions == 1


def test_a_cameras_name_never_leads_out_of_the_folder(line_scan: Any, hub: Hub, tmp_path: Path) -> None:
    opened = RollBook({"../../web": line_scan()}, tmp_path / "state", hub)
    opened.begin_roll("../../web", "roll")
    assert [path.parent.parent for path in roll_files(tmp_path / "state")] == [tmp_path / "state" / "rolls"]
    assert len(roll_files(tmp_path / "state", "../../web")) == 1
