"""MVTec AD's layout: a folder a class with train/good, test/<defect> and ground_truth/<defect>; or one such class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import GOOD, DatasetClass, LabelledFrame
from nand_edge.files import whole_folder
from nand_edge.images import SUFFIXES, list_images

SHOTS = "shots"
"""Folder of images that are neither good nor tested."""

_MASK_STEMS = ("{}_mask", "{}")


def class_names(folder: Path) -> tuple[str, ...]:
    """The classes in `folder`, or `folder` itself when it is one."""
    return tuple(_class_folders(folder))


def read_class(folder: Path, name: str, *, test_only: bool = False) -> DatasetClass:
    """Find the frames of a class; with `test_only` it needs no good frames to fit on, and has none.

    Raises:
        NandEdgeError: It has no images in train/good or none under test.
    """
    root = _class_folders(folder)[name]
    kinds = sorted(path for path in (root / "test").glob("*") if path.is_dir() and not path.name.startswith("."))
    if not kinds:
        raise NandEdgeError(
            f"class {name!r}",
            found=f"no folder of test frames in {str(root / 'test')!r}",
            needed="test/good and a folder for each defect",
            do="complete the data set or leave the class out",
        )
    return DatasetClass(
        name=name,
        good=() if test_only else tuple(list_images(root / "train" / GOOD)),
        test=tuple(frame for kind in kinds for frame in _frames(root, kind)),
    )


def link_class(
    folder: Path,
    good: Iterable[Path],
    test: Mapping[str, Iterable[Path]],
    shots: Mapping[str, Iterable[Path]] | None = None,
) -> None:
    """Make a class of images that lie elsewhere: links to them, whole or not at all.

    Args:
        folder: The class's folder, which must not be there yet.
        good: Images of good parts, to fit on.
        test: Test images by their defect, good ones under `good`.
        shots: Images by their defect that are no test images, for forms of suppression that look at some.

    Raises:
        NandEdgeError: The folder is there, or cannot be made.
    """
    if folder.exists():
        raise NandEdgeError(
            f"folder {str(folder)!r}", found="that it is there", needed="a new one", do="remove it or name another"
        )
    with whole_folder(folder) as root:
        folders = {f"train/{GOOD}": good, **{f"test/{kind}": paths for kind, paths in test.items()}}
        folders |= {f"{SHOTS}/{kind}": paths for kind, paths in (shots or {}).items()}
        for relative, paths in folders.items():
            (root / relative).mkdir(parents=True)
            for path in paths:
                (root / relative / path.name).symlink_to(path.resolve())


def _class_folders(folder: Path) -> dict[str, Path]:
    if _is_class(folder):
        return {folder.resolve().name: folder}
    return {path.name: path for path in sorted(folder.iterdir()) if path.is_dir() and _is_class(path)}


def _is_class(folder: Path) -> bool:
    return (folder / "test").is_dir() or (folder / "train" / GOOD).is_dir()


def _frames(root: Path, kind: Path) -> list[LabelledFrame]:
    if kind.name == GOOD:
        return [LabelledFrame(path) for path in list_images(kind)]
    masks = root / "ground_truth" / kind.name
    return [LabelledFrame(path, (kind.name,), _mask(masks, path.stem)) for path in list_images(kind)]


def _mask(folder: Path, stem: str) -> Path | None:
    candidates = (folder / f"{name.format(stem)}{suffix}" for name in _MASK_STEMS for suffix in SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)
