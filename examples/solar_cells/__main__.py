"""The demo's command line: `python -m solar_cells`, or `make demo`."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from nand_edge.errors import NandEdgeError
from solar_cells.run import Settings, run, written
from solar_cells.stages import Stages
from solar_cells.station import offer
from solar_cells.summary import closing_table, engines_table

TRANSCRIPT = "output.txt"
_TRANSCRIPT_WIDTH = 110


def main() -> int:
    """Run the demo and say what came of it; the exit code is 1 when something is missing."""
    parser = argparse.ArgumentParser(prog="solar_cells", description="Words for a detector of faulty solar cells.")
    parser.add_argument("--output", type=Path, default=Path("demo"), help="folder to write into; demo")
    settings = Settings(parser.parse_args().output)
    console = Console(width=None if sys.stdout.isatty() else _TRANSCRIPT_WIDTH)
    transcript = io.StringIO()
    stages = Stages(console, Console(file=transcript, width=_TRANSCRIPT_WIDTH))
    try:
        summary = run(settings, stages)
    except NandEdgeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    for each in (stages.console, stages.transcript):
        _close(each, summary, written(settings))
    (settings.output / TRANSCRIPT).write_text(transcript.getvalue(), encoding="utf-8")
    return offer(console, settings.output)


def _close(console: Console, summary: dict[str, Any], files: list[Path]) -> None:
    shut, clip = (summary["latency_ms"][side]["p50"] for side in ("gate_shut", "with_clip"))
    console.print()
    console.print(closing_table(summary))
    console.print(engines_table(summary))
    console.print(
        f"A frame takes {shut:.0f} ms while the gate is shut and {clip:.0f} ms with CLIP "
        f"(medians, {summary['machine']['cores']} cores).",
        f"\n{summary['seconds_total']:.0f} seconds in all.",
        highlight=False,
    )
    console.print("\n[bold]Written[/]")
    for path in files:
        console.print(f"  {path}", highlight=False)
    console.print("\n[bold]What to try next[/]")
    for command in summary["try_next"]:
        console.print(f"  {command}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
