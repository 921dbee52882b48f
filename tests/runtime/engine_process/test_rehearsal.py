"""What a change would do to the last frames, found out beside the line and before the change."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from pace import within
from toy_bundle import write_toy_bundle

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge.normality import Normality
from nand_edge_runtime import Inspector
from nand_edge_runtime.engine_process import EngineSettings
from nand_edge_runtime.engine_process.rehearsal import Progress, rehearse
from nand_edge_runtime.station.control import InForce, Rehearsal
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Decided
from nand_edge_runtime.station.records import inspected

MakeFrame = Callable[..., CameraFrame]
Decide = Callable[..., Decided]

NOW = InForce(("bright",), 0.5)


@pytest.fixture
def decide(inspector: Inspector, make_frame: MakeFrame) -> Decide:
    """A frame of one grey value as the station keeps it after its verdict."""

    def make(grey: int) -> Decided:
        frame = make_frame(grey)
        inspection = inspector.inspect(frame.image, name=frame.name)
        record = inspected(frame, inspection, normalities_sha256="", latency_ms={})
        return Decided(record, frame.image, inspection)

    return make


def rehearsed(
    folder: Path,
    frames: list[Decided],
    proposed: InForce,
    words: dict[str, Normality],
    *,
    stop: threading.Event | None = None,
    on_progress: Progress | None = None,
    isolated: bool = True,
) -> Rehearsal:
    return rehearse(
        folder,
        frames,
        now=NOW,
        now_normalities=[words[name] for name in NOW.normalities],
        proposed=proposed,
        proposed_normalities=[words[name] for name in proposed.normalities],
        settings=EngineSettings(threads=1, isolated=isolated),
        on_progress=on_progress,
        stop=stop or threading.Event(),
    )


@pytest.mark.parametrize("isolated", [True, False], ids=["own process", "this process"])
def test_it_tells_which_verdicts_would_change(
    *, isolated: bool, toy_bundle: Path, decide: Decide, words: dict[str, Normality]
) -> None:
    bright, medium, dark = decide(240), decide(100), decide(20)
    told: list[tuple[int, int]] = []
    proposed = InForce((), 0.3)
    rehearsal = rehearsed(
        toy_bundle, [bright, medium, dark], proposed, words,
        on_progress=lambda done, of: told.append((done, of)), isolated=isolated,
    )  # fmt: skip
    assert rehearsal.proposed == proposed
    assert [one.key for one in rehearsal.frames] == [one.record.key for one in (bright, medium, dark)]
    assert [(one.before, one.now, one.proposed) for one in rehearsal.frames] == [
        (Verdict.PASS, Verdict.PASS, Verdict.REJECT),  # nothing says any more that bright is normal
        (Verdict.PASS, Verdict.PASS, Verdict.REJECT),  # and the threshold is lower
        (Verdict.PASS, Verdict.PASS, Verdict.PASS),
    ]
    assert [one.key for one in rehearsal.changed] == [bright.record.key, medium.record.key]
    assert rehearsal.frames[0].score == pytest.approx(240 / 255, abs=1e-3)
    assert (told[0], told[-1]) == ((0, 3), (3, 3))
    assert told == sorted(told)


def test_what_is_in_force_already_changes_nothing(
    toy_bundle: Path, decide: Decide, words: dict[str, Normality]
) -> None:
    rehearsal = rehearsed(toy_bundle, [decide(grey) for grey in (250, 128, 127, 3)], NOW, words)
    assert rehearsal.changed == ()


def test_an_engine_gone_wrong_rejects_here_too(tmp_path: Path, decide: Decide, words: dict[str, Normality]) -> None:
    wrong = write_toy_bundle(tmp_path / "wrong.nand", base_gain=float("nan"))
    rehearsal = rehearsed(wrong, [decide(20)], InForce((), 1e30), words)
    assert [(one.before, one.now, one.proposed) for one in rehearsal.frames] == [
        (Verdict.PASS, Verdict.REJECT, Verdict.REJECT)
    ]


def test_without_a_frame_there_is_nothing_to_try(toy_bundle: Path, words: dict[str, Normality]) -> None:
    with pytest.raises(NandEdgeError, match="no inspected frame yet"):
        rehearsed(toy_bundle, [], NOW, words)


def test_a_station_that_stops_does_not_wait_for_it(
    toy_bundle: Path, decide: Decide, words: dict[str, Normality]
) -> None:
    stop = threading.Event()
    told: list[int] = []

    def stop_it(done: int, _of: int) -> None:
        told.append(done)
        if done:
            stop.set()

    with pytest.raises(NandEdgeError, match="a station that stops"):
        rehearsed(toy_bundle, [decide(9)] * 1000, NOW, words, stop=stop, on_progress=stop_it)
    assert max(told) <= 2, "the frame that is being judged, and none of all the others"


def test_one_that_has_not_begun_is_given_up_too(toy_bundle: Path, decide: Decide, words: dict[str, Normality]) -> None:
    stop = threading.Event()
    stop.set()
    with within(1.0), pytest.raises(NandEdgeError, match="a station that stops"):
        rehearsed(toy_bundle, [decide(9)], NOW, words, stop=stop)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_steps_back_behind_the_line(toy_bundle: Path, decide: Decide, words: dict[str, Normality]) -> None:
    seen: set[int] = set()

    def look(_done: int, _of: int) -> None:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                seen.add(int(fields[16]))

    rehearsed(toy_bundle, [decide(9)], NOW, words, on_progress=look)
    assert seen == {19}
