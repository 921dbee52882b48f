"""The textiles as a class in MVTec AD's layout, for `nand-edge evaluate`: `python -m textiles.dataset FOLDER`.

The package has 1,000 nominal images, 500 with a local and 500 with a global defect, all simulated (Bui and Apley,
"spc4sts", 2021). Of each list the first ones are taken, in the order of their numbers.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import GOOD
from nand_edge.evaluation.groups import Group, write_groups
from nand_edge.evaluation.layouts import mvtec
from nand_edge.images import list_images

GROUPS_FILE = "groups.yaml"
OBJECT = "textile"
FITTED, TESTED, SHOTS = 300, 100, 5

# The words of the package's own description of its two kinds, fixed before any result was seen.
GROUPS = (
    Group("local", ("local",), "localized disruption in the weave", OBJECT),
    Group("global", ("global",), "systematic shift in the weave", OBJECT),
)


def images() -> Path:
    """The folder of the package's images, with nominal/, local/ and global/.

    Raises:
        NandEdgeError: The package is not installed.
    """
    found = importlib.util.find_spec("conformal_clip_data")
    if found is None or not found.submodule_search_locations:
        raise NandEdgeError(
            "images of textiles",
            found="no Python package 'conformal_clip_data'",
            needed="conformal-clip-data (MIT)",
            do="run `pip install 'nand-edge[demo]'`",
        )
    return Path(found.submodule_search_locations[0]) / "data" / "textile_images" / "simulated"


def write_dataset(data: Path, folder: Path) -> Path:
    """Link the images into a new folder, and give the groups file in it.

    Args:
        data: The package's images, see `images`.
        folder: The folder to make.

    Raises:
        NandEdgeError: The folder is there, or cannot be made.
    """
    nominal = list_images(data / "nominal")
    defective = {group.name: list_images(data / group.name) for group in GROUPS}
    test = {name: paths[:TESTED] for name, paths in defective.items()}
    shots = {name: paths[TESTED : TESTED + SHOTS] for name, paths in defective.items()}
    mvtec.link_class(folder, nominal[:FITTED], {GOOD: nominal[FITTED : FITTED + TESTED], **test}, shots)
    groups = [
        replace(group, shots=tuple(folder / mvtec.SHOTS / group.name / path.name for path in shots[group.name]))
        for group in GROUPS
    ]
    write_groups(folder / GROUPS_FILE, groups)
    return folder / GROUPS_FILE


def main() -> int:
    """Write the data set and say how to evaluate on it."""
    parser = argparse.ArgumentParser(prog="textiles.dataset", description="Simulated textiles in MVTec AD's layout.")
    parser.add_argument("folder", type=Path, help="folder to make")
    folder = parser.parse_args().folder
    try:
        groups = write_dataset(images(), folder)
    except NandEdgeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"nand-edge evaluate {folder} --groups {groups} --json {folder}.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
