"""Verdicts leave for the gate in order, and none before its frame is there, by time and by the conveyor's place."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.outputs.schedule import Schedule
from nand_edge_runtime.outputs.told import GateVerdict, Override
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.records import FrameRecord, Reason


def record(number: int, verdict: Verdict = Verdict.PASS, position: float | None = None, camera: str = "top") -> Any:
    return FrameRecord(
        FrameKey("run", camera, number), f"{camera}#{number}", 0.0, verdict, Reason.INSPECTED, position=position
    )


def numbers(told: list[GateVerdict]) -> list[int]:
    return [verdict.record.key.number for verdict in told]


def test_without_a_delay_a_verdict_is_told_at_once() -> None:
    (told,) = Schedule(GateSettings()).add(record(0), taken=1.0, now=1.03)
    assert (told.due, told.override, told.verdict) == (1.03, None, Verdict.PASS)


def test_by_time_each_frame_is_told_when_it_is_at_the_gate() -> None:
    schedule = Schedule(GateSettings(delay_ms=1000, camera_delays={"side": 500}))
    assert schedule.add(record(0), taken=10.0, now=10.05) == []
    assert schedule.add(record(1, camera="side"), taken=10.1, now=10.15) == []
    assert schedule.next_due(10.2) == pytest.approx(0.4)
    assert schedule.due(10.59) == []
    (side,) = schedule.due(10.6)
    assert (side.record.key.camera, side.due) == ("side", 10.6)
    assert numbers(schedule.due(11.5)) == [0]
    assert schedule.next_due(11.5) is None


def test_a_verdict_that_comes_when_its_frame_has_passed_is_told_at_once_with_its_true_time() -> None:
    (told,) = Schedule(GateSettings(delay_ms=100)).add(record(0), taken=10.0, now=10.5)
    assert told.due == pytest.approx(10.1), "so that the output sees that it is late"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 0.4), st.booleans()), min_size=1, max_size=40),
    st.floats(0.05, 1.0),
    st.floats(0.02, 0.1),
)
def test_by_time_in_order_and_never_early(
    frames: list[tuple[float, float, bool]], delay_s: float, step_s: float
) -> None:
    """Frames are taken one after the other, are decided in any order, and the gate looks whenever it looks."""
    schedule = Schedule(GateSettings(delay_ms=delay_s * 1e3))
    taken, arrivals = 0.0, []
    for number, (gap, thinking, is_pass) in enumerate(frames):
        taken += gap
        arrivals.append((taken + thinking, taken, record(number, Verdict.PASS if is_pass else Verdict.REJECT)))
    arrivals.sort(key=lambda one: one[0])
    places = {one[2].key.number: one[1] + delay_s for one in arrivals}
    told: list[tuple[float, GateVerdict]] = []
    now = 0.0
    while arrivals or len(schedule):
        now += step_s
        while arrivals and arrivals[0][0] <= now:
            at, was_taken, decided = arrivals.pop(0)
            told += [(at, one) for one in schedule.add(decided, was_taken, at)]
        told += [(now, one) for one in schedule.due(now)]
    assert sorted(one.record.key.number for _, one in told) == list(range(len(frames))), "each once"
    for at, one in told:
        assert at >= places[one.record.key.number] - 1e-9, "never before its place"
        assert one.due == pytest.approx(places[one.record.key.number])
    in_time = [number for number, (_, thinking, _) in enumerate(frames) if thinking <= delay_s]
    order = [number for number in numbers([one for _, one in told]) if number in in_time]
    assert order == in_time, "those in time in the order in which they pass the gate"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("move"), st.floats(0, 60)),
            st.tuples(st.just("back"), st.floats(0, 20)),
            st.tuples(st.just("frame"), st.booleans()),
            st.tuples(st.just("stand"), st.just(0.0)),
            st.tuples(st.just("new roll"), st.just(0.0)),
        ),
        max_size=80,
    ),
    st.one_of(st.none(), st.just(1000.0)),
)
def test_by_place_in_order_never_early_and_each_once(steps: list[tuple[str, Any]], counter_range: float | None) -> None:
    """A conveyor that moves, stands, jogs back, and whose counter goes round or is set to 0 for a new roll."""
    schedule = Schedule(GateSettings(delay_ticks=100, jump_back=50, counter_range=counter_range))
    true_place, counter, number, now = 0.0, 500.0, 0, 0.0
    at_camera: dict[int, float] = {}
    told: list[tuple[float, GateVerdict]] = []

    def report() -> None:
        told.extend((true_place, one) for one in schedule.position(counter, now))

    report()
    for step, amount in steps:
        now += 0.1
        if step in ("move", "back"):
            moved = amount if step == "move" else -min(amount, true_place)
            true_place += moved
            counter = counter + moved if counter_range is None else (counter + moved) % counter_range
        elif step == "new roll" and counter_range is None:
            counter = min(0.0, counter - 51)
        elif step == "frame":
            at_camera[number] = true_place
            report()
            verdict = Verdict.PASS if amount else Verdict.REJECT
            told.extend((true_place, one) for one in schedule.add(record(number, verdict, position=counter), now, now))
            number += 1
        report()
    told.extend((true_place, one) for one in schedule.close(now))
    assert sorted(numbers([one for _, one in told])) == list(range(number)), "each once"
    for place, one in told:
        known = one.override is None
        if known:
            assert place >= at_camera[one.record.key.number] + 100 - 1e-6, "never before its place"
        assert known or one.verdict is Verdict.REJECT, "of unknown place, or at the end: a reject"
    placed = [at_camera[one.record.key.number] for _, one in told if one.override is None]
    assert all(first <= second + 20 + 1e-6 for first, second in itertools.pairwise(placed))


def test_a_conveyor_that_stands_keeps_its_verdicts() -> None:
    schedule = Schedule(GateSettings(delay_ticks=100))
    schedule.position(0, 0.0)
    assert schedule.add(record(0, position=0.0), 0.0, 0.1) == []
    for second in range(1, 100):
        assert schedule.position(99.0, float(second)) == []
        assert schedule.due(second + 0.5) == []
    (told,) = schedule.position(101.0, 100.0)
    assert told.due == 100.0, "in time, however long it stood"


def test_a_new_roll_leaves_no_pass_behind() -> None:
    schedule = Schedule(GateSettings(delay_mm=100))
    schedule.position(5000.0, 0.0)
    schedule.add(record(0, position=5000.0), 0.0, 0.0)
    schedule.add(record(1, Verdict.REJECT, position=5000.0), 0.0, 0.0)
    lost = schedule.position(0.0, 1.0)
    assert numbers(lost) == [0, 1]
    assert [one.override for one in lost] == [Override.PLACE_UNKNOWN] * 2
    assert {one.verdict for one in lost} == {Verdict.REJECT}
    (straggler,) = schedule.add(record(2, position=5001.0), 0.9, 1.1)
    assert straggler.override is Override.PLACE_UNKNOWN, "taken on the old roll, decided on the new"
    assert schedule.add(record(3, position=0.0), 1.0, 1.1) == []
    assert numbers(schedule.position(100.0, 2.0)) == [3]


def test_a_counter_that_goes_round_is_no_new_roll() -> None:
    schedule = Schedule(GateSettings(delay_ticks=100, counter_range=65536))
    schedule.position(65530, 0.0)
    schedule.add(record(0, position=65530), 0.0, 0.0)
    assert schedule.position(50, 1.0) == [], "56 ticks on"
    (told,) = schedule.position(94, 2.0)
    assert told.override is None


def test_a_frame_without_a_place_is_a_reject_where_the_gate_goes_by_place() -> None:
    schedule = Schedule(GateSettings(delay_ticks=100))
    (told,) = schedule.add(record(0), 0.0, 0.0)
    assert (told.verdict, told.override) == (Verdict.REJECT, Override.PLACE_UNKNOWN)
    schedule.position(float("nan"), 0.0)
    (told,) = schedule.add(record(1, position=float("inf")), 0.0, 0.0)
    assert told.override is Override.PLACE_UNKNOWN


def test_between_reports_the_place_is_estimated_only_where_that_is_wanted() -> None:
    patient, estimating = (Schedule(GateSettings(delay_ticks=100, estimate_ms=value)) for value in (0, 200))
    for schedule in (patient, estimating):
        schedule.position(0.0, 0.0)
        schedule.add(record(0, position=0.0), 0.0, 0.0)
        schedule.position(90.0, 0.1)
    assert patient.due(0.2) == []
    assert patient.next_due(0.1) is None
    assert estimating.due(0.105) == []
    assert estimating.next_due(0.1) == pytest.approx(10 / 900)
    assert numbers(estimating.due(0.112)) == [0]


def test_the_estimate_ends_when_the_encoder_is_silent() -> None:
    schedule = Schedule(GateSettings(delay_ticks=1000, estimate_ms=200))
    schedule.position(0.0, 0.0)
    schedule.add(record(0, position=0.0), 0.0, 0.0)
    schedule.position(90.0, 0.1)
    assert schedule.due(60.0) == [], "270 ticks on at most, for all that is known"


def test_a_pass_beside_a_reject_goes_with_it() -> None:
    schedule = Schedule(GateSettings(delay_ms=1000, minimum_distance=50))
    for number, (taken, verdict) in enumerate([(0.0, "pass"), (0.03, "reject"), (0.07, "pass"), (0.1, "pass")]):
        schedule.add(record(number, Verdict(verdict)), taken, 0.2)
    told = schedule.due(2.0)
    assert [one.verdict.value for one in told] == ["reject", "reject", "reject", "pass"]
    assert [one.override for one in told] == [Override.TOO_CLOSE, None, Override.TOO_CLOSE, None]


def test_more_verdicts_than_can_be_held_back_are_rejects() -> None:
    schedule = Schedule(GateSettings(delay_ms=1000, waiting=2))
    for number in range(2):
        schedule.add(record(number), 0.0, 0.0)
    assert schedule.full
    (told,) = schedule.add(record(2), 0.0, 0.0)
    assert (told.override, told.verdict) == (Override.TOO_MANY, Verdict.REJECT)
