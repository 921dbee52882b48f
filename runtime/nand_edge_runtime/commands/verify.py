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
from nand_edge_runtime.choosing import AUTO
from nand_edge_runtime.commands.choosing import choosing
from nand_edge_runtime.commands.engine_options import Provider
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.verification import EngineCheck, Outcome, compare_with_samples, reference_of, verify_bundle

_COLOURS = {Outcome.AGREES: "green", Outcome.DIFFERS: "red", Outcome.CANNOT_RUN: "yellow"}


def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle, NAME.nand.", show_default=False)],
    *,
    target: Annotated[
        str | None,
        typer.Option(
            help="Check only this target, and fail if it cannot run here; auto: the one that is fastest here."
        ),
    ] = None,
    provider: Provider = "cpu",
    precision: Annotated[
        str | None, typer.Option(help="Check only this precision; without it all that the bundle has engines in.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check a bundle's files, and its engines against the results stored at export.

    Exits with 1 when an engine differs, or when a target or provider that was named cannot run here.
    """
    targets = None if target in (None, AUTO) else [parse_target(str(target))]
    console = Console(stderr=True)
    with console.status("checking files"):
        opened = open_bundle(bundle)
    if target == AUTO:
        checks = [_check_fastest(opened, provider, precision)]
    else:
        with console.status("running the samples") as status:
            checks = verify_bundle(
                opened,
                targets,
                provider=provider,
                precision=precision,
                on_check=lambda check: status.update(f"{check.name}: {check.outcome.value}"),
            )
    if as_json:
        print(json.dumps({"bundle": opened.name, "sha256": opened.sha256, "engines": [c.to_json() for c in checks]}))
    else:
        _print_checks(opened, checks)
    failed = [check for check in checks if check.outcome is Outcome.DIFFERS]
    named = target is not None or provider != "cpu"
    if failed or (named and all(check.outcome is Outcome.CANNOT_RUN for check in checks)):
        raise typer.Exit(1)


def _check_fastest(bundle: Bundle, provider: str, precision: str | None) -> EngineCheck:
    with (
        choosing(AUTO, precision) as wished,
        Inspector(bundle, target=wished, provider=provider) as inspector,
    ):
        choice = inspector.choice
        if choice is None:
            raise TypeError("an inspector whose engine was chosen has a choice")
        chosen = choice.ranked[0].candidate
        like, samples = reference_of(bundle, inspector.target, chosen.provider)
        return compare_with_samples(inspector, samples, precision=chosen.precision, like=like)


def _print_checks(bundle: Bundle, checks: list[EngineCheck]) -> None:
    table = Table(title=f"{bundle.name}: {len(bundle.manifest.files)} files are unaltered", title_justify="left")
    for column in ("engine", "outcome", "device", "map error", "allowed", "verdicts"):
        table.add_column(column)
    for check in checks:
        ran = check.max_map_error is not None
        table.add_row(
            check.name,
            f"[{_COLOURS[check.outcome]}]{check.outcome.value}[/]",
            check.device,
            f"{check.max_map_error:.1e}" if ran else "",
            "" if check.allowed_map_error is None else f"{check.allowed_map_error:.0e}",
            f"{check.verdicts_equal}/{check.samples}" if ran else "",
        )
    console = Console()
    console.print(table)
    for check in checks:
        if check.reason:
            console.print(f"{check.name}: {check.reason}", markup=False, highlight=False)
