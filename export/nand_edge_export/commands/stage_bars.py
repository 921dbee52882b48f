"""Progress for people: one bar a stage, on stderr, so that stdout stays clean for `--json`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from nand_edge_export.detectors.protocol import Progress


@contextmanager
def stage_bars(*, lasting: str | None = None) -> Iterator[Progress]:
    """Show bars while the block runs.

    Args:
        lasting: The stage whose bar stays when it is done, while those of the others go; None for all to stay.
    """
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            stays = lasting is None or stage == lasting or done < total
            bars.update(tasks[stage], completed=done, total=total, visible=stays)

        yield progress
