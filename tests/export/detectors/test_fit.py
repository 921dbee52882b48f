from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.fit import Fit, fit, hold_out


def test_the_threshold_is_the_highest_score_of_frames_that_were_held_out(good_dir: Path, fitted: Fit) -> None:
    _, unseen = hold_out(list_images(good_dir), 0.1, seed=0)
    detector = fitted.detector
    assert detector.preprocessing is not None
    frames = np.stack([read_frame(path) for path in unseen])
    expected = float(detector(detector.preprocessing.prepare(frames)).max())
    assert detector.threshold is not None
    assert detector.threshold.value == pytest.approx(expected, abs=1e-5)
    assert detector.threshold.chosen_by == "maximum of 1 held-out good frames"
    assert fitted.frames == 11


def test_no_frame_is_both_fitted_on_and_held_out(good_dir: Path) -> None:
    frames = list_images(good_dir)
    for seed in range(5):
        seen, unseen = hold_out(frames, 0.25, seed=seed)
        assert len(unseen) == 3
        assert sorted(seen + unseen) == frames


def test_the_same_seed_gives_the_same_detector(good_dir: Path, small_method: PatchCoreMethod, fitted: Fit) -> None:
    again = fit(small_method, good_dir).detector
    other = fit(small_method, good_dir, seed=1).detector
    memory = fitted.detector.tensors()["memory"]
    torch.testing.assert_close(again.tensors()["memory"], memory, rtol=0, atol=0)
    assert not torch.equal(other.tensors()["memory"], memory)


def test_few_frames_are_all_fitted_on_and_choose_no_threshold(
    tmp_path: Path, good_dir: Path, small_method: PatchCoreMethod
) -> None:
    for path in list_images(good_dir)[:4]:
        cv2.imwrite(str(tmp_path / path.name), read_frame(path)[..., 0])
    few = fit(small_method, tmp_path)
    assert (few.frames, few.unseen_scores, few.detector.threshold) == (4, (), None)


def test_every_stage_tells_its_progress_to_the_end(good_dir: Path, small_method: PatchCoreMethod) -> None:
    last: dict[str, tuple[int, int]] = {}
    fit(small_method, good_dir, progress=lambda stage, done, total: last.update({stage: (done, total)}))
    assert last == {"backbone": (1, 1), "features": (11, 11), "coreset": (200, 200), "threshold": (1, 1)}


def test_the_memory_may_be_a_share_of_all_patches(good_dir: Path) -> None:
    shared = fit(PatchCoreMethod(input_size=96, memory_share=0.1), good_dir)
    assert shared.detector.settings["memory_patches"] == 158  # of 11 frames with 12 x 12 patches each


def test_zero_shot_april_gan_needs_no_frames_and_takes_its_threshold_from_all_there_are(good_dir: Path) -> None:
    method = AprilGanMethod("carpet", clip="nand-tiny")
    assert fit(method, None).detector.threshold is None
    with_frames = fit(method, good_dir)
    assert with_frames.frames == 0
    assert with_frames.detector.threshold is not None
    assert with_frames.detector.threshold.chosen_by == "maximum of 12 good frames"


@pytest.mark.parametrize("holdout", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_makes_no_sense_is_refused(good_dir: Path, small_method: PatchCoreMethod, holdout: float) -> None:
    with pytest.raises(NandEdgeError, match="--holdout"):
        fit(small_method, good_dir, holdout=holdout)


def test_a_damaged_photograph_is_named(tmp_path: Path, small_method: PatchCoreMethod) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xda no end")
    with pytest.raises(NandEdgeError, match=r"broken\.jpg.*cut short"):
        fit(small_method, tmp_path)


def test_the_command_writes_a_detector_and_reports_in_json(
    tmp_path: Path, good_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "textile.detector"
    options = ["--input-size", "96", "--memory-patches", "50", "--json"]
    assert main(["fit", str(good_dir), "-o", str(output), *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["kind"], report["frames"], report["unseen_frames"]) == ("patchcore", 11, 1)
    assert report["settings"]["memory_patches"] == 50
    assert [path.name for path in tmp_path.iterdir()] == ["textile.detector"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--clip", "nand-tiny"], "--clip: found it with --method patchcore"),
        (["--method", "april-gan", "--backbone", "resnet18"], "--backbone: found it with --method april-gan"),
        (["--object", "carpet"], "--object: found it with --method patchcore, needed --method april-gan or winclip"),
        (["--method", "april-gan"], "--object"),
        (["--method", "april-gan", "--object", "carpet", "--shots", "nowhere"], "--shots: found 'nowhere'"),
        (["--method", "winclip", "--object", "carpet", "--clip", "nand-tiny"], "no vision transformer of open_clip"),
        (["--method", "guess"], "--method: found 'guess', needed one of patchcore, april-gan, winclip"),
        (["--memory-patches", "0"], "--memory-patches: found 0"),
        (["--memory-patches", "50", "--candidates", "10"], "--candidates: found 10"),
        (["--memory-patches", "50", "--memory-share", "0.1"], "--memory-share: found --memory-patches too"),
        (["--memory-share", "1.5"], "--memory-share: found 1.5"),
        (["--memory-share", "nan"], "--memory-share: found nan"),
        (["--image-score", "mean"], "--image-score: found 'mean'"),
    ],
)
def test_the_command_refuses_options_that_make_no_sense_and_writes_nothing(
    tmp_path: Path, good_dir: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert main(["fit", str(good_dir), "-o", str(tmp_path / "x.detector"), *arguments]) == 1
    error = capsys.readouterr().err
    assert reason in " ".join(error.split())
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
