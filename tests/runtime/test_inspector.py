from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from toy_bundle import Spot, toy_normality, write_toy_bundle

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.normality import Normality, write_normality
from nand_edge.suppression import suppress
from nand_edge_runtime import Inspector, Verdict


def test_a_frame_below_the_threshold_passes_without_the_clip_branch(inspector: Inspector, spot: Spot) -> None:
    inspection = inspector.inspect(spot(inside=60))
    assert inspection.verdict is Verdict.PASS
    assert not inspection.clip_ran
    assert not inspection.suppressed
    assert inspection.score == pytest.approx(60 / 255)
    np.testing.assert_array_equal(inspection.suppression_map, 0)
    np.testing.assert_array_equal(inspection.anomaly_map, inspection.base_map)


def test_the_words_turn_a_reject_into_a_pass(inspector: Inspector, spot: Spot) -> None:
    inspection = inspector.inspect(spot())
    assert inspection.base_score > inspector.threshold > inspection.score
    assert inspection.verdict is Verdict.PASS
    assert inspection.clip_ran
    assert inspection.suppressed
    assert inspection.normalities == ("bright",)


def test_maps_obey_equation_6(inspector: Inspector, spot: Spot) -> None:
    inspection = inspector.inspect(spot())
    final, _ = suppress(inspection.base_map[None], inspection.suppression_map[None, None])
    np.testing.assert_allclose(inspection.anomaly_map, final[0], atol=1e-6)
    assert inspection.score == inspection.anomaly_map.max()
    assert inspection.anomaly_map.shape == (256, 256)


def test_normalities_are_switched_between_two_frames(inspector: Inspector, spot: Spot) -> None:
    engine = inspector._backend
    verdicts = []
    for normalities in (["bright"], [], ["dark"], ["dark", "bright"], None):
        inspector.set_normalities(normalities)
        verdicts.append(inspector.inspect(spot()).verdict.value)
    assert verdicts == ["pass", "reject", "reject", "pass", "pass"]
    assert inspector.normalities == ("bright",)
    assert inspector._backend is engine


def test_without_a_normality_the_clip_branch_never_runs(toy_bundle: Path, spot: Spot) -> None:
    with Inspector(toy_bundle, normalities=[]) as inspector:
        inspection = inspector.inspect(spot())
    assert inspection.verdict is Verdict.REJECT
    assert not inspection.clip_ran
    assert inspection.score == inspection.base_score
    assert inspection.normalities == ()


def test_a_normality_comes_from_a_file_or_from_memory(
    inspector: Inspector, own_normality: Normality, tmp_path: Path
) -> None:
    path = tmp_path / "shade.normality"
    write_normality(own_normality, path)
    for choice in (own_normality, path, str(path)):
        inspector.set_normalities([choice])
        assert inspector.normalities == ("shade",)


def test_a_normality_for_another_clip_is_refused_and_nothing_changes(
    inspector: Inspector, foreign_normality: Normality
) -> None:
    with pytest.raises(
        NandEdgeError, match=r"normality 'stain': found features of the CLIP 'another-clip'.*'toy-clip'"
    ):
        inspector.set_normalities(["dark", foreign_normality])
    assert inspector.normalities == ("bright",)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (["rust"], "normality 'rust' of bundle 'toy': found the bundle's normalities: bright, dark"),
        (["bright", "bright"], "normality 'bright': found two of that name"),
        (["missing.normality"], "normality 'missing.normality': found no such file"),
    ],
)
def test_normalities_that_do_not_fit_are_named(inspector: Inspector, choices: list[str], message: str) -> None:
    with pytest.raises(NandEdgeError, match=message):
        inspector.set_normalities(choices)


def test_the_threshold_can_be_set_between_two_frames(inspector: Inspector, spot: Spot) -> None:
    assert inspector.threshold == 0.5
    assert inspector.inspect(spot(inside=100)).verdict is Verdict.PASS
    inspector.set_normalities([])
    inspector.threshold = 0.3
    rejected = inspector.inspect(spot(inside=100))
    assert rejected.verdict is Verdict.REJECT
    assert rejected.threshold == 0.3
    inspector.threshold = rejected.score
    assert inspector.inspect(spot(inside=100)).verdict is Verdict.REJECT, "a score at the threshold is a reject"


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_must_be_a_finite_number(toy_bundle: Path, threshold: float) -> None:
    with pytest.raises(NandEdgeError, match=r"threshold: found (nan|inf), needed a finite number"):
        Inspector(toy_bundle, threshold=threshold)


@pytest.mark.parametrize("normalities", [["bright"], []])
def test_weights_that_are_no_numbers_lead_to_a_reject(tmp_path: Path, spot: Spot, normalities: list[str]) -> None:
    bundle = write_toy_bundle(tmp_path / "nan.nand", base_gain=float("nan"))
    with Inspector(bundle, normalities=normalities) as inspector:
        inspection = inspector.inspect(spot(inside=0, outside=0))
    assert np.isnan(inspection.score)
    assert inspection.verdict is Verdict.REJECT
    assert json.loads(json.dumps(inspection.to_json()))["score"] is None


