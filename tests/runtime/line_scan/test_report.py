"""The report of a roll: a page, paper and JSON, of a short roll and of a very long one."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.commands.roll_report import roll_report
from nand_edge_runtime.history.picture_files import PictureFiles
from nand_edge_runtime.line_scan import LineScanSettings, RollBook, TileMaker
from nand_edge_runtime.line_scan.region import Box, Region, Stretch, Totals
from nand_edge_runtime.line_scan.report import find_roll, write_report
from nand_edge_runtime.line_scan.report.layout import WIDTH, Layout
from nand_edge_runtime.line_scan.roll_file import Header, RollFile
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Hub
from nand_edge_runtime.station.records import Reason

Report = Callable[..., str]


@pytest.fixture(scope="module")
def state_folder(line_scan: Any, line: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A station's, after a roll of 2 m with three regions, one of them taken out, pictures, and a late tile."""
    folder = tmp_path_factory.mktemp("state")
    settings: LineScanSettings = line_scan()
    hub = Hub()
    book = RollBook({"web": settings}, folder, hub)
    book.start()
    book.begin_roll("web", "Fleece <4711> & Söhne")
    web = np.full((2000, 300), 30, np.uint8)
    web[300:310, 40:60] = 180
    web[795:845, 200:204] = 150
    web[1500:1530, 100:130] = 255
    on_the_line = line(suppression=lambda base: (base > 0.9).astype(np.float32), normalities=("white fleck",))
    files = PictureFiles(folder / "history" / "pictures")
    maker = TileMaker(settings, camera="web")
    for tile in maker.push(Taken(web, "", 0.0, 1_700_000_000.0)) + maker.flush():
        decided = on_the_line.judged(tile)
        if decided.record.key.number == 30:
            decided = on_the_line.rejected(on_the_line.frame(tile), Reason.DEADLINE, "waited too long")
        hub.publish(decided)
        encoded = cv2.imencode(".jpg", tile.image)[1].tobytes()
        files.write(files.place(decided.record.key, decided.record.timestamp, ".jpg"), encoded)
    book.stop()
    return folder


@pytest.fixture
def report(state_folder: Path, tmp_path: Path) -> Report:
    """Writes a report and gives its text."""

    def write(suffix: str = ".html", *, most: int = 1000) -> str:
        output = tmp_path / f"roll{suffix}"
        write_report(find_roll(state_folder), output, state_folder=state_folder, most=most)
        return output.read_text(encoding="utf-8")

    return write


def test_the_page_says_what_was_found(report: Report) -> None:
    page = report()
    assert "Fleece &lt;4711&gt; &amp; Söhne" in page
    assert "2.000 m" in page
    assert "0.305 m" in page, "where the first region's middle lies"
    assert "white fleck" in page
    assert "no verdict by the deadline" in page
    assert page.count("data:image/jpeg;base64,") == 2, "pictures of the regions that are left"
    assert "http" not in page.replace("http://www.w3.org", ""), "it needs nothing from elsewhere"
    assert "<script" not in page


def test_the_map_shows_regions_and_what_was_not_inspected(report: Report) -> None:
    page = report()
    paths = re.findall(r'<path d="([^"]+)" fill="([^"]+)"', page)
    fills = [fill for _, fill in paths]
    assert "url(#hatch)" in fills
    assert "#2b6cb0" in fills, "taken out by a normality"
    assert all(re.fullmatch(r"(M[\d.]+ [\d.]+h[\d.]+v[\d.]+h-[\d.]+z)+", data) for data, _ in paths)


def test_json_has_all(report: Report) -> None:
    document = json.loads(report(".json", most=1))
    assert document["totals"]["regions"] == len(document["regions"]) == 2
    first, long = document["regions"]
    assert first["box"] == {"along_from": 300, "along_to": 310, "across_from": 40, "across_to": 60}
    assert long["parts"] > 1
    assert long["area_mm2"] == 200
    assert long["frames"][0]["camera"] == "web"
    (suppressed,) = document["suppressed"]
    assert suppressed["normalities"] == ["white fleck"]
    (stretch,) = document["not_inspected"]
    assert stretch["reason"] == "no verdict by the deadline"
    assert document["roll"]["settings"]["tile_height"] == 64


def test_lists_end_somewhere_and_say_so(report: Report) -> None:
    page = report(most=1)
    assert "1 of 2 regions" in page
    assert page.count("<td>0.305 m") + page.count("<td>0.820 m") == 1


