"""A fact is read from the journal as it was written, whatever is in it, and half a line is told from a whole one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from history.made_frames import make_frame, make_record
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from nand_edge.inspection import Verdict
from nand_edge_runtime.history import facts, segments
from nand_edge_runtime.history.rows import row_of
from nand_edge_runtime.history.segments import Position
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed
from nand_edge_runtime.station.records import FrameRecord, Reason

pytestmark = pytest.mark.station

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # NUL and half characters included
ANY_NUMBER = st.none() | st.floats()
STRANGE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def any_records(draw: st.DrawFn) -> FrameRecord:
    reason = draw(st.sampled_from(Reason))
    verdict = draw(st.sampled_from(Verdict)) if reason is Reason.INSPECTED else Verdict.REJECT
    key = FrameKey(draw(ANY_TEXT), draw(ANY_TEXT), draw(st.integers(0, 2**62)))
    return FrameRecord(
        key, draw(ANY_TEXT), draw(st.floats()), verdict, reason, detail=draw(ANY_TEXT), position=draw(ANY_NUMBER),
        device_timestamp_ns=draw(st.none() | st.integers(0, 2**64)), dropped_before=draw(st.integers(0, 2**40)),
        score=draw(ANY_NUMBER), base_score=draw(ANY_NUMBER), threshold=draw(ANY_NUMBER),
        suppressed=draw(st.booleans()), clip_ran=draw(st.booleans()), score_is_bound=draw(st.booleans()),
        normalities=tuple(draw(st.lists(ANY_TEXT, max_size=3))), normalities_sha256=draw(ANY_TEXT),
        bundle=draw(ANY_TEXT), latency_ms=draw(st.dictionaries(ANY_TEXT, st.floats(), max_size=3)),
    )  # fmt: skip


def as_kept(text: str) -> str:
    """A text as every database takes it."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def as_known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@settings(max_examples=60)
@given(any_records())
def test_a_record_comes_back_but_for_what_no_database_takes(record: FrameRecord) -> None:
    line = facts.decided_line(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    fact = facts.parsed(line[:-1])
    assert fact is not None
    back = facts.record_of(fact)
    assert back.key == FrameKey(as_kept(record.key.run), as_kept(record.key.camera), record.key.number)
    assert (back.verdict, back.reason, back.suppressed) == (record.verdict, record.reason, record.suppressed)
    assert (back.name, back.detail) == (as_kept(record.name), as_kept(record.detail))
    assert back.normalities == tuple(map(as_kept, record.normalities))
    assert (back.score, back.threshold) == (as_known(record.score), as_known(record.threshold))
    assert all(math.isfinite(time) for time in back.latency_ms.values())
    row = row_of(back, "cells")
    assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
    json.dumps(row, allow_nan=False).encode("utf-8")


@settings(max_examples=60)
@given(ANY_TEXT, ANY_TEXT, st.dictionaries(ANY_TEXT, STRANGE, max_size=4))
def test_whatever_somebody_changed_can_be_written_down(who: str, what: str, detail: dict[str, Any]) -> None:
    fact = facts.parsed(facts.audit_line(Changed(who, what, detail))[:-1])
    assert fact is not None
    assert (fact["who"], fact["what"]) == (as_kept(who), as_kept(what))
    json.dumps(fact, allow_nan=False).encode("utf-8")


def test_what_is_endless_or_circular_is_cut_short() -> None:
    circular: dict[str, Any] = {"numbers": list(range(200_000)), "text": "x" * 10**6}
    circular["itself"] = circular
    line = facts.audit_line(Changed("eva", "w" * 10**5, circular))
    fact = facts.parsed(line[:-1])
    assert fact is not None
    assert len(line) <= facts.MAX_LINE
    assert fact["what"] == "w" * facts.MAX_TEXT
    assert fact["detail"]["text"] == "x" * facts.MAX_TEXT
    endless = facts.parsed(
        facts.audit_line(Changed("eva", "w", {str(n): "x" * 10**4 for n in range(500)}, at=3.0))[:-1]
    )
    assert endless == {"fact": "audit", "who": "eva", "what": "w", "detail": {}, "at": 3.0}, "still too long for a line"


def test_a_number_of_numpys_is_a_number() -> None:
    frame = make_frame(0, position=np.float32(2.5))
    fact = facts.parsed(facts.entered_line(frame)[:-1])
    assert fact is not None
    assert fact["position"] == 2.5


@pytest.mark.parametrize("latency", [{"engine": None}, {"engine": "soon"}, {"engine": math.nan}, {"engine": math.inf}])
def test_a_time_that_is_no_number_does_not_cost_the_record(latency: dict[str, Any]) -> None:
    record = make_record(make_frame(3), latency_ms=latency)
    fact = facts.parsed(facts.decided_line(record)[:-1])
    assert fact is not None
    assert facts.record_of(fact).latency_ms == {}
    assert row_of(facts.record_of(fact), "cells")["number"] == 3


@settings(max_examples=60)
@given(any_records(), st.data())
def test_a_line_that_is_not_whole_is_no_fact(record: FrameRecord, data: st.DataObject) -> None:
    line = facts.decided_line(record)[:-1]
    cut = data.draw(st.integers(0, len(line) - 1))
    assert facts.parsed(line[:cut]) is None
    flipped = bytearray(line)
    flipped[cut] ^= 1 << data.draw(st.integers(0, 6))
    assert facts.parsed(bytes(flipped)) is None or bytes(flipped).lower() == line


@settings(max_examples=40)
@given(
    st.lists(st.lists(ANY_TEXT, max_size=6), min_size=1, max_size=4),
    st.lists(st.sampled_from([b"\0" * 10, b"0badc0de {}\n", b"half a li"]), min_size=4, max_size=4),
)
def test_segments_are_read_in_their_order_from_any_place(
    tmp_path_factory: pytest.TempPathFactory, contents: list[list[str]], rests: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    names = []
    for number, texts in enumerate(contents, 1):
        name, descriptor = segments.new_segment(folder, number)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor has no path
            stream.writelines(facts.audit_line(Changed("eva", text, at=0.0)) for text in texts)
            size = stream.tell()
            stream.write(rests[number - 1])
        names.append(name)
    written = Position(names[-1], size)

    def read_from(start: Position) -> tuple[list[str], list[Position], Position]:
        read: list[str] = []
        places: list[Position] = []
        more = True
        while more:
            batch = segments.read(folder, start, written)
            read += [fact.content["what"] for fact in batch.facts]
            places += [fact.at for fact in batch.facts]
            start, more = batch.end, batch.more
        return read, places, start

    expected = [as_kept(text) for texts in contents for text in texts]
    read, places, end = read_from(segments.first(folder, None, written.segment))
    assert (read, end) == (expected, written)
    for index, place in enumerate(places):
        assert read_from(place)[0] == expected[index:]
    assert segments.lines_after(folder, None) >= len(expected)


def test_a_database_takes_what_the_facts_give(tmp_path: Path) -> None:
    """The clean text of a fact with everything strange in it, stored and read again by SQLite."""
    record = make_record(make_frame(0, name="a\0b\ud800\N{GRINNING FACE}"))
    fact = facts.parsed(facts.decided_line(record)[:-1])
    assert fact is not None
    with create_engine(f"sqlite:///{tmp_path / 'x.sqlite'}").connect() as connection:
        kept = connection.exec_driver_sql("SELECT ?", (fact["name"],)).scalar()
    assert kept == "a\N{REPLACEMENT CHARACTER}b?\N{GRINNING FACE}"