def test_a_batch_gives_what_single_frames_give(inspector: Inspector, spot: Spot) -> None:
    frames = [spot(inside=value) for value in (60, 150, 240)]
    together = inspector.inspect_batch(frames)
    for inspection, frame in zip(together, frames, strict=True):
        alone = inspector.inspect(frame)
        assert inspection.score == pytest.approx(alone.score, abs=1e-6)
        assert inspection.verdict is alone.verdict
    assert [inspection.index for inspection in together] == [0, 1, 2]


def test_a_batch_is_of_one_size(inspector: Inspector, spot: Spot) -> None:
    with pytest.raises(NandEdgeError, match="found sizes 32x32, 64x48"):
        inspector.inspect_batch([spot(), spot(size=(32, 32))])
    with pytest.raises(NandEdgeError, match="batch of 0 frames: found no frame"):
        inspector.inspect_batch([])


def test_grey_alpha_and_16_bit_frames_give_the_same_verdict(inspector: Inspector, spot: Spot) -> None:
    frame = spot()
    expected = inspector.inspect(frame).score
    grey = frame[:, :, 0]
    alpha = np.dstack([frame, np.full_like(grey, 255)])
    for variant in (grey, alpha, grey.astype(np.uint16) * 257, frame[::-1]):
        assert inspector.inspect(variant).score == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 2), np.uint8),
        np.zeros(8, np.uint8),
    ],
    ids=["empty", "float", "two channels", "one dimension"],
)
def test_frames_that_cannot_be_converted_are_refused(inspector: Inspector, frame: np.ndarray) -> None:
    with pytest.raises(NandEdgeError, match="frame"):
        inspector.inspect(frame)


def test_frames_are_named_and_counted(inspector: Inspector, spot: Spot) -> None:
    first = inspector.inspect(spot())
    named = inspector.inspect(spot(), name="part 7", index=41, timestamp=12.5)
    after = inspector.inspect(spot())
    assert (first.frame, first.index) == ("frame 0", 0)
    assert (named.frame, named.index, named.timestamp) == ("part 7", 41, 12.5)
    assert (after.frame, after.index) == ("frame 42", 42)


def test_latency_is_told_by_stage(inspector: Inspector, spot: Spot) -> None:
    latency = inspector.inspect(spot()).latency_ms
    assert set(latency) == {"prepare", "engine", "verdict", "total"}
    assert latency["total"] >= latency["engine"] > 0


def test_one_json_object_has_all_fields_and_no_map(inspector: Inspector, spot: Spot) -> None:
    document = inspector.inspect(spot()).to_json()
    assert list(document) == [
        "frame", "index", "timestamp", "score", "base_score", "threshold", "verdict", "suppressed", "clip_ran",
        "taps_run", "score_is_bound",
        "normalities", "latency_ms", "bundle",
    ]  # fmt: skip
    assert document["bundle"] == inspector.bundle.sha256


def test_a_closed_inspector_says_so(toy_bundle: Path, spot: Spot) -> None:
    inspector = Inspector(toy_bundle)
    inspector.close()
    inspector.close()
    with pytest.raises(NandEdgeError, match="found a frame after close"):
        inspector.inspect(spot())


def test_normalities_change_while_another_thread_inspects(inspector: Inspector, spot: Spot) -> None:
    """A frame sees one state or the other, whole: names, features and verdict belong together."""
    frame, seen = spot(), []
    stop = threading.Event()

    def inspect_on() -> None:
        while not stop.is_set():
            seen.append(inspector.inspect(frame))

    thread = threading.Thread(target=inspect_on)
    thread.start()
    try:
        for _ in range(30):
            inspector.set_normalities([])
            inspector.set_normalities(["bright"])
            inspector.set_normalities(["dark", toy_normality("gleam", [0, 1])])
    finally:
        stop.set()
        thread.join()
    assert seen
    expected = {(): "reject", ("bright",): "pass", ("dark", "gleam"): "pass"}
    assert all(inspection.verdict.value == expected[inspection.normalities] for inspection in seen)


@pytest.mark.parametrize("file", ["graph.onnx", "normalities/bright.normality", "manifest.json"])
@pytest.mark.parametrize("fault", ["altered", "cut short", "missing"])
def test_a_damaged_bundle_is_refused(own_bundle: Path, file: str, fault: str) -> None:
    path = own_bundle / file
    content = bytearray(path.read_bytes())
    if fault == "altered":
        place = content.rindex(b"toy") if file == "manifest.json" else len(content) // 2
        content[place] ^= 1
        path.write_bytes(content)
    elif fault == "cut short":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
    with pytest.raises(NandEdgeError, match=r"bundle '.*own.nand'.*copy .*bundle again"):
        Inspector(own_bundle)


def test_the_target_that_runs_is_told(inspector: Inspector) -> None:
    assert inspector.target is Target.ONNX
    assert inspector.device == "CPU"