def test_the_paper(state_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("fpdf", reason="fpdf2 is not installed")
    write_report(find_roll(state_folder), tmp_path / "roll.pdf", state_folder=state_folder, most=1000)
    content = (tmp_path / "roll.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert content.count(b"/Subtype /Image") == 2


def test_the_command(state_folder: Path, tmp_path: Path) -> None:
    command = typer.Typer()
    command.command()(roll_report)
    output = tmp_path / "roll.html"
    done = CliRunner().invoke(command, [str(state_folder), "--camera", "web", "-o", str(output), "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert (printed["roll"], printed["regions"], printed["suppressed"]) == ("Fleece <4711> & Söhne", 2, 1)
    assert output.exists()


def test_what_is_not_there_is_said(state_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="no roll of that name, needed one of 1, such as 'Fleece"):
        find_roll(state_folder, roll="4712")
    with pytest.raises(NandEdgeError, match="found none"):
        find_roll(tmp_path)
    with pytest.raises(NandEdgeError, match="found none"):
        find_roll(state_folder, camera="../web")
    with pytest.raises(NandEdgeError, match=r"one of \.html, \.pdf, \.json"):
        write_report(find_roll(state_folder), tmp_path / "roll.docx", state_folder=state_folder, most=1)


def test_a_roll_is_found_by_the_name_of_its_file_too(state_folder: Path) -> None:
    path = find_roll(state_folder)
    assert find_roll(state_folder, camera="web", roll=path.stem) == path


def test_of_several_cameras_one_is_asked_for(tmp_path: Path) -> None:
    for camera in ("left", "right"):
        path = tmp_path / "rolls" / camera / "20260101T000000-ab.sqlite"
        RollFile(path, Header(camera, "roll", 0.0, 0.0, None, {})).end(1.0)
    with pytest.raises(NandEdgeError, match="left, right, needed one camera"):
        find_roll(tmp_path)
    assert find_roll(tmp_path, camera="right").parent.name == "right"


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table roll (schema integer)")
    connection.close()
    with pytest.raises(NandEdgeError, match="cannot be read"):
        write_report(path, tmp_path / "roll.html", state_folder=tmp_path, most=1)


def test_ten_kilometres_with_twenty_thousand_regions(tmp_path: Path) -> None:
    """Written, read and drawn within seconds."""
    rng, path, key = np.random.default_rng(0), tmp_path / "long.sqlite", FrameKey("run", "web", 1)
    regions = [
        Region(
            number, number % 10 == 0, box, along + 2, across + 2, 20.0,
            float(rng.uniform(0.5, 1.0)), 1.0, 0.5, (), 0.0, 1, (key,), key, 0.0, (0, 0, 10, 10), (box,),
        )
        for number in range(20_000)
        for along, across in [(float(rng.uniform(0, 1e7)), float(rng.uniform(0, 2000)))]
        for box in [Box(along, along + 5, across, across + 5)]
    ]  # fmt: skip
    stretches = [
        Stretch(number, Box(1e5 * number, 1e5 * number + 50, 0, 2000), "queue full", "", 1, key, 0.0)
        for number in range(100)
    ]
    totals = Totals(tiles=26_000, regions=18_000, suppressed=2_000, length_mm=1e7, width_mm=2000.0)
    file = RollFile(path, Header("web", "long", 0.0, 0.0, None, {}))
    started = time.process_time()
    file.write(regions=regions, gone=(), stretches=stretches, totals=totals, begin_mm=0.0, at=1.0)
    file.end(1.0)
    write_report(path, tmp_path / "long.html", state_folder=tmp_path, most=1000)
    assert time.process_time() - started < 10
    assert (tmp_path / "long.html").stat().st_size < 4 << 20


LENGTHS = st.floats(0.01, 1e8)


@given(length=LENGTHS, width=st.floats(1, 1e4), start=st.floats(0, 1), size=st.floats(0, 1), across=st.floats(0, 1))
def test_every_box_is_drawn_within_its_bands(
    length: float, width: float, start: float, size: float, across: float
) -> None:
    layout = Layout.of(length, width)
    along = start * length
    box = Box(along, min(along + size * length, length), across * width, min(across * width + 1, width))
    marks = list(layout.rectangles(box))
    assert 1 <= len(marks) <= layout.bands
    for mark in marks:
        assert mark.width >= 3
        assert mark.height >= 3
        assert mark.x >= 0
        assert mark.x + mark.width <= WIDTH + 1e-6
        band = int(mark.y / layout.top(1))
        assert layout.top(band) <= mark.y
        assert mark.y + mark.height <= layout.top(band) + layout.band_height + 1e-6
    drawn = sum(mark.width for mark in marks) / WIDTH * layout.band_mm
    assert drawn >= (box.along_to - box.along_from) * 0.999


@given(length=LENGTHS, width=st.floats(1, 1e4))
def test_every_band_has_readable_labels(length: float, width: float) -> None:
    layout = Layout.of(length, width)
    for band in range(layout.bands):
        places = [x for x, _ in layout.ticks(band)]
        assert 1 <= len(places) <= 11
        assert all(-1e-6 <= x <= WIDTH + 1e-6 for x in places)
