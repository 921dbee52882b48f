from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.layouts import open_dataset
from nand_edge_export.detectors.protocol import no_progress
from nand_edge_export.training.frames import TrainingFrames, gather


@pytest.fixture
def part(drawn: Path, tmp_path: Path) -> Path:
    """One class of the drawn data set, to be damaged."""
    return Path(shutil.copytree(drawn / "part", tmp_path / "part"))


def some_mask(part: Path) -> Path:
    return next((part / "ground_truth").rglob("*_mask.png"))


def frame_of(part: Path, mask: Path) -> Path:
    return part / "test" / mask.parent.name / mask.name.replace("_mask", "")


def checked(part: Path, *, skip_bad: bool = False) -> TrainingFrames:
    return gather(open_dataset(part)).checked(skip_bad=skip_bad, progress=no_progress)


def test_all_classes_are_gathered_with_their_words(drawn: Path) -> None:
    frames = gather(open_dataset(drawn), objects={"part": "stamped part"})
    assert frames.objects == ("flat part", "stamped part")
    assert [frames.classes.count(place) for place in (0, 1)] == [16, 16]
    assert 20 < frames.defects < len(frames.frames) == 32
    assert gather(open_dataset(drawn), chosen=["part"]).classes == (0,) * 16


def test_visa_is_read_by_its_split(part: Path, tmp_path: Path) -> None:
    mask = some_mask(part)
    rows = [
        "object,split,label,image,mask",
        f"macaroni,test,anomaly,{frame_of(part, mask).relative_to(tmp_path)},{mask.relative_to(tmp_path)}",
    ]
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv" / "1cls.csv").write_text("\n".join(rows), encoding="utf-8")
    frames = gather(open_dataset(tmp_path)).checked(skip_bad=False, progress=no_progress)
    assert frames.objects == ("macaroni",)
    assert frames.defects == 1


def missing_mask(part: Path) -> tuple[Path, str]:
    mask = some_mask(part)
    mask.unlink()
    return frame_of(part, mask), f"no mask for its defect '{mask.parent.name}'"


def mask_of_another_size(part: Path) -> tuple[Path, str]:
    mask = some_mask(part)
    cv2.imwrite(str(mask), np.zeros((90, 80), np.uint8))
    return mask, "80 x 90 pixels, needed 96 x 96"


def damaged_image(part: Path) -> tuple[Path, str]:
    frame = frame_of(part, some_mask(part))
    frame.write_bytes(frame.read_bytes()[:200])
    return frame, "cannot decode"


@pytest.mark.parametrize("damage", [missing_mask, mask_of_another_size, damaged_image])
def test_a_bad_frame_is_named_and_can_be_left_out(part: Path, damage: object) -> None:
    assert callable(damage)
    path, words = damage(part)
    with pytest.raises(NandEdgeError, match=re.escape(str(path)) + f".*{words}"):
        checked(part)
    frames = checked(part, skip_bad=True)
    assert len(frames.frames) == 15
    assert len(frames.left_out) == 1
    assert str(path) in frames.left_out[0]


def test_frames_without_a_defect_teach_nothing(part: Path) -> None:
    frame = frame_of(part, some_mask(part))
    frame.rename(part / "good.png")
    shutil.rmtree(part / "test")
    (part / "test" / "good").mkdir(parents=True)
    (part / "good.png").rename(part / "test" / "good" / "000.png")
    with pytest.raises(NandEdgeError, match="without a defect, needed frames with defects"):
        gather(open_dataset(part))


def test_an_empty_class_and_one_that_is_not_there_are_named(part: Path, drawn: Path) -> None:
    shutil.rmtree(part / "test")
    (part / "test").mkdir()
    with pytest.raises(NandEdgeError, match="class 'part': found no folder of test frames"):
        gather(open_dataset(part))
    with pytest.raises(NandEdgeError, match="class 'bottle'"):
        gather(open_dataset(drawn), chosen=["bottle"])
    with pytest.raises(NandEdgeError, match="--object for class 'bottle'"):
        gather(open_dataset(drawn), objects={"bottle": "glass bottle"})
