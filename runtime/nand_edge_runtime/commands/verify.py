"""`nand-edge verify`: does this device compute what the workstation computed?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nand_edge.bundle import Bundle, open_bundle
from nand_edge_runtime.backends import parse_target
from nand_edge_runtime.verification import EngineCheck, Outcome, verify_bundle

_COLOURS = {Outcome.AGREES: "green", Outcome.DIFFERS: "red", Outcome.CANNOT_RUN: "yellow"}


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle, NAME.nand.", show_default=False)],
    *,
    target: Annotated[str | None, typer.Option(help="Check only this target, and fail if it cannot run here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check a bundle's files, and its engines against the results stored at export.

    Exits with 1 when an engine differs, or when a target named with --target cannot run here.
    """
    targets = None if target is None else [parse_target(target)]
    console = Console(stderr=True)
    with console.status("checking files"):
        opened = open_bundle(bundle)
    with console.status("running the samples") as status:
        checks = verify_bundle(
            opened, targets, on_check=lambda check: status.update(f"{check.target.value}: {check.outcome.value}")
        )
    if as_json:
        print(json.dumps({"bundle": opened.name, "sha256": opened.sha256, "engines": [c.to_json() for c in checks]}))
    else:
        _print_checks(opened, checks)
    failed = [check for check in checks if check.outcome is Outcome.DIFFERS]
    if failed or (target is not None and checks[0].outcome is not Outcome.AGREES):
        raise typer.Exit(1)


def _print_checks(bundle: Bundle, checks: list[EngineCheck]) -> None:
    table = Table(title=f"{bundle.name}: {len(bundle.manifest.files)} files are unaltered", title_justify="left")
    for column in ("target", "outcome", "device", "map error", "allowed", "verdicts"):
        table.add_column(column)
    for check in checks:
        ran = check.max_map_error is not None
        table.add_row(
            check.target.value,
            f"[{_COLOURS[check.outcome]}]{check.outcome.value}[/]",
            check.device,
            f"{check.max_map_error:.1e}" if ran else "",
            f"{check.allowed_map_error:.0e}" if ran else "",
            f"{check.verdicts_equal}/{check.samples}" if ran else "",
        )
    console = Console()
    console.print(table)
    for check in checks:
        if check.reason:
            console.print(f"{check.target.value}: {check.reason}", markup=False, highlight=False)
