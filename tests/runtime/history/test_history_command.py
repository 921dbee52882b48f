"""`nand-edge history` shows, counts and exports what a station left behind, or writes right now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from history.made_frames import OpenHistory, make_frame, make_inspection, make_record, write_down

from nand_edge.command_line import main
from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History
from nand_edge_runtime.station.hub import Changed, Decided
from nand_edge_runtime.station.records import Reason

pytestmark = pytest.mark.station


@pytest.fixture
def history(open_history: OpenHistory) -> History:
    opened = open_history(picture_rejects=True)
    write_down(opened, make_frame(0))
    write_down(opened, make_frame(1, name="[red]\x1b[2J=cmd"), suppressed=True)
    frame = make_frame(2, "side")
    opened.entered(frame)
    opened.decided(Decided(make_record(frame, Verdict.REJECT), frame.image, make_inspection(frame)))
    write_down(opened, make_frame(3), Verdict.REJECT, reason=Reason.DEADLINE, detail="100 ms", score=None)
    opened.audit(Changed("eva", "switched normality 'stain' off", at=1_700_000_000.0))
    assert opened.flushed(5.0)
    assert opened.pictures_written(5.0)
    return opened


def numbers(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[int]:
    assert main(["history", *map(str, arguments), "--json"]) == 0
    return [frame["number"] for frame in json.loads(capsys.readouterr().out)["frames"]]


@pytest.mark.usefixtures("history")
def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[1:]] == [
        "run-1/top#3", "run-1/side#2", "run-1/top#1", "run-1/top#0"
    ]  # fmt: skip
    assert "no verdict by the deadline: 100 ms" in shown
    assert "pass (suppressed)" in shown
    assert r"[red]\x1b[2J=cmd" in shown, "a name neither styles nor steers the terminal"


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], [3, 2, 1, 0]),
        (["--camera", "side"], [2]),
        (["--verdict", "pass"], [1, 0]),
        (["--reason", "no verdict by the deadline"], [3]),
        (["--reason", "deadline"], [3]),
        (["--suppressed"], [1]),
        (["--not-suppressed"], [3, 2, 0]),
        (["--since", "2023-11-14T22:13:22Z"], [3, 2]),
        (["--until", "2023-11-14T22:13:22Z"], [1, 0]),
        (["--since", "2h"], []),
        (["--run", "run-2"], []),
        (["--name", "TOP-3"], [3]),
        (["--limit", "2"], [3, 2]),
    ],
)
def test_filters(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[int]) -> None:
    assert numbers(capsys, tmp_path, *arguments) == expected


def test_counts_and_audit_beside_the_running_station_and_after_it(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["history", str(tmp_path), "--counts", "--json"]) == 0
        counts = json.loads(capsys.readouterr().out)
        assert (counts["frames"], counts["pass"], counts["reject"], counts["suppressed"]) == (4, 2, 2, 1)
        assert main(["history", str(tmp_path), "--audit", "--json"]) == 0
        (change,) = json.loads(capsys.readouterr().out)["changes"]
        assert (change["who"], change["time"]) == ("eva", "2023-11-14T22:13:20.000000Z")
        history.stop(5.0)
    assert main(["history", str(tmp_path), "--counts"]) == 0
    assert "suppressed" in capsys.readouterr().out
    assert main(["history", str(tmp_path), "--audit"]) == 0
    assert "switched normality 'stain' off" in capsys.readouterr().out


@pytest.mark.usefixtures("history")
def test_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "frames.jsonl"
    assert main(["history", str(tmp_path), "--verdict", "reject", "--export", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "frames": 2}
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [3, 2]


@pytest.mark.usefixtures("history")
def test_a_picture_and_its_maps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", str(tmp_path), "--picture", "run-1/side#2", "-o", str(tmp_path / "side.jpg")]) == 0
    assert (tmp_path / "side.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert main(["history", str(tmp_path), "--picture", "run-1/side#2", "-o", str(tmp_path / "side.npz")]) == 0
    with np.load(tmp_path / "side.npz") as maps:
        assert set(maps) == {"anomaly_map", "base_map", "suppression_map"}
    for key, output, said in (
        ("run-1/side#2", "side.png", "one that ends in '.jpg'"),
        ("run-1/top#0", "top.jpg", "found none"),
        ("run-1/top#7", "top.jpg", "found no such frame"),
        ("../../etc/passwd#0", "x.jpg", "found no such frame"),
        ("nonsense", "x.jpg", "needed a frame's key"),
    ):
        capsys.readouterr()
        assert main(["history", str(tmp_path), "--picture", key, "-o", str(tmp_path / output)]) == 1
        assert said in capsys.readouterr().err


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["no-such-folder"], 1, "found no such folder"),
        ([str(Path(__file__).parent)], 1, "found a folder without 'history' in it"),
        ([], 1, "found neither a state folder nor a url"),
        (["STATE", "--since", "soon"], 1, "needed a time such as"),
        (["STATE", "--reason", "bad luck"], 1, "needed one of 'inspected'"),
        (["STATE", "--counts", "--audit"], 2, "do not go together"),
        (["STATE", "--picture", "run-1/side#2"], 2, "-o FILE"),
        (["STATE", "--url", "postgresql://a:b@c/d"], 1, "without a password"),
        (["STATE", "--export", "frames.xlsx"], 1, "one of .csv, .jsonl, .parquet"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(["history", *(str(tmp_path) if argument == "STATE" else argument for argument in arguments)]) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_bundle_is_no_state_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    assert main(["history", str(tmp_path)]) == 1
    assert "found a bundle" in capsys.readouterr().err


def test_the_file_of_another_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "history").mkdir()
    assert main(["history", str(tmp_path)]) == 1
    assert "give it with --url" in capsys.readouterr().err
    (tmp_path / "history" / "history.sqlite").write_bytes(b"")
    assert main(["history", str(tmp_path)]) == 1
    assert "found no tables of a history" in capsys.readouterr().err
    (tmp_path / "history" / "history.sqlite").write_bytes(b"something else" * 100)
    assert main(["history", str(tmp_path)]) == 1
    assert "a database that is damaged" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to read as somebody else")
def test_somebody_who_may_only_read_can_read(tmp_path: Path, history: History) -> None:
    """A quality manager's account beside the service's, while the station runs and when it is gone."""
    program = (
        "import os, sys; sys.path[:] = sys.argv[2].split(os.pathsep)\n"
        "from pathlib import Path\n"
        "from nand_edge_runtime.history import OpenedHistory, Query\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "print(OpenedHistory(Path(sys.argv[1])).count(Query())['frames'])\n"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and "pytest" in str(folder):
            folder.chmod(0o755)
    command = [sys.executable, "-c", program, str(tmp_path), os.pathsep.join(filter(None, sys.path))]
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert (done.stdout, done.stderr) == ("4\n", "")
        history.stop(5.0)
