"""The cells: photographs of the package elpv-dataset, and our own labels of what is wrong with some of them."""

from __future__ import annotations

import csv
import importlib.util
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import GOOD, LabelledFrame
from nand_edge.evaluation.groups import Group

OBJECT = "solar cell"
LABELS = Path(__file__).with_name("elpv_mono_groups.csv")
"""The 63 test cells."""

DEVELOPMENT_LABELS = Path(__file__).with_name("elpv_mono_development.csv")
"""Other cells, to choose settings on: none of them is a test cell, and no detector is fitted on one. The first five of
each defect are the clearest, for forms of suppression that are shown some."""

SHOTS = 5
_MONOCRYSTALLINE = "mono"


# The words that declare each kind normal, chosen before any result was seen.
GROUPS = (
    Group("stain", ("stain",), "dark stain", OBJECT),
    Group("crack", ("crack",), "crack", OBJECT),
    Group("finger", ("finger",), "broken finger lines", OBJECT),
)


def photographs() -> Path:
    """The folder of the package's data, with labels.csv and images/.

    Raises:
        NandEdgeError: The package is not installed.
    """
    found = importlib.util.find_spec("elpv_dataset")
    if found is None or not found.submodule_search_locations:
        raise NandEdgeError(
            "photographs of solar cells",
            found="no Python package 'elpv_dataset'",
            needed="elpv-dataset (CC BY-NC-SA 4.0)",
            do="run `pip install 'nand-edge[demo]'`",
        )
    return Path(found.submodule_search_locations[0]) / "data"


def labelled_cells(data: Path, *, labels: Path = LABELS, of_each: int | None = None) -> tuple[LabelledFrame, ...]:
    """The cells that were sorted by eye, all of them or the first `of_each` of each group."""
    taken: dict[str, int] = {}
    cells = []
    with labels.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            group = row["anomaly_group"]
            taken[group] = taken.get(group, 0) + 1
            if of_each is None or taken[group] <= of_each:
                kinds = () if group == GOOD else (group,)
                cells.append(LabelledFrame(data / "images" / row["image"], kinds))
    return tuple(cells)


def good_cells(data: Path, count: int, *, seed: int = 0) -> tuple[Path, ...]:
    """Photographs to fit on: up to `count` functional monocrystalline cells, none of them a labelled one."""
    listed = {cell.path.name for cell in labelled_cells(data)}
    rows = (line.split() for line in (data / "labels.csv").read_text(encoding="utf-8").splitlines())
    suitable = [
        data / path
        for path, probability, kind in rows
        if kind == _MONOCRYSTALLINE and float(probability) == 0.0 and Path(path).name not in listed
    ]
    chosen = np.random.default_rng(seed).choice(len(suitable), size=min(count, len(suitable)), replace=False)
    return tuple(suitable[place] for place in sorted(chosen))


def copy_folder(paths: Iterable[Path], folder: Path) -> Path:
    """A folder with copies of photographs, as a camera would leave them; an older one is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in paths:
        shutil.copyfile(path, folder / path.name)
    return folder


def link_folder(paths: Iterable[Path], folder: Path) -> Path:
    """A folder of links to photographs, which are not copied; an older one is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in paths:
        (folder / path.name).symlink_to(path.resolve())
    return folder
