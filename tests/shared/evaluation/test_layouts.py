"""Data sets as they lie on disk: MVTec AD, one class of it, VisA, and what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DamagedFrameError, LabelledFrame, read_mask
from nand_edge.evaluation.layouts import open_dataset
from nand_edge.evaluation.layouts.mvtec import link_class


def image(path: Path, size: tuple[int, int] = (8, 12), level: int = 128) -> Path:
    """A grey image of height and width `size`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size, level, np.uint8))
    return path


def mvtec_class(root: Path) -> Path:
    for relative in (
        "train/good/000",
        "test/good/000",
        "test/crack/000",
        "test/crack/001",
        "ground_truth/crack/000_mask",
    ):
        image(root / f"{relative}.png")
    return root


def visa(root: Path) -> Path:
    for relative in ("Normal/0000.JPG", "Normal/0001.JPG", "Anomaly/000.JPG", "Anomaly/001.JPG"):
        image(root / "candle/Data/Images" / relative)
    (root / "split_csv").mkdir()
    (root / "split_csv/1cls.csv").write_text(
        "object,split,label,image,mask\n"
        "candle,train,normal,candle/Data/Images/Normal/0000.JPG,\n"
        "candle,test,normal,candle/Data/Images/Normal/0001.JPG,\n"
        "candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png\n"
        "candle,test,anomaly,candle/Data/Images/Anomaly/001.JPG,candle/Data/Masks/Anomaly/001.png\n",
        encoding="utf-8",
    )
    (root / "candle/image_anno.csv").write_text(
        "image,label,mask\n"
        "candle/Data/Images/Anomaly/000.JPG,wax melded out,candle/Data/Masks/Anomaly/000.png\n"
        'candle/Data/Images/Anomaly/001.JPG,"foreign particals, other",candle/Data/Masks/Anomaly/001.png\n',
        encoding="utf-8",
    )
    return root


def test_a_class_folder_alone_is_a_data_set_of_one_class(tmp_path: Path) -> None:
    dataset = open_dataset(mvtec_class(tmp_path / "tile"))
    assert dataset.class_names == ("tile",)
    found = dataset.read_class("tile")
    assert [path.name for path in found.good] == ["000.png"]
    assert [(frame.label, frame.path.name, frame.mask is not None) for frame in found.test] == [
        ("crack", "000.png", True),
        ("crack", "001.png", False),
        ("good", "000.png", False),
    ]
    assert found.kinds == ("crack",)


def test_a_folder_of_classes_leaves_other_things_aside(tmp_path: Path) -> None:
    mvtec_class(tmp_path / "tile")
    mvtec_class(tmp_path / "wood")
    (tmp_path / "notes").mkdir()
    (tmp_path / "readme.txt").write_text("read me", encoding="utf-8")
    assert open_dataset(tmp_path).class_names == ("tile", "wood")


def test_visa_knows_the_defects_of_a_frame_that_has_several(tmp_path: Path) -> None:
    dataset = open_dataset(visa(tmp_path))
    assert (dataset.layout.name, dataset.class_names) == ("visa", ("candle",))
    found = dataset.read_class("candle")
    assert [path.name for path in found.good] == ["0000.JPG"]
    assert [frame.kinds for frame in found.test] == [(), ("wax melded out",), ("foreign particals", "other")]
    assert found.test[1].mask == tmp_path / "candle/Data/Masks/Anomaly/000.png"


def test_visa_without_names_of_defects_has_one_kind(tmp_path: Path) -> None:
    (visa(tmp_path) / "candle/image_anno.csv").unlink()
    assert open_dataset(tmp_path).read_class("candle").kinds == ("anomaly",)


def test_a_list_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    split = visa(tmp_path) / "split_csv/1cls.csv"
    split.write_text(split.read_text("utf-8").replace("candle/Data/Images/Normal", "../secret"), encoding="utf-8")
    with pytest.raises(NandEdgeError, match="leaves the folder"):
        open_dataset(tmp_path).read_class("candle")


def test_a_list_with_other_columns_is_refused(tmp_path: Path) -> None:
    (visa(tmp_path) / "split_csv/1cls.csv").write_text("image,what\na.png,b\n", encoding="utf-8")
    with pytest.raises(NandEdgeError, match="columns object, split, label, image, mask"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [("train/good", "no image directly in it|nothing there"), ("test", "no folder of test frames")],
)
def test_an_empty_class_is_refused(tmp_path: Path, missing: str, sentence: str) -> None:
    root = mvtec_class(tmp_path / "tile")
    for path in (root / missing).rglob("*.png"):
        path.unlink()
    if missing == "test":
        for folder in (root / "test").iterdir():
            folder.rmdir()
    with pytest.raises(NandEdgeError, match=sentence):
        open_dataset(root).read_class("tile")


@pytest.mark.parametrize("name", ["nothing", "."])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NandEdgeError, match=r"train/good and test/<defect>"):
        open_dataset(tmp_path / name)


def test_a_class_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="class 'wood': found the classes tile"):
        open_dataset(mvtec_class(tmp_path / "tile")).read_class("wood")


def test_images_that_lie_elsewhere_become_a_class_of_links(tmp_path: Path) -> None:
    frames = [image(tmp_path / f"photos/{number}.png") for number in range(3)]
    link_class(tmp_path / "tile", frames[:1], {"good": frames[1:2], "crack": frames[2:]})
    found = open_dataset(tmp_path / "tile").read_class("tile")
    assert [frame.label for frame in found.test] == ["crack", "good"]
    assert found.test[0].path.resolve() == frames[2]
    with pytest.raises(NandEdgeError, match="that it is there"):
        link_class(tmp_path / "tile", [], {})


def test_a_mask_marks_all_that_is_not_black(tmp_path: Path) -> None:
    mask = np.zeros((8, 12), np.uint8)
    mask[2, 3] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    assert read_mask(tmp_path / "mask.png", (8, 12)).nonzero() == (np.array([2]), np.array([3]))


def test_a_mask_of_another_size_damages_its_frame(tmp_path: Path) -> None:
    frame = LabelledFrame(image(tmp_path / "a.png"), ("crack",), image(tmp_path / "mask.png", (8, 8)))
    with pytest.raises(DamagedFrameError, match="found 8 x 8 pixels, needed 12 x 8, as its frame has"):
        frame.read()


def test_a_frame_that_is_gone_or_no_image_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no pixels", encoding="utf-8")
    with pytest.raises(DamagedFrameError, match="cannot decode"):
        LabelledFrame(tmp_path / "text.png").read()
    with pytest.raises(DamagedFrameError, match="No such file"):
        LabelledFrame(tmp_path / "gone.png").sha256()
