# ruff: noqa: INP001 - a script, run by its path
"""Make live-*.png: `PYTHONPATH=training python docs/pictures/make_live_pages.py`.

The procedural parts of overview.png go through a real station, again and again, and a real browser looks at its live
page. Nothing is drawn by hand, and no photograph of a data set is in the pictures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
from make_overview import OBJECT, damaged, flawless
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.fit import fit
from nand_edge_export.normality import make_normality
from nand_edge_runtime.station.settings import StationSettings, validated
from nand_edge_runtime.station.station import Station
from nand_edge_runtime.web import WebServer
from nand_edge_runtime.web.roles import Role
from nand_edge_runtime.web.users import Users

HERE = Path(__file__).resolve().parent
DESKTOP, TABLET, UPRIGHT = (1440, 900), (1180, 820), (820, 1180)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAME, PASSWORD = "anna", "four words of no sense"
MAX_BYTES = 300_000
SETTLE_S = 60
"""How long frames go through before pictures are taken: the charts want something to show."""

WORDS = {"stain": "dark stain", "crack": "fine crack", "scratch": "scratch"}
HOLD = """() => {
    const small = document.querySelector(".lamp small");
    if (small?.textContent !== "thanks to words") return false;
    // As if it were in the background: then it lets go of the station.
    Object.defineProperty(document, "hidden", { get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
    return true;
}"""

KINDS = (*[""] * 9, *["stain"] * 6, *[""] * 4, "crack", "crack", "", "", "crack", "", "")
"""One after another: stains in a row, for a picture takes a second."""

Show = Callable[[Page], None]


def main() -> None:
    """Start the station, and take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--line", type=Path, help="folder with bundle and frames; made there if it is not there")
    parser.add_argument("--output", type=Path, default=HERE, help="folder to write into")
    parser.add_argument("--all", action="store_true", help="every page in every size and theme, to look at")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as driver,
        served(made(options.line or Path(folder) / "line"), Path(folder)) as web,
    ):
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for name, show, size, theme in wanted(every=options.all):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]}, color_scheme=theme, has_touch=size != DESKTOP
            )
            page = context.new_page()
            page.on("console", lambda message: print("  browser:", message.text))
            page.on("pageerror", lambda error: print("  fault:", error))
            show_signed_in(page, web.url, show)
            path = options.output / f"{name}.png"
            page.screenshot(path=path)
            context.close()
            with Image.open(path) as taken:
                # 256 colours are enough for a page, and a third of the bytes.
                taken.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
            print(f"{path.name}: {path.stat().st_size // 1000} kB")
            if path.stat().st_size > MAX_BYTES and not options.all:
                raise SystemExit(f"{path} has more than {MAX_BYTES} bytes")
        browser.close()


def wanted(*, every: bool) -> Iterator[tuple[str, Show, tuple[int, int], Any]]:
    """Name, what is shown, size and theme of each picture."""
    if every:
        sizes = {"desktop": DESKTOP, "tablet": TABLET, "upright": UPRIGHT}
        for name, show in PAGES.items():
            for kind, size in sizes.items():
                for theme in ("light", "dark"):
                    yield f"live-{name}-{kind}-{theme}", show, size, theme
        return
    yield "live-page", live, DESKTOP, "light"
    yield "live-page-dark", live, UPRIGHT, "dark"
    yield "live-words", rehearsed, DESKTOP, "light"
    yield "live-history", history, DESKTOP, "light"
    yield "live-frame", suppressed_frame, DESKTOP, "light"


def live(page: Page) -> None:
    """The live page, held still at a frame that passes thanks to words."""
    page.wait_for_selector(".camera .panel.final img[src]")
    wait_for(page, "document.querySelectorAll('#parts li').length > 2")
    while not page.evaluate(HOLD):
        time.sleep(0.02)


def rehearsed(page: Page) -> None:
    """A normality switched off, and what that would change."""
    page.goto(page.url.rstrip("/") + "/words")
    page.locator("input[role=switch]:checked").first.click()
    page.fill("#frames", "52")
    page.click("#try")
    page.wait_for_selector("#summary", timeout=300_000)
    wait_for(page, "[...document.querySelectorAll('.thumb img')].slice(0, 4).every(image => image.complete)")
    time.sleep(1.5)  # it is scrolled to


def wait_for(page: Page, expression: str) -> None:
    """Wait until an expression is true; the page's own policy forbids Playwright's way to wait for one."""
    until = time.monotonic() + 30
    while not page.evaluate(expression):
        if time.monotonic() > until:
            raise SystemExit(f"waited 30 s for {expression}")
        time.sleep(0.05)


