"""The doctor's report for people: the machine, its packages, the targets, and what mends them."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nand_edge_runtime.doctor import Diagnosis, Finding, TargetReport
from nand_edge_runtime.doctor.machine import Machine
from nand_edge_runtime.doctor.platforms import System

_YES, _NO = Text("yes", "green"), Text("no", "red")


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Print the machine, its packages and its targets, and below them every finding with its command."""
    console.print(_pairs("This machine", _machine(diagnosis.machine)))
    console.print(
        _pairs("Packages", {"Python": diagnosis.machine.platform.python, **diagnosis.packages, **_video(diagnosis)})
    )
    table = Table(title="Targets", title_justify="left", title_style="bold cyan")
    for column in ("target", "runs here", "on", "precisions", "more"):
        table.add_column(column, overflow="fold")
    for report in diagnosis.targets:
        row = report.device if diagnosis.can_run(report.target) else ""
        details = "\n".join(
            f"{name.removesuffix('ExecutionProvider')}: {words}" for name, words in report.details.items()
        )
        precisions = ", ".join(report.precisions) if row else ""
        table.add_row(report.target, _YES if row else _NO, Text(row), precisions, Text(details))
    console.print(table)
    for report in (diagnosis.device_side, *diagnosis.targets):
        _print_findings(report, console)


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str | Text]], console: Console) -> None:
    """Print one table."""
    table = Table(title=title, title_justify="left", title_style="bold cyan")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(each if isinstance(each, Text) else Text(each) for each in row))
    console.print(table)


def yes_or_no(answer: bool) -> Text:  # noqa: FBT001 - it is all that the function is about
    """The answer in its colour."""
    return _YES if answer else _NO


def print_command(words: str, command: str, console: Console) -> None:
    """Print a line and below it the command that belongs to it, never broken, so that it can be copied."""
    console.print(words, markup=False, highlight=False, soft_wrap=True)
    if command:
        console.print(f"    {command}", markup=False, highlight=False, soft_wrap=True, style="bold")


def _print_findings(report: TargetReport, console: Console) -> None:
    for finding in report.findings:
        print_command(f"{report.target}: {_sentence(finding)}", finding.remedy, console)


def _sentence(finding: Finding) -> str:
    if finding.remedy:
        return f"{finding.text}. Mend it with"
    return f"{finding.text}." if finding.stops else f"{finding.text} (a note)."


def _machine(machine: Machine) -> dict[str, str]:
    platform, processor, memory, graphics = machine.platform, machine.processor, machine.memory, machine.graphics
    cores = f"{processor.cores} cores, " if processor.cores else ""
    limit = "" if processor.usable == processor.threads else f", {processor.usable:g} of them for this process"
    named = f" ({platform.board})" if platform.board else ""
    jetson = f", Jetson Linux {platform.l4t}" if platform.system is System.JETSON else ""
    gpus = [f"{gpu.name}, compute capability {gpu.compute_capability}, {gpu.memory_mib} MiB" for gpu in graphics.gpus]
    driver = f"driver {graphics.driver}, CUDA up to {graphics.cuda}" if graphics.gpus else graphics.fault
    has = [name for name, present in processor.instructions.items() if present]
    lacks = [name for name, present in processor.instructions.items() if not present]
    return {
        "system": f"{platform.release}, {platform.architecture}{jetson}{named}",
        "processor": f"{processor.name}: {cores}{processor.threads} threads{limit}",
        "instruction sets": (", ".join(has) or "not told by this system")
        + (f"; not {', '.join(lacks)}" if lacks else ""),
        "memory": "not told by this system"
        if memory.total_mib is None
        else f"{memory.total_mib} MiB" + (f", {memory.available_mib} MiB free" if memory.available_mib else ""),
        "NVIDIA GPU": "; ".join([*gpus, driver]),
    }


def _video(diagnosis: Diagnosis) -> dict[str, str]:
    details = diagnosis.device_side.details
    if not details:
        return {}
    version = diagnosis.device_side.versions.get("OpenCV", "")
    has = [name for name, answer in details.items() if answer == "yes"]
    lacks = [name for name, answer in details.items() if answer != "yes"]
    return {
        "OpenCV": f"{version} with {', '.join(has) or 'no video'}" + (f", without {', '.join(lacks)}" if lacks else "")
    }


def _pairs(title: str, values: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold cyan", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, Text(value))
    return table
