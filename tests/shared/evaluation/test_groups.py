"""The groups file: the built-in one, short and long ways to write a group, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("yaml")

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DatasetClass, LabelledFrame
from nand_edge.evaluation.groups import Group, check_groups, read_groups, write_groups


def written(folder: Path, text: str) -> Path:
    (folder / "groups.yaml").write_text(text, encoding="utf-8")
    return folder / "groups.yaml"


def test_the_built_in_groups_are_those_of_mvtec_ad() -> None:
    groups = read_groups()
    assert len(groups.classes) == 14
    assert sum(len(of_class) for of_class in groups.classes.values()) == 56
    assert groups.classes["metal_nut"][2] == Group("color", ("color",), "color", "metal nut")
    assert groups.classes["capsule"][3].words == "faulty imprint"


def test_of_the_built_in_groups_those_of_the_data_sets_classes_are_taken() -> None:
    groups = read_groups()
    assert list(groups.choose(["toothbrush", "tile", "bottle"])) == ["bottle", "tile"]
    with pytest.raises(NandEdgeError, match="none of the classes toothbrush"):
        groups.choose(["toothbrush"])


def test_a_group_may_bring_words_and_phrases(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        cell:
          object: solar cell
          stain: {folders: [stain], words: dark stain}
          crack: {folders: [crack, line], phrases: [solar cell with a crack]}
        """,
    )
    assert read_groups(path, object_name="thing").classes["cell"] == (
        Group("stain", ("stain",), "dark stain", "solar cell"),
        Group("crack", ("crack", "line"), "crack", "solar cell", ("solar cell with a crack",)),
    )


def test_a_data_set_of_one_class_needs_no_name_of_it(tmp_path: Path) -> None:
    groups = read_groups(written(tmp_path, "dark_stain: [stain]"), object_name="solar cell")
    assert groups.choose(["whatever"]) == {"whatever": (Group("dark_stain", ("stain",), "dark stain", "solar cell"),)}
    with pytest.raises(NandEdgeError, match="groups without a class, for 2 classes"):
        groups.choose(["one", "two"])


def test_without_a_name_of_the_object_there_are_no_prompts(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="--object"):
        read_groups(written(tmp_path, "stain: [stain]"))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    groups = (Group("a", ("a", "b"), "dark stain", "cell"), Group("c", ("c",), "crack", "cell", ("cell with cracks",)))
    write_groups(tmp_path / "groups.yaml", groups)
    assert read_groups(tmp_path / "groups.yaml").choose(["cell"]) == {"cell": groups}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1, 2]", "list at the top"),
        ("a: [b", "needed YAML"),
        ("", "NoneType at the top"),
        ("tile: {crack: {folder: [crack]}}", "group 'crack': folders: Field required"),
        ("tile: {crack: {folders: [crack], wrods: x}}", "wrods: Extra inputs are not permitted"),
        ("tile: {crack: []}", "List should have at least 1 item"),
        ("tile: {crack: [1]}", "Input should be a valid string"),
        ("tile: {fine: [good]}", "which is normal anyway"),
        ("tile: {object: tile}", "no group of class 'tile'"),
        ("tile: !!python/object/apply:os.system [ls]", "needed YAML"),
    ],
)
def test_a_file_that_is_made_otherwise_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(NandEdgeError, match=sentence):
        read_groups(written(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="No such file"):
        read_groups(tmp_path / "groups.yaml")


def test_groups_of_the_users_own_must_fit_the_data_set(tmp_path: Path) -> None:
    groups = read_groups(written(tmp_path, "tile: {crack: [crack]}"))
    with pytest.raises(NandEdgeError, match="found class 'tile', needed classes that the data set has: wood"):
        groups.choose(["wood"])
    with pytest.raises(NandEdgeError, match="no class 'wood'"):
        groups.choose(["wood", "tile"], ["wood"])


def test_a_group_must_be_among_the_test_frames_and_leave_some_defect() -> None:
    tile = DatasetClass("tile", (), (LabelledFrame(Path("a.png"), ("crack",)), LabelledFrame(Path("b.png"), ("oil",))))
    crack = Group("crack", ("crack",), "crack", "tile")
    check_groups(tile, [crack])
    with pytest.raises(NandEdgeError, match="no test frame of 'hole', needed names among crack, oil"):
        check_groups(tile, [crack, Group("hole", ("hole",), "hole", "tile")])
    with pytest.raises(NandEdgeError, match="no test frame of any other defect"):
        check_groups(tile, [Group("all", ("crack", "oil"), "damage", "tile")])
