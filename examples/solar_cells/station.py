"""The demo's station: its settings file, and the live page that is offered when all else is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.prompt import Confirm

from nand_edge.files import whole_file

STATION = "station.toml"

_SETTINGS = """\
# The demo's station: the photographs of cells, round and round, as if a camera gave them.
# Every key: docs/settings.md. Check a change with `nand-edge serve station.toml --check`.
name = "solar cells"
bundle = "solar-cell.nand"
normalities = ["stain"]     # what is normal at the start; switch it off and on at the live page
state_folder = "station.state"

[[camera]]
name = "cells"
source = "cells"            # a folder; a camera's index, an address or a hot folder stand here on a line
frames_per_second = 4
loop = true
deadline_ms = 500

[web]
port = 8080
"""


def write_station(output: Path) -> Path:
    """Write the settings file beside the bundle and the cells."""
    path = output / STATION
    with whole_file(path) as temporary:
        temporary.write_text(_SETTINGS, encoding="utf-8")
    return path


def serve_command(output: Path) -> str:
    """What starts the station, to be typed where the demo was run."""
    return f"{program()} serve {output / STATION}"


def offer(console: Console, output: Path) -> int:
    """Ask whether to open the live page now, where somebody is there to answer, and run it until Ctrl-C."""
    if not (sys.stdin.isatty() and console.is_terminal):
        return 0
    console.print(
        "\n[bold]The live page[/] shows these cells as a camera would give them: switch “dark stain” off and on there."
    )
    if not Confirm.ask("Open it now? (Ctrl-C ends it)", default=True, console=console):
        return 0
    return subprocess.run([str(program()), "serve", str(output / STATION)], check=False).returncode  # noqa: S603


def program() -> Path:
    """The command `nand-edge` of this environment, as it is typed where the demo was run."""
    return Path(os.path.relpath(Path(sys.executable).parent / "nand-edge"))
