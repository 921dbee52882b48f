"""The live page in a real browser: what people see there, what they may do, and that it has an effect on the line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from text_encoder.test_encoder import add_toy_text_encoder
from web.live_page import PASSWORD, wait_until

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.control import InForce
from nand_edge_runtime.station.station import Station
from nand_edge_runtime.text_encoder import TextEncoder
from nand_edge_runtime.web import WebServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.station

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TABLET = {"width": 820, "height": 1180}

Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Browser, page: WebServer) -> Iterator[Open]:
    """Opens a page for somebody who signs in; faults of scripts and refused sources fail the test."""
    contexts, faults = [], []

    def open_page(name: str = "", path: str = "/", *, url: str = "", **options: Any) -> Page:
        context = browser.new_context(ignore_https_errors=True, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        opened = context.new_page()
        opened.on("pageerror", lambda fault: faults.append(str(fault)))
        opened.on("console", lambda said: faults.append(said.text) if "Content Security" in said.text else None)
        opened.goto((url or page.url).rstrip("/") + path)
        if name:
            sign_in(opened, name)
        return opened

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def becomes(page: Page, expression: str, arg: Any = None) -> None:
    """Wait until an expression of the page is true; the page's own policy forbids Playwright's way to wait for one."""
    wait_until(lambda: page.evaluate(expression, arg), expression)


def sign_in(page: Page, name: str) -> None:
    page.fill("[name=name]", name)
    page.fill("[name=password]", PASSWORD)
    page.click("#enter [type=submit]")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def test_somebody_signs_in_and_sees_the_line_move(visit: Open) -> None:
    page = visit("vera")
    picture = page.locator(".camera[data-camera=top] .panel.final img")
    picture.wait_for()
    becomes(page, "document.querySelector('.panel.final img').naturalWidth === 320")
    first = page.locator(".frame-name").text_content()
    becomes(page, "before => document.querySelector('.frame-name').textContent !== before", arg=first)
    assert page.locator("#state").inner_text() == "Running"
    becomes(page, "document.querySelector('.lamp b').textContent === 'Pass'")
    becomes(page, "document.querySelector('.area.pass').getAttribute('d').length > 10")
    assert page.locator("#parts li").count() >= 3
    assert "cells" not in page.content()


def test_a_wrong_password_is_said(visit: Open) -> None:
    page = visit(path="/history?verdict=pass")
    page.fill("[name=name]", "otto")
    page.fill("[name=password]", "not the one")
    page.click("[type=submit]")
    page.get_by_text("Name or password is wrong.").wait_for()
    sign_in(page, "otto")
    assert page.url.endswith("/history?verdict=pass")


def test_a_normality_is_switched_off_after_it_was_tried(visit: Open, station: Station) -> None:
    live, words = visit("vera"), visit("otto", "/words")
    switch = words.locator("input[role=switch][name=bright]")
    assert switch.is_checked()
    assert words.locator("#try").is_disabled()
    switch.click()
    words.fill("#frames", "30")
    words.click("#try")
    summary = words.locator("#summary")
    summary.wait_for(timeout=60_000)
    assert re.search(r"\d+ would be rejected that pass now", summary.inner_text())
    assert words.locator(".thumb.reject").count() >= 5
    becomes(words, "document.querySelector('.thumb img').naturalWidth > 0")
    assert station.status().in_force == InForce(("bright",), 0.5)

    words.click("#put-in-force")
    words.get_by_text("In force from the next frame on.").wait_for()
    assert station.status().in_force == InForce((), 0.5)
    becomes(live, "document.querySelector('.lamp b').textContent === 'Reject'")
    live.get_by_text("no normality").wait_for()
    change = wait_until(lambda: station.history.audits(1)[0], "the audit log")
    assert (change.who, change.what) == ("otto", "switched normality 'bright' off")


def test_a_threshold_that_is_discarded_changes_nothing(visit: Open, station: Station) -> None:
    page = visit("otto", "/words")
    page.fill("#threshold", "0.2")
    assert page.locator("#slider").input_value() == "0.2"
    page.locator("#try:enabled").wait_for()
    page.click("#reset")
    becomes(page, "document.getElementById('threshold').value === '0.5'")
    assert page.locator("#try").is_disabled()
    assert station.status().in_force.threshold == 0.5


def test_a_normality_is_added_by_typing_what_is_normal(
    visit: Open, station: Station, own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "_text_encoder", TextEncoder.open(add_toy_text_encoder(own_bundle)))
    page = visit("anna", "/words")
    page.fill("[name=text]", "a dark spot")
    page.fill("[name=object_name]", "part")
    assert page.locator("#add-form [name=name]").input_value() == "dark-spot"
    page.click("#add-form [type=submit]")
    page.get_by_text("Added dark-spot: switch it on to try it.").wait_for(timeout=60_000)
    assert not page.locator("input[name=dark-spot]").is_checked()
    assert page.locator(".switches li", has_text="dark spot").locator("small").inner_text().endswith("added here")
    assert "dark-spot" in [entry.name for entry in station.normalities()]
    assert station.status().in_force == InForce(("bright",), 0.5)


def test_the_line_is_paused_and_resumed(visit: Open, station: Station) -> None:
    page = visit("otto")
    page.click("#pause")
    page.get_by_text("by otto").wait_for()
    page.locator(".lamp.reject.missed").wait_for()
    assert "station paused" in page.locator(".why-reject").inner_text()
    becomes(page, "document.getElementById('pause').textContent === 'Resume'")
    page.click("#pause")
    becomes(page, "document.querySelector('.lamp b').textContent === 'Pass'")
    assert station.status().state.value == "running"


def test_the_history_is_filtered_and_a_pass_explained(visit: Open) -> None:
    page = visit("vera", "/history")
    page.locator(".frames tbody tr .name a").first.wait_for()
    page.select_option("[name=suppressed]", "true")
    page.click("#filters [type=submit]")
    page.wait_for_url("**/history?suppressed=true")
    becomes(page, "[...document.querySelectorAll('.frames .name')].every(cell => cell.textContent.includes('bright'))")
    page.locator("#counts", has_text="thanks to words").wait_for()
    page.locator(".frames tbody tr .name a").first.click()
    because = page.locator("#because")
    because.wait_for()
    assert "The base detector alone would have rejected it" in because.inner_text()
    assert "By the words “bright region”, what it found is normal" in because.inner_text()
    assert page.locator(".panel").count() == 4
    becomes(page, "[...document.querySelectorAll('.panel img')].every(image => image.naturalWidth > 0)")
    page.click("#back")
    page.wait_for_url("**/history?suppressed=true")
    page.locator("#csv[href*=suppressed]").wait_for()
    with page.expect_download() as download:
        page.click("#csv")
    assert Path(download.value.path()).read_text(encoding="utf-8-sig").startswith("run,camera,number")


def test_a_viewer_has_nothing_to_change(visit: Open) -> None:
    page = visit("vera")
    page.locator("#parts li").first.wait_for()
    assert page.locator("#controls").is_hidden()
    assert page.locator("nav a[href='/users']").is_hidden()
    page.goto(page.url + "words")
    page.locator(".switches li").first.wait_for()
    assert page.locator("#try").is_hidden()
    assert page.locator("input[role=switch]").first.is_disabled()
    assert page.locator("#threshold").is_disabled()
    assert page.locator("#look-only").is_visible()


def test_an_engineer_adds_somebody_who_then_chooses_a_password(visit: Open, serve: Callable[..., WebServer]) -> None:
    url = serve().url
    page = visit("anna", "/users", url=url)
    page.fill("#add [name=name]", "<b>new</b>")
    page.fill("#add [name=password]", "given by anna 1")
    page.click("#add [type=submit]")
    page.get_by_text("a name that cannot be used").wait_for()
    page.fill("#add [name=name]", "new one")
    page.click("#add [type=submit]")
    page.get_by_text("to be chosen at the first sign-in").wait_for()
    theirs = visit(path="/audit", url=url)
    theirs.fill("[name=name]", "new one")
    theirs.fill("[name=password]", "given by anna 1")
    theirs.click("#enter [type=submit]")
    theirs.fill("#first [name=new]", PASSWORD)
    theirs.fill("#first [name=again]", PASSWORD)
    theirs.click("#first [type=submit]")
    theirs.wait_for_url("**/audit")
    theirs.get_by_text("added user 'new one'").wait_for()
    theirs.click("#account")
    theirs.click("#sign-out")
    theirs.wait_for_url("**/sign-in")


def test_a_page_that_is_cut_off_says_so_and_comes_back(visit: Open, serve: Callable[..., WebServer]) -> None:
    server = serve()
    port = int(server.url.rpartition(":")[2].strip("/"))
    page = visit("vera", url=server.url)
    page.locator(".panel.final img").wait_for()
    server.stop()
    page.locator("#cut-off", has_text="Cut off from the station").wait_for()
    assert "is-cut-off" in (page.locator("body").get_attribute("class") or "")
    serve(port=port)
    page.locator("#cut-off").wait_for(state="hidden")
    before = page.locator(".frame-name").text_content()
    becomes(page, "before => document.querySelector('.frame-name').textContent !== before", arg=before)


@pytest.mark.parametrize("path", ["/", "/words", "/history", "/audit", "/users", "/account"])
def test_no_page_scrolls_sideways(tablet: Page, page: WebServer, path: str) -> None:
    tablet.goto(page.url.rstrip("/") + path)
    becomes(tablet, "document.querySelector('#account').textContent !== ''")
    for width in (390, 820, 1180):
        tablet.set_viewport_size({"width": width, "height": 900})
        inside, window = tablet.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert inside <= window


@pytest.fixture(scope="module")
def tablet(browser: Browser, page: WebServer) -> Iterator[Page]:
    """The engineer's tablet."""
    context = browser.new_context(has_touch=True)
    opened = context.new_page()
    opened.goto(page.url)
    sign_in(opened, "anna")
    yield opened
    context.close()


def test_what_a_finger_touches_is_large_enough(visit: Open, station: Station) -> None:
    page = visit("otto", "/words", viewport=TABLET, has_touch=True)
    page.locator(".switches li").first.wait_for()
    for touched in page.locator(
        "nav a:visible, button:visible, .switches label:visible, input[type=number]:visible"
    ).all():
        box = touched.bounding_box()
        assert box is not None
        assert box["height"] >= 44, touched.evaluate("node => node.outerHTML")
    latest = station.latest("top")
    assert latest is not None
    assert latest.record.verdict in Verdict
