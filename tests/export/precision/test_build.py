"""Engines of lower precision in a real bundle, from the frames to what its record says."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import AccuracyRecord, EngineState, Target
from nand_edge_export.engines import BUILDERS, BuildOptions
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.precision_choice import Candidate, choose_precision, fastest
from nand_edge_export.precision import PRECISIONS, precisions_of
from nand_edge_runtime import Inspector

# Every layer may be rounded: looking for those that may not takes a minute.
ANY_ERROR = 1e9


@pytest.fixture(scope="module")
def frames(good_dir: Path, unseen_frames: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for path in sorted(good_dir.iterdir())[:3]:
        shutil.copy(path, folder)
    for number, frame in enumerate(unseen_frames):
        cv2.imwrite(str(folder / f"unseen-{number}.png"), frame)
    return folder


@pytest.fixture
def copied(bundle: Bundle, tmp_path: Path) -> Bundle:
    return open_bundle(shutil.copytree(bundle.folder, tmp_path / "fabric.nand"))


@pytest.fixture(scope="module")
def built(bundle: Bundle, frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = shutil.copytree(bundle.folder, tmp_path_factory.mktemp("int8") / "fabric.nand")
    return build_engine(open_bundle(folder), Target.ONNX, _options(frames))


def _options(frames: Path) -> BuildOptions:
    return BuildOptions(precision="int8", frames=frames, allowed_error=ANY_ERROR)


def test_every_precision_belongs_to_a_target_that_can_be_built() -> None:
    assert set(PRECISIONS) == set(BUILDERS)
    assert all(precisions_of(target)[0] == "fp32" for target in BUILDERS)


def test_an_int8_engine_is_compared_with_fp32(built: Bundle) -> None:
    record = built.manifest.engines[-1]

    assert [each.precision for each in built.manifest.engines] == ["fp32", "int8"]
    assert (record.target, record.precision, record.file) == (Target.ONNX, "int8", "engines/onnx/int8.onnx")
    assert record.state is EngineState.PARITY_CHECKED
    assert record.lowered_by["layers_rounded"] == 81
    assert record.accuracy is not None
    assert record.accuracy.frames == 6
    assert record.accuracy.compared_with == "onnx fp32"
    assert record.accuracy.speed_ratio
    assert 0 < record.accuracy.p99_map_error < record.accuracy.max_map_error


def test_the_record_says_what_the_engine_really_does(built: Bundle, frames: Path) -> None:
    record = built.manifest.engines[-1].accuracy
    assert record is not None
    errors = []
    with Inspector(built) as exact, Inspector(built, target="onnx", precision="int8") as lowered:
        exact.complete = lowered.complete = True
        for path in sorted(frames.iterdir()):
            frame = cv2.imread(str(path))
            errors.append(abs(exact.inspect(frame).score - lowered.inspect(frame).score))

    assert max(errors) == pytest.approx(record.max_score_error, rel=1e-4)


def test_the_bundle_stays_whole_and_info_shows_the_figures(built: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(built.folder)]) == 0

    shown = " ".join(capsys.readouterr().out.split())
    assert "Accuracy of lower precisions" in shown
    assert "onnx int8" in shown


def test_int8_without_frames_is_refused(copied: Bundle) -> None:
    with pytest.raises(NandEdgeError, match="--frames DIR"):
        build_engine(copied, Target.ONNX, BuildOptions(precision="int8"))

    assert not (copied.folder / "engines").exists()


def test_a_precision_that_the_target_lacks_is_refused(copied: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(copied.folder), "--target", "onnx", "--precision", "fp8"]) == 1

    error = capsys.readouterr().err
    assert error.startswith("precision 'fp8': found target 'onnx', needed one of fp32, fp16, int8; choose one of these")
    assert error.count("\n") == 1


def _candidate(precision: str, speed: float, changed: int, auroc: float | None = None) -> Candidate:
    figures = {"frames": 1000, "compared_with": "onnx fp32", "max_score_error": 0.0, "verdicts_changed": changed}
    labelled = {} if auroc is None else {"auroc": auroc, "auroc_of_compared": 0.9}
    return Candidate(precision, AccuracyRecord.model_validate({**figures, **labelled, "speed_ratio": speed}))


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ([_candidate("int8", 3.0, 5), _candidate("bf16", 2.0, 0)], "int8"),
        ([_candidate("int8", 3.0, 6), _candidate("bf16", 2.0, 0)], "bf16"),
        ([_candidate("int8", 3.0, 0, 0.894), _candidate("bf16", 2.0, 0, 0.896)], "bf16"),
        ([_candidate("int8", 0.9, 0), Candidate("fp32")], "fp32"),
        ([_candidate("int8", 3.0, 6)], None),
    ],
)
def test_the_automatic_choice_is_the_fastest_within_the_loss(candidates: list[Candidate], expected: str | None) -> None:
    chosen = fastest(candidates, 0.005)

    assert (chosen and chosen.precision) == expected


def test_the_automatic_choice_leaves_nothing_behind_that_it_did_not_take(copied: Bundle, frames: Path) -> None:
    choice = choose_precision(copied, Target.ONNX, _options(frames), max_loss=-1.0)

    assert [each.precision for each in choice.candidates] == list(precisions_of(Target.ONNX))
    assert choice.chosen.precision == "fp32"
    assert "fp32" in choice.reason
    json.dumps(choice.to_json())
    (kept,) = choice.bundle.manifest.engines
    assert kept.chosen_because == choice.reason
    assert not (copied.folder / "engines/onnx/int8.onnx").exists()
    open_bundle(copied.folder)


def test_the_automatic_choice_needs_frames(copied: Bundle) -> None:
    with pytest.raises(NandEdgeError, match="--frames DIR"):
        choose_precision(copied, Target.ONNX, replace(BuildOptions(), precision="auto"), max_loss=0.005)
