"""What commands that write detectors share: the output's name and the bars of their stages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from nand_edge.errors import NandEdgeError
from nand_edge_export.detectors.protocol import Progress


@contextmanager
def stage_bars() -> Iterator[Progress]:
    """One bar a stage on stderr, so that stdout stays clean for `--json`."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield progress


def require_suffix(output: Path) -> None:
    """Refuse another name than NAME.detector.

    Raises:
        NandEdgeError: It has another suffix, or is a folder.
    """
    if output.suffix != ".detector" or output.is_dir():
        raise NandEdgeError(
            "--output", found=repr(str(output)), needed="a file named NAME.detector", do="choose such a name"
        )
