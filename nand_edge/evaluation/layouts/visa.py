"""VisA's layout: split_csv/1cls.csv lists all images; CLASS/image_anno.csv, where it is there, names the defects."""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DatasetClass, LabelledFrame

SPLIT = "split_csv/1cls.csv"
ANNOTATIONS = "image_anno.csv"
_NORMAL = "normal"


def class_names(folder: Path) -> tuple[str, ...]:
    """The objects in the split's list; none without that list."""
    return tuple(sorted({row["object"] for row in _rows(folder)})) if (folder / SPLIT).is_file() else ()


def read_class(folder: Path, name: str, *, test_only: bool = False) -> DatasetClass:
    """Find the frames of a class; with `test_only` it needs no good frames to fit on.

    Raises:
        NandEdgeError: A list has other columns or names a file outside the folder, or the class has no frames.
    """
    kinds = _kinds(folder / name / ANNOTATIONS)
    rows = [row for row in _rows(folder) if row["object"] == name]
    good = tuple(_path(folder, row["image"]) for row in rows if row["split"] == "train" and row["label"] == _NORMAL)
    test = tuple(
        LabelledFrame(
            path=_path(folder, row["image"]),
            kinds=() if row["label"] == _NORMAL else kinds.get(row["image"], (row["label"],)),
            mask=_path(folder, row["mask"]) if row["mask"] else None,
        )
        for row in rows
        if row["split"] == "test"
    )
    if not (good or test_only) or not test:
        raise NandEdgeError(
            f"class {name!r}",
            found=f"{len(good)} good frames to fit on and {len(test)} test frames in {SPLIT}",
            needed="some of both",
            do="use the split's list that comes with the data set",
        )
    return DatasetClass(name, good, test)


def _kinds(path: Path) -> dict[str, tuple[str, ...]]:
    """Each image's defects; a frame may have several, with commas between."""
    if not path.is_file():
        return {}
    return {
        row["image"]: tuple(kind for part in row["label"].split(",") if (kind := part.strip()))
        for row in _read(path, ("image", "label"))
    }


def _rows(folder: Path) -> list[dict[str, str]]:
    return _read(folder / SPLIT, ("object", "split", "label", "image", "mask"))


def _read(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = [{column: row[column] or "" for column in columns} for row in reader]
    except (KeyError, csv.Error, UnicodeDecodeError):
        raise NandEdgeError(
            f"list {str(path)!r}",
            found="a file without these columns",
            needed=f"CSV with the columns {', '.join(columns)}",
            do="use the list that comes with the data set",
        ) from None
    return rows


def _path(folder: Path, relative: str) -> Path:
    # Links may lead out of the folder, names in a list may not.
    parts = PurePosixPath(relative)
    if parts.is_absolute() or ".." in parts.parts:
        raise NandEdgeError(
            f"data set {str(folder)!r}",
            found=f"the path {relative!r} in a list, which leaves the folder",
            needed="paths inside the folder",
            do="use only data sets from a source that you trust",
        )
    return folder / parts
