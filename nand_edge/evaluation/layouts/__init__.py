"""Layouts of data sets: one file a layout, behind two functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DatasetClass
from nand_edge.evaluation.layouts import mvtec, visa


@dataclass(frozen=True)
class Layout:
    """How a data set lies in its folder.

    Attributes:
        name: The layout's name.
        class_names: From the folder to its classes' names, none where the folder is not laid out so.
        read_class: From the folder, a class's name and `test_only` to its frames.
    """

    name: str
    class_names: Callable[[Path], tuple[str, ...]]
    read_class: Callable[..., DatasetClass]


LAYOUTS = (
    Layout("visa", visa.class_names, visa.read_class),
    Layout("mvtec", mvtec.class_names, mvtec.read_class),
)
"""The layouts in the order in which a folder is asked for them."""


@dataclass(frozen=True)
class Dataset:
    """A data set; its classes are read when they are asked for.

    Links in it may lead anywhere: it is only read, and data sets are often made of links.

    Attributes:
        folder: Where it is.
        layout: How it lies there.
        class_names: Its classes.
    """

    folder: Path
    layout: Layout
    class_names: tuple[str, ...]

    def read_class(self, name: str, *, test_only: bool = False) -> DatasetClass:
        """Find the frames of a class; with `test_only` it needs no good frames to fit on.

        Raises:
            NandEdgeError: There is no such class, or it lacks good frames or test frames.
        """
        if name not in self.class_names:
            raise NandEdgeError(
                f"class {name!r}",
                found=f"the classes {_shortened(self.class_names)} in {str(self.folder)!r}",
                needed="one of these",
                do="correct the name in the groups file or after --class",
            )
        return self.layout.read_class(self.folder, name, test_only=test_only)


def open_dataset(folder: Path | str) -> Dataset:
    """Recognise the layout of a data set's folder.

    Raises:
        NandEdgeError: There is no such folder, or its layout is none of `LAYOUTS`.
    """
    folder = Path(folder)
    for layout in LAYOUTS:
        names = layout.class_names(folder) if folder.is_dir() else ()
        if names:
            return Dataset(folder, layout, names)
    raise NandEdgeError(
        f"data set {str(folder)!r}",
        found="no class in it" if folder.is_dir() else "no such folder",
        needed="classes with train/good and test/<defect> as MVTec AD has, one such class, or VisA with its split_csv",
        do="check the path",
    )


def _shortened(names: Sequence[str], most: int = 15) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
