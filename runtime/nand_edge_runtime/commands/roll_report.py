"""`nand-edge roll-report`: the map of a roll and its regions, as a page, for paper, or as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nand_edge.files import require_writable_parent
from nand_edge_runtime.line_scan.report import find_roll, write_report


def roll_report(
    state_folder: Annotated[Path, typer.Argument(help="The station's state folder.", show_default=False)],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The report, .html, .pdf or .json.")] = Path(
        "roll.html"
    ),
    camera: Annotated[
        str | None, typer.Option(help="The line-scan camera, where there are several.", show_default=False)
    ] = None,
    roll: Annotated[str | None, typer.Option(help="The roll's name; the newest, unless given.")] = None,
    most: Annotated[
        int, typer.Option(min=1, max=100_000, help="Entries of each list, those with the highest scores; JSON has all.")
    ] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print what the roll comes to as JSON.")] = False,
) -> None:
    """Write the report of a roll under a line-scan camera, also while the station runs.

    A map of the whole roll, every region with its place along and across the web, and what was not inspected.
    """
    require_writable_parent(output)
    found = find_roll(state_folder, camera=camera, roll=roll)
    written = write_report(found, output, state_folder=state_folder, most=most)
    if as_json:
        header = {"camera": written.header.camera, "roll": written.header.name, "output": str(output)}
        print(json.dumps({**header, **asdict(written.totals)}))
        return
    totals = written.totals
    Console().print(
        f"{written.header.camera}, roll {written.header.name!r}: {totals.regions} regions on "
        f"{totals.length_mm / 1000:.3f} m; {output}",
        highlight=False, markup=False,
    )  # fmt: skip
