"""A coil or line never lets a part through that got no pass of its own."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nand_edge.inspection import Verdict
from nand_edge_runtime.outputs.pulse import Pulse
from nand_edge_runtime.outputs.settings import Energised
from nand_edge_runtime.outputs.told import GateVerdict, Override
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.records import FrameRecord, Reason

steps = st.lists(st.tuples(st.floats(0, 0.3), st.sampled_from(["pass", "reject", "late pass", "look"])), max_size=50)


def verdict(word: str, due: float, *, override: Override | None = None, late: bool = False) -> GateVerdict:
    record = FrameRecord(FrameKey("run", "top", 0), "", 0.0, Verdict(word), Reason.INSPECTED)
    return GateVerdict(record, due, override, late)


@settings(max_examples=80, deadline=None)
@given(steps, st.floats(1, 400))
def test_energised_for_pass_only_within_the_pulse_of_the_last_verdict(
    happened: list[tuple[float, str]], pulse_ms: float
) -> None:
    pulse, now, open_until = Pulse(Energised.PASS, pulse_ms), 0.0, -1.0
    for gap, step in happened:
        now += gap
        if step == "pass":
            pulse.told(verdict("pass", now), now)
            open_until = now + pulse_ms / 1e3
        elif step == "reject":
            pulse.told(verdict("reject", now), now)
            open_until = -1.0
        elif step == "late pass":
            pulse.told(verdict("pass", now - 1, override=Override.LATE, late=True), now)
            open_until = -1.0
        assert pulse.level(now) == (now < open_until)
        assert (pulse.ends(now) is None) == (not pulse.level(now))


@settings(max_examples=80, deadline=None)
@given(steps, st.floats(1, 400))
def test_energised_for_reject_throughout_the_pulse_of_every_reject(
    happened: list[tuple[float, str]], pulse_ms: float
) -> None:
    pulse, now, out_until = Pulse(Energised.REJECT, pulse_ms), 0.0, -1.0
    for gap, step in happened:
        now += gap
        if step == "pass":
            pulse.told(verdict("pass", now), now)
        elif step != "look":
            late = step == "late pass"
            word, override = ("pass", Override.LATE) if late else ("reject", None)
            pulse.told(verdict(word, now, override=override, late=late), now)
            out_until = now + pulse_ms / 1e3
        assert pulse.level(now) == (now < out_until)


def test_a_pass_that_is_told_a_little_late_shuts_when_it_would_have_shut_in_time() -> None:
    pulse = Pulse(Energised.PASS, 100)
    pulse.told(verdict("pass", 10.0), 10.04)
    assert pulse.ends(10.04) == 10.1
    pulse.told(verdict("pass", 20.0), 20.2)
    assert not pulse.level(20.2), "its part has passed"
