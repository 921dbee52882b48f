"""`nand-edge serve`: a station that runs until it is told to stop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.addresses import without_credentials
from nand_edge_runtime.station.serving import serve_station
from nand_edge_runtime.station.settings import StationSettings, read_settings, validated


def serve(
    station: Annotated[
        Path, typer.Argument(help="The station's settings, STATION.toml, or a bundle, NAME.nand.", show_default=False)
    ],
    source: Annotated[
        str | None,
        typer.Argument(help="With a bundle: a camera's index or address, a video, or a folder.", show_default=False),
    ] = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Check settings, bundle and normalities, and stop.")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="With a bundle: the live page's port.")] = None,
    state_folder: Annotated[
        Path | None, typer.Option(help="With a bundle: where history and state go; NAME.state beside you.")
    ] = None,
    frames_per_second: Annotated[
        float | None, typer.Option(min=0.01, max=1000, help="With a bundle and a folder or video: its pace.")
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="With a bundle and a folder or video: begin again at its end.")
    ] = False,
    exit_when_finished: Annotated[
        bool, typer.Option("--exit-when-finished", help="Stop when all folders and videos are read to their end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what --check found, or the counts, as JSON.")] = False,
) -> None:
    """Run a station: cameras, one engine, the reject gate, history and the live page.

    It stops at Ctrl-C or SIGTERM, within a second, with every frame that was taken on record.
    """
    if source is None:
        options = {"--port": port, "--state-folder": state_folder, "--frames-per-second": frames_per_second}
        for option, given in options.items():
            if given is not None:
                raise typer.BadParameter(f"{option} goes with a bundle and a source; a settings file has its own")
        settings = read_settings(_settings_file(station))
    else:
        settings = _settings_of(
            station, source, port=port, state_folder=state_folder, frames_per_second=frames_per_second, loop=loop
        )
    serve_station(settings, check=check, exit_when_finished=exit_when_finished, as_json=as_json)


def _settings_file(path: Path) -> Path:
    if path.is_dir():
        raise NandEdgeError(
            f"station {str(path)!r}",
            found="a bundle without a source",
            needed="a settings file, or a bundle and a source",
            do=f"try `nand-edge serve {path} 0` for the first camera",
        )
    return path


def _settings_of(
    bundle: Path,
    source: str,
    *,
    port: int | None,
    state_folder: Path | None,
    frames_per_second: float | None,
    loop: bool,
) -> StationSettings:
    """The settings of a bundle with one source and otherwise defaults."""
    name = bundle.name.removesuffix(".nand")
    camera: dict[str, Any] = {"name": "camera", "source": source, "loop": loop}
    if frames_per_second is not None:
        camera["frames_per_second"] = frames_per_second
    document: dict[str, Any] = {
        # A bundle may be called as its folder can be; a station's name has to be safe in topics and labels.
        "name": re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:64] or "station",
        "bundle": str(bundle.resolve()),
        "state_folder": str((state_folder or Path(f"{name}.state")).resolve()),
        "camera": [camera],
        **({} if port is None else {"web": {"port": port}}),
    }
    what = f"station of bundle {str(bundle)!r} and source {without_credentials(source)!r}"
    return validated(document, what=what, folder=Path.cwd())
