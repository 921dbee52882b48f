"""`nand-edge history`: what became of each frame of a station, while it runs or when it is gone."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import OpenedHistory, Query, export_frames
from nand_edge_runtime.history.export import document_of, time_in_words
from nand_edge_runtime.history.moments import moment_of
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.records import FrameRecord, Reason

_SHOWN = 20
_WIDE = 240
_TIME = "ISO 8601, a time of today such as 06:00, or 2h, 3d ago."


def history(
    state_folder: Annotated[
        Path | None, typer.Argument(help="The station's state folder, NAME.state.", show_default=False)
    ] = None,
    *,
    camera: Annotated[str | None, typer.Option(help="Only frames of this camera.")] = None,
    verdict: Annotated[Verdict | None, typer.Option(help="Only frames with this verdict.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="Only frames with this reason, such as 'inspected' or 'engine failed'.")
    ] = None,
    suppressed: Annotated[
        bool | None, typer.Option("--suppressed/--not-suppressed", help="Only what passed because of a normality.")
    ] = None,
    since: Annotated[str | None, typer.Option(help=f"Only frames taken from then on: {_TIME}")] = None,
    until: Annotated[str | None, typer.Option(help="Only frames taken before then; see --since.")] = None,
    run: Annotated[str | None, typer.Option(help="Only frames of this run of the station.")] = None,
    name: Annotated[str, typer.Option(help="Only frames with this text in their name.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"How many at most; {_SHOWN} without --export.", show_default=False)
    ] = None,
    counts: Annotated[bool, typer.Option("--counts", help="Count them instead.")] = False,
    audit: Annotated[bool, typer.Option("--audit", help="Show who changed what, newest first, instead.")] = False,
    export_file: Annotated[
        Path | None, typer.Option("--export", help="Write them into NAME.csv, NAME.jsonl or NAME.parquet.")
    ] = None,
    picture: Annotated[
        str | None, typer.Option(help="A frame's key, RUN/CAMERA#NUMBER: write its picture with -o.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The picture's file; NAME.npz for the maps.")
    ] = None,
    station: Annotated[str | None, typer.Option(help="Only this station's, on a server that several share.")] = None,
    url: Annotated[str, typer.Option(help="The database, if it is not in the state folder: history.url.")] = "",
    password_env: Annotated[str | None, typer.Option(help="Environment variable with its password.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show, count or export what became of a station's frames.

    It only reads, while the station runs or when it is gone.
    """
    _require_one(("--counts", counts), ("--audit", audit), ("--export", export_file), ("--picture", picture))
    query = Query(
        camera=camera,
        verdict=verdict,
        reason=None if reason is None else _reason(reason),
        suppressed=suppressed,
        since=None if since is None else moment_of(since),
        until=None if until is None else moment_of(until),
        run=run,
        name=name,
        station=station,
        limit=limit or _SHOWN,
    )
    opened = OpenedHistory(state_folder, url=url, password_env=password_env)
    try:
        if picture is not None:
            _write_picture(opened, picture, output)
        elif export_file is not None:
            _export(opened, query, export_file, limit, as_json=as_json)
        elif audit:
            _show_audit(opened, limit or _SHOWN, as_json=as_json)
        elif counts:
            _show_counts(opened.count(query), as_json=as_json)
        else:
            _show_frames(opened, query, as_json=as_json)
        _say_what_waits(opened)
    finally:
        opened.close()


def _require_one(*given: tuple[str, Any]) -> None:
    names = [option for option, value in given if value]
    if len(names) > 1:
        raise typer.BadParameter(f"{' and '.join(names)} do not go together")


def _reason(text: str) -> Reason:
    wanted = text.strip().lower().replace("_", " ").replace("-", " ")
    for reason in Reason:
        if wanted in (reason.value, reason.name.lower().replace("_", " ")):
            return reason
    raise NandEdgeError(
        "--reason",
        found=repr(text),
        needed=f"one of {', '.join(repr(reason.value) for reason in Reason)}",
        do="write it like one of these",
    )


def _key(text: str) -> FrameKey:
    run, _, rest = text.partition("/")
    camera, _, number = rest.rpartition("#")
    if not (run and camera and number.isascii() and number.isdigit() and len(number) < 20):
        raise NandEdgeError(
            "--picture",
            found=repr(text[:80]),
            needed="a frame's key, RUN/CAMERA#NUMBER",
            do="take it from the first column of `nand-edge history`",
        )
    return FrameKey(run, camera, int(number))


