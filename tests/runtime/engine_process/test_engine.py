"""An engine judges as the inspector does, in a process of its own and in this one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_bundle import Spot, write_toy_bundle

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge.normality import Normality
from nand_edge.region import make_region
from nand_edge_runtime import Inspector
from nand_edge_runtime.engine_process import Engine, EngineFailure, EngineSettings, open_engine_process
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import PartState

OpenEngine = Callable[..., Engine]
MakeFrame = Callable[..., CameraFrame]

both = pytest.mark.parametrize("isolated", [True, False], ids=["own process", "this process"])


def refusal(engine: Engine, *frames: CameraFrame, timeout_s: float = 5.0) -> EngineFailure:
    with pytest.raises(EngineFailure) as raised:
        engine.inspect(frames, timeout_s=timeout_s)
    return raised.value


def test_it_says_what_the_inspector_says(
    engine: Engine, make_frame: MakeFrame, inspector: Inspector, spot: Spot
) -> None:
    assert engine.device == "onnx on CPU"
    for picture in (spot(), spot(inside=20, outside=120, size=(120, 90)), spot(255, 250, (33, 47))):
        frame = make_frame(image=picture)
        (inspection,) = engine.inspect([frame], timeout_s=5.0)
        expected = inspector.inspect(picture)
        assert (inspection.frame, inspection.index) == (frame.name, frame.key.number)
        assert inspection.timestamp == frame.timestamp
        for name in ("score", "base_score", "threshold", "verdict", "clip_ran", "taps_run", "normalities", "bundle"):
            assert getattr(inspection, name) == getattr(expected, name), name
        for name in ("anomaly_map", "base_map", "suppression_map", "region"):
            np.testing.assert_array_equal(getattr(inspection, name), getattr(expected, name))


def test_a_batch_is_judged_in_one_run_and_in_its_order(engine: Engine, make_frame: MakeFrame) -> None:
    frames = [make_frame(grey) for grey in (200, 10, 130)]
    alone = [engine.inspect([frame], timeout_s=5.0)[0] for frame in frames]
    together = engine.inspect(frames, timeout_s=5.0)
    assert [one.score for one in together] == pytest.approx([one.score for one in alone], abs=1e-6)
    assert [one.frame for one in together] == [frame.name for frame in frames]
    assert engine.inspect([], timeout_s=5.0) == []


def test_maps_stay_as_they_were_when_more_frames_come(engine: Engine, make_frame: MakeFrame) -> None:
    (first,) = engine.inspect([make_frame(200)], timeout_s=5.0)
    before = first.base_map.copy()
    engine.inspect([make_frame(10)], timeout_s=5.0)
    np.testing.assert_array_equal(first.base_map, before)


def test_a_change_holds_from_the_next_frame_on(
    engine: Engine, make_frame: MakeFrame, words: dict[str, Normality]
) -> None:
    frame = make_frame(240)
    assert engine.inspect([frame], timeout_s=5.0)[0].verdict is Verdict.PASS, "bright is normal"
    engine.put_in_force([words["dark"]], 0.25)
    (inspection,) = engine.inspect([frame], timeout_s=5.0)
    assert (inspection.verdict, inspection.normalities, inspection.threshold) == (Verdict.REJECT, ("dark",), 0.25)
    engine.put_in_force([], 0.99)
    (inspection,) = engine.inspect([frame], timeout_s=5.0)
    assert (inspection.verdict, inspection.normalities, inspection.clip_ran) == (Verdict.PASS, (), False)


def test_no_frame_is_judged_by_half_of_a_change(
    engine: Engine, make_frame: MakeFrame, words: dict[str, Normality]
) -> None:
    settings = {("bright",): 0.5, ("dark",): 0.25, ("bright", "dark"): 0.125}
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for names, threshold in settings.items():
                engine.put_in_force([words[name] for name in names], threshold)
                stop.wait(0.0005)

    changing = threading.Thread(target=change, daemon=True)
    changing.start()
    try:
        # 0.8 of a bright frame is left by no normality but `bright`: its score tells by what it was really judged.
        seen = [engine.inspect([make_frame(204)], timeout_s=5.0)[0] for _ in range(60)]
    finally:
        stop.set()
        changing.join()
    for inspection in seen:
        assert settings[inspection.normalities] == inspection.threshold
        assert (inspection.score < 0.01) is ("bright" in inspection.normalities)
    assert len({inspection.normalities for inspection in seen}) > 1, "nothing changed while frames came"


@pytest.mark.parametrize(
    ("image", "detail"),
    [
        (np.zeros((800, 800, 3), np.uint8), "2 MB, more than max_frame_megabytes = 1"),
        (np.zeros((8, 8, 3), np.uint16), "uint16 [8, 8, 3] instead of uint8 [H, W, 3]"),
        (np.zeros((8, 8), np.uint8), "uint8 [8, 8] instead of uint8 [H, W, 3]"),
        (np.zeros((0, 8, 3), np.uint8), "uint8 [0, 8, 3] instead of uint8 [H, W, 3]"),
    ],
    ids=["too large", "16 bits", "grey", "empty"],
)
def test_a_frame_that_no_engine_can_judge_is_refused(
    image: Any, detail: str, engine: Engine, make_frame: MakeFrame
) -> None:
    failure = refusal(engine, make_frame(image=image))
    assert (failure.reason, failure.detail) == (Reason.FRAME_REFUSED, detail)
    assert engine.inspect([make_frame()], timeout_s=5.0)


@both
def test_a_frame_that_the_inspector_refuses_costs_no_other_frame(
    *, isolated: bool, tmp_path: Path, open_engine: OpenEngine, make_frame: MakeFrame
) -> None:
    region = make_region(rectangle="0,0,320,480", frame_size=(640, 480))
    folder = write_toy_bundle(tmp_path / "half.nand", region=region)
    engine = open_engine(folder, isolated=isolated)
    failure = refusal(engine, make_frame(size=(64, 64)))
    assert failure.reason is Reason.FRAME_REFUSED
    assert "the proportions that the region was drawn for" in failure.detail
    assert engine.inspect([make_frame(size=(48, 64))], timeout_s=5.0)
    assert engine.status().state is PartState.RUNNING


def test_frames_of_several_sizes_are_no_batch(engine: Engine, make_frame: MakeFrame) -> None:
    failure = refusal(engine, make_frame(), make_frame(size=(20, 20)))
    assert (failure.reason, failure.detail) == (Reason.FRAME_REFUSED, "frames of different sizes in one batch")


def test_a_batch_takes_no_more_memory_than_the_largest_frame_may(engine: Engine, make_frame: MakeFrame) -> None:
    frames = [make_frame(grey, size=(400, 400)) for grey in (10, 60, 110, 90, 20)]
    inspections = engine.inspect(frames, timeout_s=5.0)
    assert [round(one.base_score * 255) for one in inspections] == [10, 60, 110, 90, 20]


@both
def test_an_engine_gone_wrong_gives_no_number_and_no_pass(
    *, isolated: bool, tmp_path: Path, open_engine: OpenEngine, make_frame: MakeFrame
) -> None:
    engine = open_engine(write_toy_bundle(tmp_path / "wrong.nand", base_gain=float("nan")), isolated=isolated)
    (inspection,) = engine.inspect([make_frame(0)], timeout_s=5.0)
    assert np.isnan(inspection.score)
    assert inspection.verdict is Verdict.REJECT


def test_an_answer_after_its_time_is_nobodys(engine: Engine, make_frame: MakeFrame) -> None:
    late = refusal(engine, make_frame(200, size=(500, 600)), timeout_s=0.0005)
    assert (late.reason, late.detail) == (Reason.DEADLINE, "the engine was too slow")
    frame = make_frame(30)
    (inspection,) = engine.inspect([frame], timeout_s=5.0)
    assert (inspection.frame, round(inspection.base_score * 255)) == (frame.name, 30)
    assert engine.status().facts["restarts"] == 0
    assert refusal(engine, make_frame(), timeout_s=0.0).reason is Reason.DEADLINE


@both
@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"target": "openvinoo"}, "target"),
        ({"provider": "npu"}, "provider"),
        ({"precision": "int8"}, "int8"),
    ],
)
def test_an_engine_that_cannot_be_used_is_refused_in_one_sentence(
    *, isolated: bool, settings: dict[str, str], complaint: str, open_engine: OpenEngine
) -> None:
    with pytest.raises(NandEdgeError, match=f"(?s)^(?!.*Traceback).*{complaint}"):
        open_engine(isolated=isolated, **settings)


@both
def test_a_damaged_bundle_is_refused(*, isolated: bool, own_bundle: Path, open_engine: OpenEngine) -> None:
    with (own_bundle / "graph.onnx").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(NandEdgeError, match=r"graph\.onnx"):
        open_engine(own_bundle, isolated=isolated)
    with pytest.raises(NandEdgeError, match="no folder"):
        open_engine(own_bundle / "nowhere.nand", isolated=isolated)


def test_a_normality_for_another_clip_judges_nothing(
    engine: Engine,
    make_frame: MakeFrame,
    foreign_normality: Normality,
    words: dict[str, Normality],
) -> None:
    engine.put_in_force([foreign_normality], 0.5)
    for _ in range(2):
        assert "another-clip" in refusal(engine, make_frame()).detail, "nor may what was in force before"
    engine.put_in_force([words["dark"]], 0.5)
    assert engine.inspect([make_frame()], timeout_s=5.0)[0].normalities == ("dark",)


@both
def test_before_its_start_and_after_its_end_it_is_not_ready(
    *, isolated: bool, toy_bundle: Path, make_frame: MakeFrame
) -> None:
    engine = open_engine_process(
        toy_bundle, EngineSettings(isolated=isolated), normalities=[], threshold=0.5, on_change=lambda _status: None
    )
    assert engine.device == ""
    assert engine.status().state is PartState.STARTING
    assert refusal(engine, make_frame()).reason is Reason.ENGINE_NOT_READY
    engine.close()
    engine.close()
    assert engine.status().state is PartState.STOPPED
    assert refusal(engine, make_frame()).reason is Reason.ENGINE_NOT_READY
