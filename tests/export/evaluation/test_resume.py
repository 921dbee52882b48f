"""A run that was killed goes on where it was, and finds what a run finds that nobody killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from toy_dataset import write_class

from nand_edge.command_line import main


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, groups_file: Path, detector_file: Path) -> None:
    dataset = write_class(tmp_path / "many", of_each=30)

    def arguments(name: str) -> list[str]:
        where = ["--output", str(tmp_path / name), "--json", str(tmp_path / f"{name}.json")]
        return ["evaluate", str(dataset), "--groups", str(groups_file), "--detector", str(detector_file), *where]

    command = [sys.executable, "-m", "nand_edge.command_line", *arguments("killed")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while len(kept(tmp_path / "killed")) < 10 and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in kept(tmp_path / "killed")}
    assert 10 <= len(before) < 90
    assert not (tmp_path / "killed.json").exists()

    assert main(arguments("killed")) == 0
    assert main(arguments("whole")) == 0
    resumed, whole = (json.loads((tmp_path / f"{name}.json").read_text("utf-8")) for name in ("killed", "whole"))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert resumed["frames_reused"] == len(before)
    assert resumed["frames_computed"] == 90 - len(before)
    assert resumed["results"] == whole["results"]


def kept(output: Path) -> list[Path]:
    """The frames of which all is kept: log-odds are written last."""
    return list((output / "cache/log_odds").rglob("*.safetensors"))
