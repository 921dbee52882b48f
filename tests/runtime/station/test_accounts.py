"""Every frame that enters gets exactly one verdict, on record before the gate acts on it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.accounts import Accounts
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Decided, Dropped, Hub
from nand_edge_runtime.station.records import FrameRecord, Reason, not_inspected


@dataclass
class Happened:
    """A book and a gate that write down what is done to them, in order."""

    steps: list[tuple[str, FrameKey]] = field(default_factory=list)
    acted_on: list[FrameRecord] = field(default_factory=list)
    down: str | None = None

    def entered(self, frame: CameraFrame) -> None:
        self.steps.append(("entered", frame.key))

    def decided(self, decided: Decided) -> None:
        self.steps.append(("on record", decided.record.key))

    def decide(self, record: FrameRecord, taken: float) -> None:
        assert taken == 1.0
        self.steps.append(("at the gate", record.key))
        self.acted_on.append(record)

    def blocked(self) -> str | None:
        return self.down


def frame(number: int = 0) -> CameraFrame:
    return CameraFrame(FrameKey("run", "top", number), np.zeros((4, 4, 3), np.uint8), "top#0", 1.0, 1000.0)


def passing(of: CameraFrame) -> FrameRecord:
    return FrameRecord(of.key, of.name, of.timestamp, Verdict.PASS, Reason.INSPECTED, score=0.1, base_score=0.2)


def test_a_verdict_is_on_record_before_the_gate_hears_of_it() -> None:
    happened = Happened()
    accounts = Accounts(happened, happened, Hub())
    first = frame()
    accounts.enter(first)
    assert accounts.decide(first, passing(first))
    assert [step for step, _ in happened.steps] == ["entered", "on record", "at the gate"]
    assert accounts.settled()


def test_a_second_verdict_changes_nothing() -> None:
    happened = Happened()
    accounts = Accounts(happened, happened, Hub())
    first = frame()
    accounts.enter(first)
    assert accounts.reject(first, Reason.DEADLINE)
    assert not accounts.decide(first, passing(first)), "the engine's late answer came second"
    assert [record.verdict for record in happened.acted_on] == [Verdict.REJECT]
    assert accounts.counts().to_json() == {
        "frames": 1, "pass": 0, "reject": 1, "suppressed": 0, "dropped": 0, "no verdict by the deadline": 1
    }  # fmt: skip


def test_of_two_threads_one_gives_the_verdict() -> None:
    happened = Happened()
    accounts = Accounts(happened, happened, Hub())
    frames = [frame(number) for number in range(300)]
    for entered in frames:
        accounts.enter(entered)
    together = threading.Barrier(2)
    given: list[bool] = []

    def reject_all() -> None:
        together.wait()
        given.extend([accounts.reject(one, Reason.STOPPED) for one in frames])

    threads = [threading.Thread(target=reject_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(given) == len(frames) == len(happened.acted_on) == len({record.key for record in happened.acted_on})


def test_a_pass_that_cannot_be_told_to_the_gate_is_a_reject() -> None:
    happened = Happened(down="output plc is down")
    accounts = Accounts(happened, happened, Hub())
    first = frame()
    accounts.enter(first)
    accounts.decide(first, passing(first))
    (record,) = happened.acted_on
    assert (record.verdict, record.reason, record.detail) == (
        Verdict.REJECT, Reason.OUTPUT_DOWN, "output plc is down"
    )  # fmt: skip
    assert record.score == pytest.approx(0.1), "what was found stays on record"


def test_what_waits_at_the_end_is_rejected() -> None:
    happened = Happened()
    accounts = Accounts(happened, happened, Hub())
    for number in range(3):
        accounts.enter(frame(number))
    assert accounts.reject_open(Reason.STOPPED) == 3
    assert {record.reason for record in happened.acted_on} == {Reason.STOPPED}
    assert accounts.settled()


def test_drops_are_counted_and_never_enter() -> None:
    happened, hub = Happened(), Hub()
    accounts = Accounts(happened, happened, hub)
    hub.publish(Dropped("top", 3))
    assert accounts.counts().dropped == 3
    assert accounts.counts().frames == 0


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.INSPECTED])
def test_no_record_can_pass_for_any_other_reason(reason: Reason) -> None:
    record = not_inspected(frame(), reason, "", latency_ms={})
    assert record.verdict is Verdict.REJECT
    with pytest.raises(ValueError, match="cannot pass"):
        FrameRecord(record.key, record.name, record.timestamp, Verdict.PASS, reason)
