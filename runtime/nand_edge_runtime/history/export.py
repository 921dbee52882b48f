"""The export: what a query asks for as CSV, JSON lines or Parquet, page by page, whatever its length."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.installation import explain_import_error
from nand_edge_runtime.history.query import Query
from nand_edge_runtime.history.reading import Reader
from nand_edge_runtime.station.records import FrameRecord

COLUMNS = (
    "run", "camera", "number", "name", "time", "timestamp", "verdict", "reason", "detail", "position",
    "device_timestamp_ns", "dropped_before", "score", "base_score", "threshold", "suppressed", "clip_ran",
    "score_is_bound", "normalities", "normalities_sha256", "bundle", "total_ms",
    "latency_ms",
)  # fmt: skip
"""The columns of every format, in this order. New ones come behind them; none changes its name or meaning."""

Pages = Iterable[list[FrameRecord]]

_PAGE = 5000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_BYTE_ORDER_MARK = "\N{BYTE ORDER MARK}"

_FORMULA = re.compile(r"(^|[;|\t\r\n])([\s\"']*)([=+\-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                      r"\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}])")  # fmt: skip
"""What a spreadsheet may take for a formula: at the beginning, or behind what another language's one takes for the end
of a cell."""


def csv_chunks(reader: Reader, query: Query, *, most: int | None = None) -> Iterator[str]:
    """The frames of a query as CSV for spreadsheets, newest first, a chunk of text a page.

    The first chunk begins with a byte order mark, without which Excel does not read UTF-8; lists and tables within a
    cell are JSON. Text that a spreadsheet could take for a formula gets an apostrophe before it.

    Args:
        reader: Answers the query.
        query: Which frames; its limit counts for nothing.
        most: How many at most; all by default.

    Raises:
        NandEdgeError: The database does not answer.
    """
    return _csv_text(_pages(reader, query, most))


def jsonl_chunks(reader: Reader, query: Query, *, most: int | None = None) -> Iterator[str]:
    """The frames of a query as JSON lines, newest first, a chunk of text a page; see `csv_chunks`."""
    return _jsonl_text(_pages(reader, query, most))


def document_of(record: FrameRecord) -> dict[str, Any]:
    """A record by the names of `COLUMNS`, as JSON has it."""
    more = {"time": time_in_words(record.timestamp), "total_ms": record.latency_ms.get("total")}
    document = record.to_json() | more
    return {name: document[name] for name in COLUMNS}


def time_in_words(timestamp: float) -> str | None:
    """A moment as ISO 8601 in UTC with microseconds; None for one that no calendar has."""
    moment = _moment(timestamp)
    return None if moment is None else moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def export_frames(
    reader: Reader,
    query: Query,
    path: Path,
    *,
    most: int | None = None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Write the frames of a query into a file, whole or not at all, and say how many there were.

    Args:
        reader: Answers the query.
        query: Which frames; its limit counts for nothing.
        path: NAME.csv, NAME.jsonl or NAME.parquet.
        most: How many at most; all by default.
        on_progress: Told how many are written so far.

    Raises:
        NandEdgeError: Another kind of file, it cannot be written, the database does not answer, or the package for
            Parquet is not installed.
    """
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise NandEdgeError(
            f"export {str(path)!r}",
            found=f"a name that ends in {path.suffix!r}" if path.suffix else "a name without an ending",
            needed=f"one of {', '.join(WRITERS)}",
            do="choose the format by the file's name",
        )
    counted = _Counted(_pages(reader, query, most), on_progress)
    try:
        with whole_file(path) as temporary:
            write(counted, temporary)
    except OSError as error:
        raise NandEdgeError(
            f"export {str(path)!r}",
            found=error.strerror or type(error).__name__,
            needed="a file that can be written",
            do="make room or choose another place; nothing was left behind",
        ) from None
    return counted.frames


class _Counted:
    """Pages, and how many records they held so far."""

    def __init__(self, pages: Pages, on_progress: Callable[[int], None]) -> None:
        self._pages, self._on_progress = pages, on_progress
        self.frames = 0

    def __iter__(self) -> Iterator[list[FrameRecord]]:
        for page in self._pages:
            yield page
            self.frames += len(page)
            self._on_progress(self.frames)


def _csv_text(pages: Pages) -> Iterator[str]:
    yield _BYTE_ORDER_MARK + _csv([COLUMNS])
    for page in pages:
        yield _csv([[_cell(value) for value in document_of(record).values()] for record in page])


def _jsonl_text(pages: Pages) -> Iterator[str]:
    for page in pages:
        yield "".join(json.dumps(document_of(record), allow_nan=False) + "\n" for record in page)


def _write_csv(pages: Pages, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(_csv_text(pages))


def _write_jsonl(pages: Pages, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(_jsonl_text(pages))


def _write_parquet(pages: Pages, path: Path) -> None:
    with _explained():
        import pyarrow as pa
        from pyarrow import parquet

    text, number, flag = pa.string(), pa.float64(), pa.bool_()
    kinds = {
        "number": pa.int64(), "dropped_before": pa.int64(), "device_timestamp_ns": pa.int64(),
        "time": pa.timestamp("us", tz="UTC"), "normalities": pa.list_(text),
        "latency_ms": pa.map_(text, number),
        **dict.fromkeys(("timestamp", "total_ms", "position", "score", "base_score", "threshold"), number),
        **dict.fromkeys(("suppressed", "clip_ran", "score_is_bound"), flag),
    }  # fmt: skip
    schema = pa.schema([(name, kinds.get(name, text)) for name in COLUMNS])
    with parquet.ParquetWriter(path, schema) as writer:
        for page in pages:
            rows = [
                document_of(record) | {"time": _moment(record.timestamp), "latency_ms": list(record.latency_ms.items())}
                for record in page
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


WRITERS: dict[str, Callable[[Pages, Path], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
"""The formats, by the ending of the file's name."""


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise explain_import_error(error, "export to Parquet", "parquet") or error from None


def _pages(reader: Reader, query: Query, most: int | None) -> Iterator[list[FrameRecord]]:
    left = most
    for page in reader.pages(replace(query, limit=_PAGE if most is None else max(0, min(_PAGE, most)))):
        if left is None:
            yield page
            continue
        yield page[:left]
        left -= len(page)
        if left <= 0:
            return


def _moment(timestamp: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(seconds=timestamp)
    except (OverflowError, ValueError):
        return None


def _csv(rows: list[Any]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return _FORMULA.sub(r"\1\2'\3", json.dumps(value, ensure_ascii=False))
    return _FORMULA.sub(r"\1\2'\3", value) if isinstance(value, str) else value
