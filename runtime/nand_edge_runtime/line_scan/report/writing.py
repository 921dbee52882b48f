"""Writes a roll's report in the form that its file's name says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge_runtime.line_scan.report.page import page
from nand_edge_runtime.line_scan.report.paper import paper
from nand_edge_runtime.line_scan.report.summary import summary_of
from nand_edge_runtime.line_scan.roll_file import Roll, read_roll

Writer = Callable[[Roll, Path, Path, int], None]
"""Writes a roll: the roll, the file, the station's state folder, and how many entries a list has at most."""


def write_report(roll: Path, output: Path, *, state_folder: Path, most: int) -> Roll:
    """Write the report of a roll.

    Args:
        roll: Its file; see `find_roll`.
        output: A new file; its suffix is one of `WRITERS`.
        state_folder: The station's, for pictures.
        most: Entries of each list of a page; JSON has all.

    Returns:
        What was written.

    Raises:
        NandEdgeError: The roll cannot be read, the suffix is unknown, a package is missing, or the file cannot be
            written.
    """
    writer = WRITERS.get(output.suffix.lower())
    if writer is None:
        raise NandEdgeError(
            f"report {str(output)!r}",
            found=f"the suffix {output.suffix!r}",
            needed=f"one of {', '.join(WRITERS)}",
            do="choose one of them",
        )
    read = read_roll(roll)
    try:
        with whole_file(output) as temporary:
            writer(read, temporary, state_folder, most)
    except OSError as error:
        raise NandEdgeError(
            f"report {str(output)!r}",
            found=error.strerror or type(error).__name__,
            needed="a file that can be written",
            do="choose another place",
        ) from None
    return read


def document(roll: Roll) -> dict[str, Any]:
    """The whole roll as one JSON object; lengths are millimetres."""
    return {
        "roll": asdict(roll.header),
        "totals": asdict(roll.totals),
        "regions": [region.to_json() for region in roll.regions if not region.suppressed],
        "suppressed": [region.to_json() for region in roll.regions if region.suppressed],
        "not_inspected": [stretch.to_json() for stretch in roll.stretches],
    }


def _json(roll: Roll, target: Path, _state_folder: Path, _most: int) -> None:
    with target.open("w", encoding="utf-8") as stream:
        # As a whole: what json.dump writes piece by piece takes ten times as long.
        stream.write(json.dumps(document(roll), ensure_ascii=False) + "\n")


def _html(roll: Roll, target: Path, state_folder: Path, most: int) -> None:
    target.write_text(page(summary_of(roll, state_folder=state_folder, most=most)), encoding="utf-8")


def _pdf(roll: Roll, target: Path, state_folder: Path, most: int) -> None:
    paper(summary_of(roll, state_folder=state_folder, most=most), target)


WRITERS: dict[str, Writer] = {".html": _html, ".pdf": _pdf, ".json": _json}
