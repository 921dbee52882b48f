from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge_export.detectors.adding import add_frames
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.patchcore import PatchCore
from nand_edge_export.fit import Fit, fit


@pytest.fixture(scope="module")
def new_dir(tmp_path_factory: pytest.TempPathFactory, unseen_frames: NDArray[np.uint8]) -> Path:
    """Two frames with a hole that shall count as good."""
    folder = tmp_path_factory.mktemp("new")
    with_hole, moved = unseen_frames[2], np.roll(unseen_frames[2], 24, axis=1)
    for name, frame in (("a", with_hole), ("b", moved)):
        cv2.imwrite(str(folder / f"{name}.png"), frame)
    return folder


@pytest.fixture
def written(tmp_path: Path, detector: PatchCore) -> Path:
    """The detector's file, alone in its folder."""
    write_detector(detector, tmp_path / "textile.detector")
    return tmp_path / "textile.detector"


def test_added_frames_count_as_good_and_no_map_gets_higher(
    new_dir: Path, detector: PatchCore, unseen_frames: NDArray[np.uint8]
) -> None:
    before = [detector.map_of(frame) for frame in unseen_frames]
    addition = add_frames(detector, new_dir)
    after = [addition.detector.map_of(frame) for frame in unseen_frames]
    assert all(bool((new <= old + 1e-5).all()) for new, old in zip(after, before, strict=True))
    assert float(after[2].max()) < 0.7 * float(before[2].max())
    assert max(addition.scores_after) < 0.7 * max(addition.scores_before)
    assert addition.scores_before[0] == pytest.approx(float(before[2].max()), abs=1e-5)


def test_a_tenth_of_the_new_patches_goes_beside_the_old_memory(new_dir: Path, fitted: Fit, detector: PatchCore) -> None:
    assert detector.settings["added_frames"] == 0
    addition = add_frames(detector, new_dir)
    old = len(detector.memory)
    assert addition.patches == 29  # of 2 frames with 12 x 12 patches each
    torch.testing.assert_close(addition.detector.memory[:old], detector.memory, rtol=0, atol=0)
    assert len(addition.detector.memory) == addition.detector.settings["memory_patches"] == old + 29
    torch.testing.assert_close(addition.detector.centre, detector.centre, rtol=0, atol=0)
    assert detector.threshold is fitted.detector.threshold


def test_with_all_their_patches_added_frames_are_known_everywhere(new_dir: Path, detector: PatchCore) -> None:
    everything = add_frames(detector, new_dir, patches=10**6)
    assert everything.patches == 288
    assert max(everything.scores_after) == pytest.approx(0.01, abs=1e-3)


def test_the_threshold_stays_and_says_that_it_is_older(new_dir: Path, detector: PatchCore) -> None:
    once = add_frames(detector, new_dir).detector
    twice = add_frames(once, new_dir).detector
    assert once.threshold is not None
    assert twice.threshold is not None
    assert detector.threshold is not None
    assert once.threshold.value == twice.threshold.value == detector.threshold.value
    assert once.threshold.chosen_by == f"{detector.threshold.chosen_by}, before 2 frames were added to the memory"
    assert twice.threshold.chosen_by == f"{detector.threshold.chosen_by}, before 4 frames were added to the memory"


def test_a_detector_of_another_kind_is_refused(new_dir: Path) -> None:
    april_gan = fit(AprilGanMethod("carpet", clip="nand-tiny"), None).detector
    with pytest.raises(NandEdgeError, match=r"found one of the kind april-gan, needed the kind patchcore"):
        add_frames(april_gan, new_dir)


def test_the_command_changes_the_file_or_writes_another(
    new_dir: Path, detector: PatchCore, written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = written, written.with_name("with_holes.detector")
    assert main(["fit", "--add", str(new_dir), "--to", str(old), "-o", str(new), "--add-patches", "7", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["frames"], report["patches"], report["settings"]["memory_patches"]) == (2, 7, 207)
    assert read_detector(old).settings["memory_patches"] == 200
    assert main(["fit", "--add", str(new_dir), "--to", str(old)]) == 0
    assert "29 patches of 2 frames added, 229 in the memory now" in capsys.readouterr().out
    again = read_detector(old)
    assert isinstance(again, PatchCore)
    expected = add_frames(detector, new_dir).detector
    frame = read_frame(new_dir / "a.png")
    torch.testing.assert_close(again.map_of(frame), expected.map_of(frame), rtol=0, atol=0)
    assert again.record() == expected.record()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--add", "NEW"], "--to: found none beside --add"),
        (["--to", "OLD"], "--add: found none beside --to"),
        (["--add-patches", "5"], "--add: found none"),
        (["--add", "NEW", "--to", "OLD", "--memory-patches", "5"], "arguments of a fit beside it"),
        (["NEW", "--add", "NEW", "--to", "OLD"], "arguments of a fit beside it"),
        (["--add", "NEW", "--to", "OLD", "--add-patches", "0"], "--add-patches: found 0"),
        (["--add", "NEW", "--to", "OLD", "-o", "new.bin"], "needed a file named NAME.detector"),
        (["--add", "NEW", "--to", "NEW/a.png"], "needed format"),
    ],
)
def test_the_command_refuses_what_makes_no_sense_and_leaves_the_file(
    new_dir: Path, written: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    content = written.read_bytes()
    assert main(["fit", *(a.replace("NEW", str(new_dir)).replace("OLD", str(written)) for a in arguments)]) == 1
    error = capsys.readouterr().err
    assert reason in " ".join(error.split())
    assert "Traceback" not in error
    assert written.read_bytes() == content
    assert list(written.parent.iterdir()) == [written]
