"""The options and the progress bar that all benchmark scripts share."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

RESULTS = Path(__file__).resolve().parents[1] / "results"


@dataclass(frozen=True)
class Settings:
    """What the command line said.

    Attributes:
        quick: Small subjects and few repetitions: shows that a script works, and no figure worth keeping.
        threads: CPU threads for one frame.
        output: Folder of the results.
        work: Folder of bundles and exports, kept for the next run.
        again: Do not go on where an earlier run was stopped.
        only: Measure those alone whose name has this in it.
    """

    quick: bool
    threads: int
    output: Path
    work: Path
    again: bool
    only: str

    def wants(self, name: str) -> bool:
        """Whether something is to be measured."""
        return self.only.lower() in name.lower()


def parse(description: str | None, arguments: Sequence[str] | None) -> Settings:
    """Read a script's command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small subjects, few repetitions: to see that it works")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads for one frame")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "nand-edge-benchmarks",
        help="folder of bundles and exports, several GB, kept for the next run",
    )
    parser.add_argument("--again", action="store_true", help="do not go on where an earlier run was stopped")
    parser.add_argument("--only", default="", help="measure those alone whose name has this in it")
    return Settings(**vars(parser.parse_args(arguments)))


def progress_bar() -> Progress:
    """A bar on stderr with what is being done beside it."""
    columns = (
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    return Progress(*columns, console=Console(stderr=True))
