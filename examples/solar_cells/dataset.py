"""The cells in MVTec AD's layout, for `nand-edge evaluate`: `python -m solar_cells.dataset FOLDER`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import GOOD, LabelledFrame
from nand_edge.evaluation.groups import write_groups
from nand_edge.evaluation.layouts import mvtec
from solar_cells.cells import DEVELOPMENT_LABELS, GROUPS, SHOTS, good_cells, labelled_cells, photographs

GROUPS_FILE = "groups.yaml"
GOOD_CELLS = 300


def write_dataset(data: Path, folder: Path, *, development: bool = False) -> Path:
    """Link the cells into a new folder, and give the groups file in it.

    Args:
        data: The photographs, see `photographs`.
        folder: The folder to make.
        development: Whether to take the cells that settings are chosen on, in the place of the test cells.

    Raises:
        NandEdgeError: The folder is there, or cannot be made.
    """
    others = _by_label(labelled_cells(data, labels=DEVELOPMENT_LABELS))
    shots = {kind: paths[:SHOTS] for kind, paths in others.items() if kind != GOOD}
    if development:
        test = {kind: paths if kind == GOOD else paths[SHOTS:] for kind, paths in others.items()}
    else:
        test = _by_label(labelled_cells(data))
    mvtec.link_class(folder, good_cells(data, GOOD_CELLS), test, shots)
    groups = [
        replace(group, shots=tuple(folder / mvtec.SHOTS / group.name / path.name for path in shots[group.name]))
        for group in GROUPS
    ]
    write_groups(folder / GROUPS_FILE, groups)
    return folder / GROUPS_FILE


def _by_label(cells: tuple[LabelledFrame, ...]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for cell in cells:
        found.setdefault(cell.label, []).append(cell.path)
    return found


def main() -> int:
    """Write the data set and say how to evaluate on it."""
    parser = argparse.ArgumentParser(prog="solar_cells.dataset", description="Solar cells in MVTec AD's layout.")
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument("--development", action="store_true", help="the cells that settings are chosen on")
    options = parser.parse_args()
    folder = options.folder
    try:
        groups = write_dataset(photographs(), folder, development=options.development)
    except NandEdgeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"nand-edge evaluate {folder} --groups {groups} --json {folder}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
