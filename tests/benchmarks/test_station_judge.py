"""The judge must find whatever is wrong: what it says of a line is worth what it would have found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_benchmarks.line.book import Recorded
from nand_benchmarks.line.code import coded_picture, jpeg, read_code
from nand_benchmarks.line.judge import Findings, Receipt, judge
from nand_benchmarks.line.ledger import Laid, LedgerWriter, read_ledger
from nand_benchmarks.line.line import Evidence
from nand_benchmarks.line.outage import Outage
from nand_benchmarks.line.parts import Part, number_of
from nand_benchmarks.line.station_process import to_toml
from nand_benchmarks.line.trial import percentile, recoveries
from nand_edge_runtime.station.frames import FrameKey


def record(number: int, part: Part = Part.GOOD, verdict: str = "pass", reason: str = "inspected") -> Recorded:
    name = f"/parts/{part.value}-{number:07d}.png"
    return Recorded(FrameKey("run", "parts", number), name, 1000.0 + number, verdict, reason, 0, "[]", "{}")


def heard(recorded: Recorded, verdict: str | None = None) -> Receipt:
    said = verdict or recorded.verdict
    return Receipt(recorded.key, said, recorded.reason, recorded.verdict, recorded.reason, recorded.timestamp)


RECORDS = (
    record(0),
    record(1, Part.BAD, "reject"),
    record(2, Part.CORRUPT, "reject", "frame cannot be inspected"),
    record(3, Part.NAN, "reject", "score is not a number"),
    record(4, Part.GOOD, "reject", "no verdict by the deadline"),
)
PARTS = {each.key.number: Laid(each.key.number, Part.of(each.name), 10.0 + each.key.number) for each in RECORDS}


def judged(records: list[Recorded], receipts: list[Receipt] | None = None, **more: object) -> Findings:
    told = [heard(each) for each in records] if receipts is None else receipts
    return judge(records, told, parts=PARTS, **more)  # type: ignore[arg-type]  # what each test adds


def test_a_line_on_which_all_is_well() -> None:
    findings = judged(list(RECORDS))
    assert findings.is_well
    assert findings.in_words() == "nothing is wrong"
    assert (findings.frames, findings.inspected) == (5, 2)


@pytest.mark.parametrize("part", [Part.BAD, Part.CORRUPT, Part.NAN])
def test_a_part_that_must_not_pass_is_found_although_its_record_says_inspected(part: Part) -> None:
    assert len(judged([record(0, part), *RECORDS[1:]]).passed) == 1


def test_a_pass_that_was_not_inspected_is_found() -> None:
    findings = judged([record(0, reason="engine failed"), *RECORDS[1:]])
    assert [said.rpartition(" ")[0] for said in findings.passed] == [
        "run/parts#0 (good, engine failed) on",
        "run/parts#0 at the output, not on record as a",
    ]


def test_a_pass_at_the_output_that_is_a_reject_on_record_is_found() -> None:
    receipts = [heard(each) for each in RECORDS]
    receipts[4] = dataclasses.replace(receipts[4], verdict="pass")
    assert len(judged(list(RECORDS), receipts).passed) == 1


def test_a_late_pass_that_is_told_as_a_reject_is_in_order() -> None:
    receipts = [heard(each) for each in RECORDS]
    receipts[0] = dataclasses.replace(receipts[0], verdict="reject", reason="late at the gate")
    assert judged(list(RECORDS), receipts).is_well


@given(st.integers(0, 4))
def test_a_part_that_is_not_on_record_is_found(number: int) -> None:
    kept = [each for each in RECORDS if each.key.number != number]
    findings = judged(kept, [heard(each) for each in kept])
    assert any(f"-{number}" in said for said in findings.lost)


@given(st.integers(0, 4))
def test_a_part_that_is_on_record_twice_is_found(number: int) -> None:
    again = dataclasses.replace(RECORDS[number], key=FrameKey("run", "parts", 5))
    assert judged([*RECORDS, again]).doubled == [f"part {number} 2 times"]


@given(st.integers(0, 4))
def test_a_verdict_that_the_output_did_not_hear_is_found_unless_the_station_was_killed(number: int) -> None:
    receipts = [heard(each) for each in RECORDS if each.key.number != number]
    assert len(judged(list(RECORDS), receipts).lost) == 1
    excused = judged(list(RECORDS), receipts, killed_runs=("run",))
    assert (excused.lost, excused.untold) == ([], 1)


def test_the_same_verdict_heard_again_is_counted_and_another_one_is_found() -> None:
    receipts = [heard(each) for each in RECORDS]
    assert judged(list(RECORDS), [*receipts, receipts[0]]).repeated == 1
    other = dataclasses.replace(receipts[0], verdict="reject")
    assert len(judged(list(RECORDS), [*receipts, other]).doubled) == 1


def test_a_gap_in_the_numbers_that_nobody_counted_as_dropped_is_found() -> None:
    late = dataclasses.replace(RECORDS[4], key=FrameKey("run", "parts", 9))
    assert len(judged([*RECORDS[:4], late]).lost) == 1
    assert judged([*RECORDS[:4], dataclasses.replace(late, dropped_before=5)]).is_well


def test_a_picture_that_was_never_sent_or_came_twice_is_found() -> None:
    stream = [dataclasses.replace(record(number), name=f"stream#{number}") for number in range(3)]
    identities = {each.key: (Part.GOOD, number) for each, number in zip(stream, (7, 7, 9), strict=True)}
    findings = judge(
        stream, [heard(each) for each in stream], parts={}, identities=identities, stream={7: Laid(7, Part.GOOD, 0.0)}
    )
    assert findings.doubled == ["picture 7 2 times", "picture 9, which was never sent"]
    assert findings.passed == []


def test_a_pass_whose_picture_is_not_known_is_found() -> None:
    nameless = dataclasses.replace(record(0), name="stream#0")
    findings = judge([nameless], [heard(nameless)], parts={}, identities={nameless.key: None})
    assert findings.unidentified == 1
    assert len(findings.passed) == 1


def test_recovery_counts_from_the_outages_end_to_a_frame_that_came_after_it() -> None:
    receipts = [dataclasses.replace(heard(record(number)), at=at) for number, at in ((0, 1.0), (1, 5.2), (2, 5.5))]
    laid = {
        receipt.key: Laid(receipt.key.number, Part.GOOD, at)
        for receipt, at in zip(receipts, (0.9, 4.9, 5.1), strict=True)
    }
    evidence = Evidence([], receipts, [], laid, Findings(), 0.1, 0)
    # The one heard at 5.2 was laid before the end.
    assert recoveries([Outage(4.0, 5.0), Outage(6.0, 6.0)], evidence) == pytest.approx([0.5, float("inf")])


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(value) for value in range(20)], 99) == 19.0


@given(st.sampled_from(Part), st.integers(0, (1 << 24) - 1))
def test_a_code_survives_its_jpeg(part: Part, number: int) -> None:
    image = cv2.imdecode(np.frombuffer(jpeg(coded_picture(part, number)), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert read_code(image.astype(np.uint8)) == (part, number)


def test_a_picture_without_a_whole_code_has_none() -> None:
    image = coded_picture(Part.GOOD, 5)
    image[:16, :20] = 255 - image[:16, :20]
    assert read_code(image) is None
    assert read_code(image[:100]) is None


def test_half_a_line_of_a_ledger_is_a_part_that_was_never_laid(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path / "ledger")
    laid = writer.lay(3, Part.BAD)
    writer.close()
    with (tmp_path / "ledger").open("ab") as stream:
        stream.write(b'{"number": 4, "pa')
    assert read_ledger(tmp_path / "ledger") == {3: laid}


@pytest.mark.parametrize(
    ("name", "number"), [("/a/good-0000017.png", 17), ("nan-3.png", 3), ("stream#5", None), ("good-x.png", None)]
)
def test_the_number_in_a_name(name: str, number: int | None) -> None:
    assert number_of(name) == number


def test_settings_as_toml() -> None:
    document = {"name": "a", "engine": {"threads": 1}, "camera": [{"name": "b", "loop": True, "source": 'c"d'}]}
    said = 'name = "a"\n\n[engine]\nthreads = 1\n\n[[camera]]\nname = "b"\nloop = true\nsource = "c\\"d"\n'
    assert to_toml(document) == said
