"""An export has every frame that fits, under names that stay, and does no harm in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from history.made_frames import OpenHistory, make_frame, make_record, write_down
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History, Query, Reader, csv_chunks, export_frames, jsonl_chunks
from nand_edge_runtime.history.export import COLUMNS, WRITERS, document_of
from nand_edge_runtime.station.records import FrameRecord, Reason

pytestmark = pytest.mark.station

FORMULAS = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "'=1", "\N{FULLWIDTH EQUALS SIGN}1", 'a";=1', "a;-1",
    "a|b;\t@x", "=HYPERLINK(\"http://x\";\"y\")",
)  # fmt: skip


@pytest.fixture
def history(open_history: OpenHistory) -> History:
    opened = open_history()
    for number, name in enumerate(FORMULAS):
        write_down(opened, make_frame(number, name=name, position=-2.5))
    write_down(opened, make_frame(98), Verdict.REJECT, reason=Reason.DEADLINE, detail="100 ms", score=None)
    write_down(opened, make_frame(99, name="Straße"), suppressed=True, normalities=("a, b", '"c"'))
    assert opened.flushed(5.0)
    return opened


def read_csv(text: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\N{BYTE ORDER MARK}"), newline=""), delimiter=delimiter))


def test_csv(tmp_path: Path, history: History) -> None:
    path = tmp_path / "frames.csv"
    told: list[int] = []
    assert export_frames(history, Query(), path, on_progress=told.append) == len(FORMULAS) + 2
    assert told == [len(FORMULAS) + 2]
    rows = read_csv(path.read_bytes().decode("utf-8"))
    assert tuple(rows[0]) == COLUMNS
    newest, second, *_ = rows
    assert newest["name"] == "Straße"
    assert newest["time"] == "2023-11-14T22:14:59.000000Z"
    assert (newest["timestamp"], newest["suppressed"], newest["total_ms"]) == ("1700000099.0", "true", "9.5")
    assert json.loads(newest["normalities"]) == ["a, b", '"c"']
    assert json.loads(newest["latency_ms"])["engine"] == 8.0
    assert (second["verdict"], second["reason"], second["score"]) == ("reject", "no verdict by the deadline", "")
    assert rows[-1]["position"] == "-2.5", "a number of ours is no formula"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_the_spreadsheet_takes_for_the_end_of_a_cell(
    history: History, delimiter: str
) -> None:
    text = "".join(csv_chunks(history, Query()))
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
    ours = {"-2.5"}
    for cell in cells:
        start = cell.lstrip(' \t\r\n"')
        assert cell in ours or start.startswith("'") or not start.startswith(tuple("=+-@\N{FULLWIDTH EQUALS SIGN}"))
    if delimiter == ",":
        assert {cell.lstrip(" \t\r").replace("'", "") for cell in cells} >= {"=1+1", "+1", "-1", "@SUM(A1)"}


def test_jsonl_is_what_the_records_are(history: History) -> None:
    lines = "".join(jsonl_chunks(history, Query())).splitlines()
    records = history.find(Query(limit=1000))
    assert [json.loads(line) for line in lines] == [document_of(record) for record in records]
    assert [FrameRecord.from_json(json.loads(line)) for line in lines] == records


def test_parquet(tmp_path: Path, history: History) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    path = tmp_path / "frames.parquet"
    assert export_frames(history, Query(), path) == len(FORMULAS) + 2
    table = parquet.read_table(path)
    assert tuple(table.column_names) == COLUMNS
    newest = table.to_pylist()[0]
    assert newest["time"] == datetime(2023, 11, 14, 22, 14, 59, tzinfo=timezone.utc)
    assert newest["normalities"] == ["a, b", '"c"']
    assert dict(newest["latency_ms"])["total"] == 9.5
    assert newest["suppressed"] is True
    assert table.to_pylist()[1]["score"] is None


def test_parquet_without_its_package_is_said(tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NandEdgeError, match=r'pip install "nand-edge\[parquet\]"'):
        export_frames(history, Query(), tmp_path / "frames.parquet")
    assert not list(tmp_path.glob("*frames.parquet*"))


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_an_export_of_nothing_is_a_file_with_no_frames(tmp_path: Path, history: History, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"none{ending}"
    assert export_frames(history, Query(camera="no such"), path) == 0
    assert path.exists()


def test_a_filter_and_a_number_at_most(tmp_path: Path, history: History) -> None:
    path = tmp_path / "frames.jsonl"
    assert export_frames(history, Query(reason=Reason.INSPECTED), path, most=3) == 3
    numbers = [json.loads(line)["number"] for line in path.read_text().splitlines()]
    assert numbers == [99, len(FORMULAS) - 1, len(FORMULAS) - 2]
    assert export_frames(history, Query(), path, most=0) == 0


def test_many_pages(monkeypatch: pytest.MonkeyPatch, history: History) -> None:
    monkeypatch.setattr(sys.modules[csv_chunks.__module__], "_PAGE", 4)
    chunks = list(csv_chunks(history, Query(), most=10))
    assert [len(read_csv(f"{','.join(COLUMNS)}\r\n{chunk}")) for chunk in chunks[1:]] == [4, 4, 2]
    assert len("".join(jsonl_chunks(history, Query())).splitlines()) == len(FORMULAS) + 2


class BreaksOff(Reader):
    """Answers two pages and is away then."""

    def __init__(self) -> None:
        self.asked = 0

    def find(self, query: Query) -> list[FrameRecord]:
        self.asked += 1
        if self.asked > 2:
            raise NandEdgeError("the history", found="no answer", needed="a database that answers", do="wait")
        return [make_record(make_frame(self.asked))] * min(query.limit, 1)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_an_export_that_is_cut_short_leaves_nothing(tmp_path: Path, ending: str) -> None:
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"frames{ending}"
    path.write_text("the one of yesterday")
    with pytest.raises(NandEdgeError, match="found no answer"):
        export_frames(BreaksOff(), Query(), path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "the one of yesterday"


@pytest.mark.parametrize(("name", "said"), [("frames.xlsx", "'.xlsx'"), ("frames", "without an ending"),
                                            ("no/such/frames.csv", "does not exist")])  # fmt: skip
def test_a_file_that_cannot_be_is_said(tmp_path: Path, history: History, name: str, said: str) -> None:
    with pytest.raises(NandEdgeError, match=said):
        export_frames(history, Query(), tmp_path / name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_said(tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    def writer(_: object, __: Path) -> None:
        with Path("/dev/full").open("w") as stream:
            stream.write("x")

    monkeypatch.setitem(WRITERS, ".csv", writer)
    with pytest.raises(NandEdgeError, match=r"found No space left on device.*nothing was left behind"):
        export_frames(history, Query(), tmp_path / "frames.csv")


@given(st.floats())
def test_every_timestamp_has_words_or_none(timestamp: float) -> None:
    document = document_of(make_record(make_frame(0, timestamp=timestamp)))
    assert document["time"] is None or document["time"].endswith("Z")
