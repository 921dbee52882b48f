"""A change is tried on the last frames, put in force, and on record; and every frame's verdict can be explained."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from web.live_page import Visitor, wait_until

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.control import InForce
from nand_edge_runtime.station.station import Station

pytestmark = pytest.mark.station


def rehearsed(visitor: Visitor, **proposal: Any) -> dict[str, Any]:
    """What a rehearsal gives."""
    started = visitor.post("/api/rehearsals", proposal)
    assert started.status_code == 202, started.text

    def outcome() -> dict[str, Any] | None:
        told: dict[str, Any] = visitor.get(f"/api/rehearsals/{started.json()['id']}").json()
        return told if told["state"] != "running" else None

    found: dict[str, Any] = wait_until(outcome, "the rehearsal", 60)
    return found


def record_of(station: Station, name: str) -> Callable[[], Any]:
    """Finds the newest inspected frame of a part."""

    def find() -> Any:
        for number in range(200):
            recent = station.latest("top")
            assert recent is not None
            key = type(recent.record.key)(recent.record.key.run, "top", recent.record.key.number - number)
            decided = station.recent(key)
            if decided is not None and decided.record.name.endswith(name):
                return decided.record
        return None

    return find


def suppressed_part(station: Station) -> Any:
    """The record of a bright part that passes because of the normality `bright`, when there is one again."""

    def find() -> Any:
        record = record_of(station, "bright.png")()
        return record if record is not None and record.suppressed else None

    return wait_until(find, "a bright part that passes thanks to words")


def test_a_rehearsal_says_what_would_change_and_changes_nothing(visitors: dict[str, Visitor], station: Station) -> None:
    before = station.status().in_force
    wait_until(lambda: len(visitors["vera"].get("/api/history?limit=30").json()["frames"]) == 30, "30 frames")
    told = rehearsed(visitors["otto"], normalities=[], threshold=0.5, frames=30)
    assert told["state"] == "done"
    assert told["frames"] == 30
    assert told["newly_passed"] == 0
    assert 8 <= told["newly_rejected"] <= 12  # every third part is bright
    assert told["then"]["reject"] - told["now"]["reject"] == told["newly_rejected"]
    assert {(frame["now"], frame["then"]) for frame in told["changed"]} == {("pass", "reject")}
    assert station.status().in_force == before
    picture = visitors["otto"].get("/api/picture", params={**_key(told["changed"][0]), "view": "base"})
    assert picture.headers["content-type"] == "image/jpeg"


def test_what_is_put_in_force_holds_from_the_next_frame_on_and_is_on_record(
    visitors: dict[str, Visitor], station: Station
) -> None:
    otto = visitors["otto"]
    now = otto.words()
    assert suppressed_part(station).verdict is Verdict.PASS
    answer = otto.post("/api/words", {"normalities": [], "threshold": 0.5, "instead_of": now})
    assert answer.json()["in_force"] == {"normalities": [], "threshold": 0.5}
    last = station.latest("top")
    assert last is not None

    def later() -> Any:
        record = record_of(station, "bright.png")()
        return record if record and record.key.number > last.record.key.number + 1 else None

    record = wait_until(later, "a bright part after the change")
    assert (record.verdict, record.normalities) == (Verdict.REJECT, ())
    change = wait_until(
        lambda: next((one for one in station.history.audits(5) if one.who == "otto"), None), "the audit log"
    )
    assert change.what == "switched normality 'bright' off"


def test_who_chose_by_what_is_no_longer_in_force_is_told_so(visitors: dict[str, Visitor], station: Station) -> None:
    seen = visitors["otto"].words()
    station.put_in_force(InForce(("bright",), 0.6), who="anna")
    answer = visitors["otto"].post("/api/words", {"normalities": [], "threshold": 0.5, "instead_of": seen})
    assert answer.status_code == 409
    assert "meanwhile" in answer.json()["error"]
    assert station.status().in_force == InForce(("bright",), 0.6)


def test_what_the_station_refuses_is_said_as_it_says_it(anna: Visitor) -> None:
    refused = anna.post("/api/words", {"normalities": ["rust"], "threshold": 0.5, "instead_of": anna.words()})
    assert refused.status_code == 409
    assert "normality 'rust': found no normality of that name" in refused.json()["error"]
    told = rehearsed(anna, normalities=["rust"], threshold=0.5)
    assert (told["state"], "normality 'rust'" in told["error"]) == ("failed", True)
    added = anna.post("/api/normalities", {"text": "rust", "name": "rust", "object_name": "part"})
    assert "no text encoder" in added.json()["error"]


def test_a_rehearsal_that_is_no_longer_kept_is_not_there(anna: Visitor) -> None:
    assert anna.get("/api/rehearsals/0123").status_code == 404


def test_pause_and_resume_are_done_and_on_record(visitors: dict[str, Visitor], station: Station) -> None:
    assert visitors["otto"].post("/api/pause").status_code == 200
    assert station.status().state.value == "paused"
    assert "otto" in visitors["vera"].get("/api/status").json()["why"]
    assert visitors["otto"].post("/api/resume").status_code == 200
    assert station.status().state.value == "running"
    wait_until(lambda: station.history.audits(1)[0].what == "resumed the station", "the audit log")
    states = visitors["vera"].get("/api/states?limit=2").json()["states"]
    assert [one["state"] for one in states] == ["running", "paused"]


def test_the_history_is_found_by_its_filters_page_by_page(anna: Visitor) -> None:
    wait_until(lambda: len(anna.get("/api/history?limit=20").json()["frames"]) == 20, "20 frames")
    first = anna.get("/api/history?limit=7").json()["frames"]
    last = first[-1]
    older = anna.get(
        "/api/history",
        params={
            "limit": 7,
            "before_run": last["run"],
            "before_camera": last["camera"],
            "before_number": last["number"],
        },
    ).json()["frames"]
    numbers = [frame["number"] for frame in [*first, *older]]
    assert numbers == list(range(numbers[0], numbers[0] - 14, -1))
    suppressed = anna.get("/api/history?suppressed=true&name=BRIGHT").json()["frames"]
    assert suppressed
    assert all(frame["suppressed"] and frame["name"].endswith("bright.png") for frame in suppressed)
    low = anna.get("/api/history?highest_score=0.4&verdict=pass&camera=top").json()["frames"]
    assert all(frame["score"] <= 0.4 for frame in low)
    counts = anna.get("/api/history/counts?verdict=pass").json()
    assert (counts["reject"], counts["frames"]) == (0, counts["pass"])
    assert anna.get("/api/history?camera=none").json() == {"frames": []}


@pytest.mark.parametrize(
    "asked", ["verdict=maybe", "limit=0", "limit=100000", "since=yesterday", "number=1", "name=%00", "lowest_score=nan"]
)
def test_a_filter_that_cannot_be_is_refused_in_a_sentence(anna: Visitor, asked: str) -> None:
    answer = anna.get(f"/api/history?{asked}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(asked.partition("=")[0])


def test_why_a_frame_passed_is_told_with_its_words_and_pictures(anna: Visitor, station: Station) -> None:
    record = suppressed_part(station)
    told = anna.get("/api/frame", params=_key(record.to_json())).json()
    assert told["record"]["suppressed"]
    assert told["record"]["base_score"] > told["record"]["threshold"] > told["record"]["score"]
    assert told["words"] == {"bright": "bright region"}
    assert told["views"] == ["frame", "base", "suppression", "final"]
    assert told["bundle_now"] == told["record"]["bundle"]


def test_pictures_come_from_the_history_when_they_are_no_longer_in_memory(
    anna: Visitor, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = suppressed_part(station)
    assert station.history.pictures_written(10)
    wait_until(lambda: station.history.get(record.key), "its record")
    key = _key(record.to_json())
    in_memory = {view: anna.get("/api/picture", params={**key, "view": view}).content for view in ("frame", "final")}
    monkeypatch.setattr(station, "recent", lambda _: None)
    for view, content in in_memory.items():
        kept = anna.get("/api/picture", params={**key, "view": view})
        assert kept.status_code == 200
        difference = cv2.absdiff(_image(kept.content), _image(content))
        assert difference.mean() < 6
    assert anna.get("/api/frame", params=key).json()["views"] == ["frame", "base", "suppression", "final"]


def test_the_frames_of_a_filter_can_be_taken_along(anna: Visitor) -> None:
    as_csv = anna.get("/api/history/export.csv?suppressed=true")
    assert as_csv.headers["content-disposition"] == 'attachment; filename="frames.csv"'
    rows = list(csv.DictReader(io.StringIO(as_csv.text.lstrip("\N{BYTE ORDER MARK}"))))
    assert rows
    assert {row["suppressed"] for row in rows} == {"true"}
    lines = anna.get("/api/history/export.jsonl?suppressed=true").text.splitlines()
    assert {json.loads(line)["verdict"] for line in lines} == {"pass"}


def _image(content: bytes) -> Any:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def _key(frame: dict[str, Any]) -> dict[str, Any]:
    return {name: frame[name] for name in ("run", "camera", "number")}
