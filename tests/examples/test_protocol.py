"""The demo's arithmetic: which verdicts changed, rightly and wrongly; and its cells, for itself and as a data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from nand_edge.evaluation.dataset import GOOD, LabelledFrame
from nand_edge.evaluation.groups import read_groups
from nand_edge.evaluation.layouts import open_dataset
from nand_edge.evaluation.protocol import Pair
from nand_edge.inspection import Verdict
from solar_cells.cells import DEVELOPMENT_LABELS, GROUPS, SHOTS, good_cells, labelled_cells, link_folder
from solar_cells.dataset import write_dataset
from solar_cells.protocol import GroupResult

STAIN = GROUPS[0]
PASS, REJECT = Verdict.PASS, Verdict.REJECT


def result(kinds: str, before: list[float], after: list[float], verdicts: list[Verdict]) -> GroupResult:
    cells = tuple(
        LabelledFrame(Path(f"{place}.png"), () if kind == GOOD else (kind,)) for place, kind in enumerate(kinds.split())
    )
    pair = Pair("cell", STAIN, cells, np.array(before), np.array(after), threshold=0.5)
    return GroupResult(pair, verdicts_after=tuple(verdicts))


def test_words_that_work_turn_a_stained_cell_to_pass() -> None:
    found = result("good stain crack", [0.1, 0.9, 0.7], [0.1, 0.2, 0.7], [PASS, PASS, REJECT])
    assert [cell.path.name for cell in found.released] == ["1.png"]
    assert found.missed == ()
    assert found.right_verdicts(found.verdicts_before) == 2
    assert found.right_verdicts(found.verdicts_after) == 3


def test_an_anomalous_cell_that_passes_with_the_words_is_counted_as_wrong() -> None:
    found = result("good stain crack crack", [0.1, 0.9, 0.7, 0.4], [0.1, 0.8, 0.3, 0.4], [PASS, REJECT, PASS, PASS])
    assert [cell.path.name for cell in found.missed] == ["2.png"]  # the last one passed before, too
    assert found.released == ()


def test_a_good_cell_that_was_rejected_by_mistake_counts_as_released() -> None:
    found = result("good crack", [0.6, 0.9], [0.4, 0.9], [PASS, REJECT])
    assert [cell.label for cell in found.released] == [GOOD]


def test_the_labels_are_63_cells_of_the_three_groups_and_good_ones(tmp_path: Path) -> None:
    groups = [cell.label for cell in labelled_cells(tmp_path)]
    counts = {name: groups.count(name) for name in set(groups)}
    assert counts == {"stain": 6, "crack": 23, "finger": 10, "good": 24}
    assert {group.name for group in GROUPS} | {GOOD} == set(groups)


def test_cells_to_fit_on_are_functional_monocrystalline_and_not_labelled_ones(tmp_path: Path) -> None:
    listed = labelled_cells(tmp_path, of_each=1)[0].path.name
    lines = ["images/a.png 0.0 mono", "images/b.png 0.0 poly", "images/c.png 1.0 mono", f"images/{listed} 0.0 mono"]
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "images/d.png 0.0 mono"]), encoding="utf-8")
    assert [path.name for path in good_cells(tmp_path, 10)] == ["a.png", "d.png"]
    assert len(good_cells(tmp_path, 1)) == 1


def test_photographs_are_linked_and_not_copied(tmp_path: Path) -> None:
    photograph = tmp_path / "cell.png"
    photograph.write_bytes(b"pixels")
    folder = link_folder([photograph], tmp_path / "cells")
    assert (folder / "cell.png").is_symlink()
    assert (folder / "cell.png").read_bytes() == b"pixels"
    link_folder([], folder)
    assert list(folder.iterdir()) == []


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Files named as the package's, for all cells that somebody labelled and one good one."""
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    for cell in (*labelled_cells(data), *labelled_cells(data, labels=DEVELOPMENT_LABELS)):
        cell.path.write_bytes(b"pixels")
    (data / "images/good.png").write_bytes(b"pixels")
    (data / "labels.csv").write_text("images/good.png 0.0 mono", encoding="utf-8")
    return data


def test_the_cells_as_a_data_set_have_the_demos_groups_and_words(photographs: Path, tmp_path: Path) -> None:
    groups = write_dataset(photographs, tmp_path / "cells")
    dataset = open_dataset(tmp_path / "cells")
    read = read_groups(groups).choose(dataset.class_names)["cells"]
    assert tuple(replace(group, shots=()) for group in read) == GROUPS
    found = dataset.read_class("cells")
    assert [path.name for path in found.good] == ["good.png"]
    assert sorted((frame.path.name, frame.label) for frame in found.test) == sorted(
        (cell.path.name, cell.label) for cell in labelled_cells(photographs)
    )


def test_no_cell_that_settings_are_chosen_on_is_tested_or_the_other_way_round(
    photographs: Path, tmp_path: Path
) -> None:
    tested = {cell.path.name for cell in labelled_cells(photographs)}
    groups = read_groups(write_dataset(photographs, tmp_path / "cells")).choose(["cells"])["cells"]
    assert all(len(group.shots) == SHOTS for group in groups)
    shots = {path.name for group in groups for path in group.shots}
    write_dataset(photographs, tmp_path / "others", development=True)
    others = {frame.path.name for frame in open_dataset(tmp_path / "others").read_class("others").test}
    assert not tested & shots
    assert not tested & others
    assert not shots & others
