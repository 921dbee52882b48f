"""The demo's arithmetic: what counts as normal, the AUROC before and after, and which verdicts changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from nand_edge.inspection import Verdict
from solar_cells.cells import GOOD, GROUPS, Cell, Group, good_cells, labelled_cells, link_folder
from solar_cells.protocol import GroupResult, change_interval, mean_auroc

STAIN = Group("stain", "dark stain")
PASS, REJECT = Verdict.PASS, Verdict.REJECT


def result(groups: str, before: list[float], after: list[float], verdicts: list[Verdict]) -> GroupResult:
    cells = tuple(Cell(Path(f"{place}.png"), group) for place, group in enumerate(groups.split()))
    return GroupResult(STAIN, cells, np.array(before), np.array(after), threshold=0.5, verdicts_after=tuple(verdicts))


def test_words_that_work_bring_stained_cells_below_cracked_ones() -> None:
    found = result("good stain crack", [0.1, 0.9, 0.7], [0.1, 0.2, 0.7], [PASS, PASS, REJECT])
    assert found.normal.tolist() == [True, True, False]
    assert (found.auroc_before, found.auroc_after) == (0.5, 1.0)
    assert [cell.name for cell in found.released] == ["1.png"]
    assert found.missed == ()
    assert found.right_verdicts(found.verdicts_before) == 2
    assert found.right_verdicts(found.verdicts_after) == 3


def test_an_anomalous_cell_that_passes_with_the_words_is_counted_as_wrong() -> None:
    found = result("good stain crack crack", [0.1, 0.9, 0.7, 0.4], [0.1, 0.8, 0.3, 0.4], [PASS, REJECT, PASS, PASS])
    assert [cell.name for cell in found.missed] == ["2.png"]  # the last one passed before, too
    assert found.released == ()


def test_a_good_cell_that_was_rejected_by_mistake_counts_as_released() -> None:
    found = result("good crack", [0.6, 0.9], [0.4, 0.9], [PASS, REJECT])
    assert [cell.group for cell in found.released] == [GOOD]


def test_the_mean_is_over_groups() -> None:
    works = result("good stain crack", [0.1, 0.9, 0.7], [0.1, 0.2, 0.7], [PASS, PASS, REJECT])
    does_not = result("good stain crack", [0.1, 0.9, 0.7], [0.1, 0.9, 0.7], [PASS, REJECT, REJECT])
    assert mean_auroc([works, does_not]) == (0.5, 0.75)


def test_the_interval_of_the_change_is_repeatable_and_holds_a_change_that_every_draw_shows() -> None:
    works = result("good good stain crack", [0.1, 0.2, 0.9, 0.7], [0.1, 0.2, 0.2, 0.7], [PASS, PASS, PASS, REJECT])
    low, high = change_interval([works], draws=20)
    assert low == pytest.approx(1 / 3)
    assert high == pytest.approx(1 / 3)
    assert change_interval([works], draws=20) == (low, high)


def test_the_labels_are_63_cells_of_the_three_groups_and_good_ones(tmp_path: Path) -> None:
    groups = [cell.group for cell in labelled_cells(tmp_path)]
    counts = {name: groups.count(name) for name in set(groups)}
    assert counts == {"stain": 6, "crack": 23, "finger": 10, "good": 24}
    assert {group.name for group in GROUPS} | {GOOD} == set(groups)


def test_cells_to_fit_on_are_functional_monocrystalline_and_not_labelled_ones(tmp_path: Path) -> None:
    listed = labelled_cells(tmp_path, of_each=1)[0].name
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