def _write_picture(opened: OpenedHistory, text: str, output: Path | None) -> None:
    key = _key(text)
    if output is None:
        raise typer.BadParameter("--picture needs the file that it is written to: -o FILE")
    maps = output.suffix.lower() == ".npz"
    kept = opened.maps_file(key) if maps else opened.picture(key)
    if kept is None:
        raise NandEdgeError(
            f"{'maps' if maps else 'picture'} of frame {text!r}",
            found="none" if opened.get(key) is not None else "no such frame",
            needed="a frame whose picture is kept",
            do="see history.picture_rejects and its neighbours in the settings for which are kept, and how long",
        )
    if output.suffix.lower().replace("jpeg", "jpg") != kept.suffix:
        raise NandEdgeError(
            f"output {str(output)!r}",
            found=f"a name that ends in {output.suffix!r}",
            needed=f"one that ends in {kept.suffix!r}, as the picture is kept",
            do="name it like that",
        )
    with whole_file(output) as temporary:
        temporary.write_bytes(kept.read_bytes())
    Console(stderr=True).print(f"wrote {output}", highlight=False, markup=False)


def _export(opened: OpenedHistory, query: Query, path: Path, limit: int | None, *, as_json: bool) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("exporting")
        frames = export_frames(
            opened,
            query,
            path,
            most=limit,
            on_progress=lambda frames: progress.update(task, description=f"exporting: {frames} frames"),
        )
    if as_json:
        print(json.dumps({"file": str(path), "frames": frames}))
    else:
        Console().print(f"{frames} frames in {path}", highlight=False, markup=False)


def _show_frames(opened: OpenedHistory, query: Query, *, as_json: bool) -> None:
    records = opened.find(query)
    if as_json:
        print(json.dumps({"frames": [document_of(record) for record in records]}))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("key", "time", "verdict"):
        table.add_column(column, no_wrap=True)
    for column in ("score", "threshold"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("reason", "normalities", "name"):
        table.add_column(column, overflow="fold")
    for record in records:
        table.add_row(*_row(record))
    _wide_console().print(table if records else "no frame on record that fits")
    if len(records) == query.limit:
        Console(stderr=True).print(f"the newest {query.limit}; --limit for more, --export for all", highlight=False)


def _row(record: FrameRecord) -> tuple[Text, ...]:
    passes = record.verdict is Verdict.PASS
    colour = "red" if not passes else "yellow" if record.suppressed else "green"
    words = " (suppressed)" if record.suppressed else ""
    detail = f": {record.detail}" if record.detail else ""
    return (
        _plain(str(record.key)),
        _plain(_local(record.timestamp)),
        Text(f"{record.verdict.value}{words}", style=colour),
        *(_plain("" if value is None else f"{value:.4g}") for value in (record.score, record.threshold)),
        _plain(record.reason.value + detail),
        _plain(", ".join(record.normalities)),
        _plain(record.name),
    )


def _wide_console() -> Console:
    """As wide as the terminal; a file or a pipe has no width."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def _show_counts(found: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, count in found.items():
        table.add_row(_plain(name), _plain(str(count)))
    Console().print(table)


def _show_audit(opened: OpenedHistory, limit: int, *, as_json: bool) -> None:
    changes = opened.audits(limit)
    if as_json:
        documents = [
            {"time": time_in_words(change.at), "at": change.at, "who": change.who, "what": change.what,
             "detail": change.detail}
            for change in changes
        ]  # fmt: skip
        print(json.dumps({"changes": documents}))
        return
    table = Table("time", "who", "what", box=None, pad_edge=False)
    for change in changes:
        table.add_row(_plain(_local(change.at)), _plain(change.who), _plain(change.what))
    _wide_console().print(table if changes else "nobody changed anything")


def _say_what_waits(opened: OpenedHistory) -> None:
    waiting = opened.waiting()
    if waiting:
        sentence = f"{waiting} facts of the journal are not in the database yet: the station takes them over"
        Console(stderr=True).print(sentence, highlight=False)


def _local(timestamp: float) -> str:
    try:
        moment = datetime.fromtimestamp(timestamp, timezone.utc).astimezone()
    except (OverflowError, OSError, ValueError):
        return "unknown"
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _plain(text: str) -> Text:
    """Text that neither styles nor steers the terminal, whatever a frame's name says."""
    return Text("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text))
