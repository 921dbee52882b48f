"""The reader answers what a plain filter over all records answers, page by page and while new ones come."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from history.made_frames import OpenHistory, make_frame, make_record, write_down
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History, HistorySettings, OpenedHistory, Query
from nand_edge_runtime.history.tables import FRAMES
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, Decided, Hub, StateChanged
from nand_edge_runtime.station.records import FrameRecord, Reason
from nand_edge_runtime.station.states import StationState

pytestmark = pytest.mark.station

CAMERAS = ("top", "side", "bottom")
NAMES = ("cell.png", "CELL 50%_x.png", "Straße_Ä.PNG", "a\\b", "'; DROP TABLE frames; --", "")


@dataclasses.dataclass(frozen=True)
class Kept:
    """A history with a few hundred records, and the records in the order in which they came."""

    history: History
    records: list[FrameRecord]


def varied(number: int) -> FrameRecord:
    """A record whose fields differ with its number, all of them combined in one way or the other."""
    run = f"run-{number % 2}"
    frame = make_frame(number, CAMERAS[number % 3], run, name=NAMES[number % 6], timestamp=1000.0 + (number * 7) % 100)
    reason = (Reason.INSPECTED, Reason.INSPECTED, Reason.INSPECTED, Reason.DEADLINE, Reason.ENGINE_FAILED)[number % 5]
    if reason is not Reason.INSPECTED:
        return make_record(frame, Verdict.REJECT, reason=reason, score=None, base_score=None, threshold=None)
    verdict = Verdict.PASS if number % 4 else Verdict.REJECT
    return make_record(frame, verdict, score=(number % 11) / 10, suppressed=verdict is Verdict.PASS and number % 7 == 0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    nothing = HistorySettings(
        write_every_s=0.02, picture_rejects=False, picture_suppressed=False, picture_passes_every=0
    )
    history = History(nothing, folder=tmp_path_factory.mktemp("state"), hub=Hub(), station="cells", run="run-1")
    history.start()
    records = [varied(number) for number in range(300)]
    for record in records:
        history.decided(Decided(record, make_frame().image, None))
    assert history.flushed(10.0)
    yield Kept(history, records)
    history.stop(5.0)


def fits(record: FrameRecord, query: Query) -> bool:
    """What a query means, over one record."""
    equal = (
        (query.camera, record.key.camera), (query.run, record.key.run), (query.verdict, record.verdict),
        (query.reason, record.reason), (query.suppressed, record.suppressed),
    )  # fmt: skip
    if any(wanted is not None and wanted != value for wanted, value in equal):
        return False
    scores = (query.lowest_score, query.highest_score)
    if any(bound is not None and not math.isnan(bound) for bound in scores) and record.score is None:
        return False
    comparisons = (
        (query.since, record.timestamp, float.__le__), (query.lowest_score, record.score, float.__le__),
        (query.until, record.timestamp, float.__gt__), (query.highest_score, record.score, float.__ge__),
    )  # fmt: skip
    for bound, value, holds in comparisons:
        if bound is not None and not math.isnan(bound) and value is not None and not holds(bound, value):
            return False
    return query.name.casefold() in record.name.casefold()


def optional(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from((None, None, *values))


QUERIES = st.builds(
    Query,
    camera=optional(*CAMERAS, "TOP", "no such", "a\0", "\ud800"),
    verdict=optional(*Verdict),
    reason=optional(*Reason),
    suppressed=optional(*(True, False)),
    since=optional(1000.0, 1050.0, -math.inf, math.nan, 5000.0),
    until=optional(1000.0, 1077.0, math.inf, math.nan),
    lowest_score=optional(0.0, 0.3, math.nan),
    highest_score=optional(0.5, 1.0, math.nan),
    name=st.sampled_from(("", "", "", "cell", "CELL", "straSSe", "ä", "50%", "_x", "\\", "'; DROP", "\0", "\udcff")),
    run=optional("run-0", "run-1", "run-2"),
    limit=st.integers(-1, 60),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(query=QUERIES)
def test_a_query_finds_what_a_plain_filter_finds(kept: Kept, query: Query) -> None:
    wanted = [record for record in reversed(kept.records) if fits(record, query)]
    assert kept.history.find(query) == wanted[: max(query.limit, 0)]
    if query.limit > 0:
        pages = list(kept.history.pages(query))
        assert [record for page in pages for record in page] == wanted
        assert all(len(page) == query.limit for page in pages[:-1])
    counts = kept.history.count(query)
    expected = Counter(record.verdict.value for record in wanted) + Counter(record.reason.value for record in wanted)
    assert counts == {
        "frames": len(wanted), "pass": 0, "reject": 0,
        "suppressed": sum(record.suppressed for record in wanted), **expected,
    }  # fmt: skip


@pytest.mark.parametrize("bucket_s", [1.0, 10.0, 37.5, 3600.0])
@pytest.mark.parametrize("since", [0.0, 1033.0])
def test_rates_are_what_a_plain_count_is(kept: Kept, bucket_s: float, since: float) -> None:
    expected: dict[tuple[float, str], list[int]] = {}
    for record in kept.records:
        if record.timestamp >= since:
            place = (record.timestamp // bucket_s * bucket_s, record.key.camera)
            counted = expected.setdefault(place, [0, 0, 0])
            counted[0] += 1
            counted[1] += record.verdict is Verdict.REJECT
            counted[2] += record.suppressed
    rates = kept.history.rates(since, bucket_s)
    assert {(r.start, r.camera): [r.frames, r.rejected, r.suppressed] for r in rates} == expected
    assert [rate.start for rate in rates] == sorted(rate.start for rate in rates)


@pytest.mark.parametrize("bucket_s", [0.0, -5.0, math.nan])
def test_a_stretch_of_time_is_a_second_at_least(kept: Kept, bucket_s: float) -> None:
    assert kept.history.rates(0.0, bucket_s) == kept.history.rates(0.0, 1.0)


@pytest.mark.parametrize(
    "key",
    [
        FrameKey("no", "such", 1),
        FrameKey("run-1", "top", -1),
        FrameKey("run-1", "top", 2**80),
        FrameKey("\0", "\ud800", 0),
    ],
)
def test_a_frame_that_is_not_there(kept: Kept, key: FrameKey) -> None:
    assert kept.history.get(key) is None
    assert kept.history.picture(key) is None
    assert kept.history.maps(key) is None
    assert kept.history.find(Query(before=key)) == []


def test_a_record_comes_back_as_it_was(kept: Kept) -> None:
    for record in kept.records[:20]:
        assert kept.history.get(record.key) == record


def test_pages_are_whole_and_without_doubles_while_new_frames_come(open_history: OpenHistory) -> None:
    history = open_history()
    for number in range(500):
        write_down(history, make_frame(number))
    assert history.flushed(5.0)
    stop = threading.Event()

    def go_on() -> None:
        number = 500
        while not stop.wait(0.0005):
            write_down(history, make_frame(number))
            number += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        seen = []
        for page in history.pages(Query(limit=20)):
            seen += [record.key.number for record in page]
            stop.wait(0.01)
    finally:
        stop.set()
        writer.join()
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    assert set(range(500)) <= set(seen)
    assert history.flushed(5.0)
    assert history.count(Query())["frames"] > 520, "new ones came meanwhile"


def test_audits_and_states_newest_first(open_history: OpenHistory) -> None:
    history = open_history()
    for number in range(5):
        history.audit(Changed("eva", f"change {number}", {"before": number}, at=100.0 + number))
        history.state(StateChanged(StationState.PAUSED, f"why {number}", at=100.0 + number))
    assert history.flushed(5.0)
    assert [change.what for change in history.audits(limit=2)] == ["change 4", "change 3"]
    assert [change.detail for change in history.audits(limit=2, before=103.0)] == [{"before": 2}, {"before": 1}]
    assert [changed.why for changed in history.states(limit=1)] == ["why 4"]


def test_what_words_let_pass_is_found_by_an_index(kept: Kept) -> None:
    query = FRAMES.select().where(FRAMES.c.suppressed == True).order_by(FRAMES.c.id.desc())  # noqa: E712 - SQL
    with kept.history._records.reading() as connection:
        compiled = str(query.compile(connection.engine, compile_kwargs={"literal_binds": True}))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}").all()
    assert "nand_edge_frames_suppressed" in str(plan)


def test_a_read_only_history_writes_nothing(tmp_path: Path, open_history: OpenHistory) -> None:
    history = open_history()
    write_down(history, make_frame(0))
    assert history.flushed(5.0)
    opened = OpenedHistory(tmp_path)
    assert opened.count(Query())["frames"] == 1, "beside the running station"
    write_down(history, make_frame(1))
    assert history.flushed(5.0)
    assert opened.count(Query())["frames"] == 2
    history.stop(5.0)
    assert opened.count(Query())["frames"] == 2, "and when it is gone"
    opened.close()
    with pytest.raises(NandEdgeError):
        OpenedHistory(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
