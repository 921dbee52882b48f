"""`nand-edge train-projection` as it is typed, killed and typed again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nand_edge.command_line import main

OPTIONS = ["--image-size", "96", "--save-every", "1", "--class", "part", "--batch", "4"]


def command(drawn: Path, output: Path, *options: str) -> list[str]:
    return ["train-projection", str(drawn), "-o", str(output), *OPTIONS, *options]


def test_a_killed_process_goes_on_and_ends_as_if_nothing_had_been(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed, whole = tmp_path / "killed.safetensors", tmp_path / "whole.safetensors"
    typed = command(drawn, killed, "--epochs", "200")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-m", "nand_edge.command_line", *typed], env=environment) as process:
        log = tmp_path / "killed.training" / "loss.jsonl"
        _wait_until(lambda: log.is_file() and log.read_text(encoding="utf-8").count("\n") >= 3, process)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not killed.exists()
    epochs = str(log.read_text(encoding="utf-8").count("\n") // 4 + 1)
    assert main(command(drawn, killed, "--epochs", epochs, "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["resumed_at"] >= 2
    assert report["steps"] == 4 * int(epochs)
    assert main(command(drawn, whole, "--epochs", epochs)) == 0
    for name, tensor in load_file(whole).items():
        torch.testing.assert_close(load_file(killed)[name], tensor, atol=1e-6, rtol=0)


def _wait_until(condition: object, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def test_the_report_says_what_was_left_out_and_how_to_check(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Path(shutil.copytree(drawn / "part", tmp_path / "part"))
    damaged = next((part / "ground_truth").rglob("*.png"))
    damaged.write_bytes(b"")
    typed = command(part, tmp_path / "p.safetensors", "--epochs", "1", "--object", "stamped part")
    assert main(typed) == 1
    assert str(damaged) in capsys.readouterr().err
    assert not (tmp_path / "p.safetensors").exists()
    assert main([*typed, "--skip-bad"]) == 0
    shown = capsys.readouterr().out
    assert "15 frames" in shown
    assert f"left out: image '{damaged}'" in shown
    check = f"evaluate OTHER --detector april-gan --clip nand-tiny --projection {tmp_path / 'p.safetensors'}"
    assert f"nand-edge {check}\n" in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--object", "glass=a glass"], "--object for class 'glass'"),
        (["--epochs", "0"], "--epochs: found 0"),
        (["--mosaics", "1.5"], "--mosaics: found 1.5"),
        (["--device", "tpu"], "--device: found 'tpu'"),
        (["--taps", "4,9"], "ascending numbers from 1 to 5"),
        (["--class", "bottle"], "class 'bottle'"),
    ],
)
def test_options_that_cannot_be_are_explained(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert main(command(drawn, tmp_path / "p.safetensors", *options)) == 1
    assert words in capsys.readouterr().err


def test_the_output_is_checked_before_anything_is_done(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train-projection", str(drawn), "-o", str(tmp_path / "p.pth")]) == 1
    assert "NAME.safetensors" in capsys.readouterr().err
    assert main(["train-projection", str(drawn), "-o", str(tmp_path / "no" / "p.safetensors")]) == 1
    assert "does not exist" in capsys.readouterr().err
