"""`nand-edge doctor`: what this machine has, what is missing for each target, and the command that mends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.doctor import PROBES, Diagnosis, diagnose
from nand_edge_runtime.doctor.report import print_command, print_diagnosis, print_table, yes_or_no

if TYPE_CHECKING:
    from nand_edge.bundle import Bundle
    from nand_edge_runtime.doctor.engines import EngineReport


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="A bundle NAME.nand, to see which of its engines run here.", show_default=False),
    ] = None,
    *,
    target: Annotated[str | None, typer.Option(help=f"Look only at this target: {', '.join(PROBES)}.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what this machine has, what is missing for each target, and the exact command that mends it.

    Exits with 1 when no target can run here, or the one named with --target; with a bundle, when none of its engines
    for them runs.
    """
    targets = tuple(PROBES) if target is None else (_known(target),)
    console = Console(stderr=True)
    with console.status("looking at this machine") as status:
        diagnosis = diagnose(targets, on_probe=lambda name: status.update(f"looking at {name}"))
        opened, engines, commands = None, [], []
        if bundle is not None:
            from nand_edge.bundle import open_bundle
            from nand_edge_runtime.doctor.engines import builds_to_do, examine_engines

            status.update("checking the bundle's files")
            opened = open_bundle(bundle)
            engines = examine_engines(
                opened, diagnosis, targets, on_engine=lambda name: status.update(f"trying {name}")
            )
            commands = builds_to_do(opened, diagnosis, targets)
    if as_json:
        print(json.dumps(_document(diagnosis, opened, engines, commands), indent=2))
    else:
        _print(diagnosis, opened, engines, commands)
    runs = any(engine.runs for engine in engines) if opened else any(map(diagnosis.can_run, targets))
    if not runs:
        raise typer.Exit(1)


def _known(target: str) -> str:
    if target not in PROBES:
        raise NandEdgeError(
            f"target {target!r}",
            found="an unknown name",
            needed=f"one of {', '.join(PROBES)}",
            do="correct the name",
        )
    return target


def _document(
    diagnosis: Diagnosis, bundle: Bundle | None, engines: list[EngineReport], commands: list[tuple[str, str]]
) -> dict[str, Any]:
    document = diagnosis.to_json()
    if bundle is not None:
        document["bundle"] = {
            "name": bundle.name,
            "sha256": bundle.sha256,
            "engines": [engine.to_json() for engine in engines],
            "to_build": [{"why": why, "command": command} for why, command in commands],
        }
    return document


def _print(
    diagnosis: Diagnosis, bundle: Bundle | None, engines: list[EngineReport], commands: list[tuple[str, str]]
) -> None:
    console = Console()
    print_diagnosis(diagnosis, console)
    if bundle is None:
        return
    rows = [
        (
            engine.name,
            engine.built_for or "any device",
            yes_or_no(engine.runs),
            engine.device,
            "" if engine.shut_ms is None else f"{engine.shut_ms:.1f} ms",
            "" if engine.open_ms is None else f"{engine.open_ms:.1f} ms",
        )
        for engine in engines
    ]
    columns = ("engine", "built for", "runs here", "on", "gate shut, about", "with CLIP, about")
    print_table(f"Engines of {bundle.name}", columns, rows, console)
    for engine in engines:
        if engine.reason:
            print_command(f"{engine.name}: {engine.reason}", "", console)
    for why, command in commands:
        print_command(f"{why}. Build with", command, console)