def words(page: Page) -> None:
    """What is in force."""
    page.goto(page.url.rstrip("/") + "/words")
    page.wait_for_selector(".switches li")


def history(page: Page) -> None:
    """The frames on record."""
    page.goto(page.url.rstrip("/") + "/history")
    page.wait_for_selector(".frames tbody tr")
    wait_for(page, "document.getElementById('counts').textContent.includes('frames')")


def suppressed_frame(page: Page) -> None:
    """Why a frame passed that would have been a reject."""
    page.goto(page.url.rstrip("/") + "/history?suppressed=true")
    page.locator(".frames .name a").first.click()
    page.wait_for_selector(".panel.final img")
    wait_for(page, "[...document.querySelectorAll('.panel img')].every(image => image.complete)")


def audit(page: Page) -> None:
    """Who did what."""
    page.goto(page.url.rstrip("/") + "/audit")
    page.wait_for_selector(".log li")


def users(page: Page) -> None:
    """Who may sign in."""
    page.goto(page.url.rstrip("/") + "/users")
    page.wait_for_selector(".users tbody tr")


def account(page: Page) -> None:
    """One's own account."""
    page.goto(page.url.rstrip("/") + "/account")
    page.wait_for_selector("#password")


def signed_out(page: Page) -> None:
    """The sign-in."""
    page.context.clear_cookies()
    page.goto(page.url.rstrip("/") + "/sign-in")
    page.wait_for_selector("#enter")


PAGES: dict[str, Show] = {
    "live": live, "words": words, "rehearsal": rehearsed, "history": history, "frame": suppressed_frame,
    "audit": audit, "users": users, "account": account, "sign-in": signed_out,
}  # fmt: skip


def show_signed_in(page: Page, url: str, show: Show) -> None:
    """Sign in, and show something."""
    page.goto(url)
    page.fill("[name=name]", NAME)
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    page.wait_for_selector("#cameras")
    show(page)


def made(line: Path) -> Path:
    """A folder with a bundle and frames: flawless parts, some with a dark stain, some with a crack."""
    if line.exists():
        return line
    (line / "good").mkdir(parents=True)
    (line / "frames").mkdir()
    for place, frame in enumerate(flawless(60)):
        cv2.imwrite(str(line / "good" / f"{place:03d}.png"), frame)
    detector = fit(PatchCoreMethod(memory_patches=1000), line / "good").detector
    if detector.threshold is None:
        raise AssertionError("60 frames are enough for a threshold")
    clip = load_clip(NAND_TINY)
    normalities = [make_normality(clip, text, OBJECT, name=name) for name, text in WORDS.items()]
    parts = Export(detector, clip, ClipEncoder(clip), normalities, detector.threshold, text_encoder=True)
    good = list(flawless(len(KINDS)))
    for place, kind in enumerate(KINDS):
        frame = good[place] if kind == "" else damaged(kind, 20 + place)
        cv2.imwrite(str(line / "frames" / f"cell-{place:03d}.png"), frame)
    export_bundle(parts, line / "cells.nand", frames=[damaged("stain", 23), damaged("crack", 5)])
    return line


@contextmanager
def served(line: Path, folder: Path) -> Iterator[WebServer]:
    """The line's station with two users, and frames that have gone through it."""
    station = Station(settings_of(line, folder))
    web = WebServer(station.settings.web, station, station.history)
    people = Users(folder / "state" / "web" / "users.json")
    people.add(NAME, Role.ENGINEER, PASSWORD)
    people.add("line 3", Role.OPERATOR, "another one of those")
    web.start()
    station.start()
    try:
        time.sleep(SETTLE_S / 3)
        station.pause(who="line 3")
        time.sleep(2)
        station.resume(who="line 3")
        time.sleep(2 * SETTLE_S / 3)
        yield web
    finally:
        web.stop()
        station.stop()


def settings_of(line: Path, folder: Path) -> StationSettings:
    """A station that is shown the frames, round and round."""
    camera = {"name": "top", "source": str(line.resolve() / "frames"), "loop": True, "frames_per_second": 4}
    document = {
        "name": "Cells line 3",
        "bundle": str((line / "cells.nand").resolve()),
        "normalities": ["stain"],
        "state_folder": str(folder / "state"),
        "camera": [{**camera, "deadline_ms": 5000}],
        "web": {"port": 0},
    }
    return validated(document, what="the pictures' station", folder=folder)


if __name__ == "__main__":
    main()
