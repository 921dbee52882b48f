"""The report: one file that needs no other, with every pair, its charts and its pictures."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
import pytest

from nand_edge.command_line import main

WORDS = "<script>alert(1)</script> & 'hole'"


class Page(HTMLParser):
    """What a page refers to, and what stands in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[tuple[str, str]] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids.add(given.get("id") or "")
        self.links += [given[key] or "" for key in ("href", "action", "data") if key in given]
        if tag == "img":
            self.images.append((given["alt"] or "", given["src"] or ""))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def page(fabric: Path, tmp_path: Path, detector_file: Path) -> Page:
    groups = tmp_path / "groups.yaml"
    groups.write_text(
        f"object: fabric\nhole: {{folders: [hole], words: {WORDS!r}, phrases: [fabric with a hole]}}\n"
        "thread: {folders: [thread], phrases: [fabric with a thread]}\n",
        encoding="utf-8",
    )
    arguments = ["evaluate", str(fabric), "--groups", str(groups), "--detector", str(detector_file)]
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
    return Page((tmp_path / "out/report.html").read_text(encoding="utf-8"))


def test_the_page_stands_alone(page: Page) -> None:
    assert all(source.startswith("data:image/") for _, source in page.images)
    assert page.links
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert {"script", "link", "iframe", "object"}.isdisjoint(page.tags)
    assert WORDS in page.text  # as text, since no tag came of it


def test_charts_and_pictures_are_whole(page: Page) -> None:
    charts = [source for _, source in page.images if source.startswith("data:image/svg+xml")]
    pictures = [source for _, source in page.images if source.startswith("data:image/jpeg")]
    assert len(charts) == 2 * 2
    assert len(pictures) == 2 * (3 + 2) * 4
    for chart in charts:
        svg = base64.b64decode(chart.partition(",")[2])
        assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - a chart that we drew
    for picture in pictures:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        assert pixels.std() > 5


def test_each_frame_is_shown_with_its_four_panels(page: Page) -> None:
    panels = [alt.partition(" of ")[0] for alt, source in page.images if source.startswith("data:image/jpeg")]
    assert panels == ["frame", "base map", "suppression map", "final map"] * 10
