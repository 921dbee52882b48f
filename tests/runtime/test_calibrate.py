"""`nand-edge calibrate` on the device: from folders of frames to the manifest."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_bundle import Spot

from nand_edge.bundle import open_bundle
from nand_edge.command_line import main
from nand_edge.images import read_frame
from nand_edge_runtime import Inspector
from nand_edge_runtime.verification import Outcome, verify_bundle


@pytest.fixture
def good(tmp_path: Path, spot: Spot) -> Path:
    """Twenty frames, grey values 60 to 98: base scores 0.235 to 0.384."""
    return write(tmp_path / "good", [spot(inside=60 + 2 * place, outside=40) for place in range(20)])


@pytest.fixture
def bad(tmp_path: Path, spot: Spot) -> Path:
    return write(tmp_path / "bad", [spot(inside=value, outside=40) for value in (150, 200)])


def write(folder: Path, frames: list[np.ndarray]) -> Path:
    folder.mkdir()
    for place, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"{place:02}.png"), frame)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    assert main(["calibrate", *map(str, arguments), "--json"]) == 0
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


def test_the_threshold_is_written_and_the_bundle_stays_valid(
    own_bundle: Path, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = open_bundle(own_bundle).manifest.files
    document = run(capsys, own_bundle, "--good", good, "--false-reject-rate", 0.1, "--no-normalities")
    bundle = open_bundle(own_bundle)
    threshold = bundle.manifest.threshold
    assert threshold.value == document["threshold"] == pytest.approx((94 + 96) / 2 / 255, abs=1e-6)
    assert (document["before"], document["written"]) == (0.5, True)
    assert threshold.false_reject is not None
    assert (threshold.false_reject.hits, threshold.false_reject.frames) == (2, 20)
    assert "2 of 20 good frames rejected (10.0%" in threshold.chosen_by
    assert threshold.chosen_by.endswith("normalities: none; region: the whole frame")
    assert bundle.manifest.files == files
    assert {check.outcome for check in verify_bundle(bundle)} <= {Outcome.AGREES, Outcome.CANNOT_RUN}
    with Inspector(bundle) as inspector:
        assert inspector.threshold == threshold.value
    assert main(["info", str(own_bundle)]) == 0
    shown = "".join(capsys.readouterr().out.replace("│", "").split())
    assert "2of20goodframesrejected" in shown
    assert "its95%interval:0.345098toopen" in shown


def test_scores_are_those_with_the_normalities_in_force(
    own_bundle: Path, good: Path, bad: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bright regions are suppressed by the normality `bright`: good frames keep their scores, bad ones lose theirs."""
    command = (own_bundle, "--good", good, "--bad", bad, "--dry-run")
    plain, dark = run(capsys, *command, "--no-normalities"), run(capsys, *command, "--normality", "dark")
    assert plain["threshold"] == pytest.approx((98 + 150) / 2 / 255, abs=1e-6)
    assert plain["miss"]["hits"] == plain["false_reject"]["hits"] == 0  # type: ignore[index]
    assert dark["threshold"] != plain["threshold"]
    assert dark["setting"] == "normalities: dark; region: the whole frame"
    with Inspector(own_bundle, normalities=["dark"], threshold=-1e30) as inspector:
        scores = sorted(inspector.inspect(read_frame(path)).score for path in good.iterdir())
    found = run(capsys, own_bundle, "--good", good, "--dry-run", "--normality", "dark", "--false-reject-rate", 0.5)
    assert scores[9] < found["threshold"] < scores[10]  # type: ignore[operator]


def test_a_dry_run_leaves_the_bundle_as_it_is(own_bundle: Path, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = open_bundle(own_bundle).sha256
    assert main(["calibrate", str(own_bundle), "--good", str(good), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert open_bundle(own_bundle).sha256 == before
    assert "not written" in shown
    assert "careful: 20 good frames are too few for 0.01" in shown
    assert "95 % interval of the threshold for this rate" in shown


def test_a_miss_rate_is_a_goal_too(own_bundle: Path, good: Path, bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = run(capsys, own_bundle, "--good", good, "--bad", bad, "--miss-rate", 0.5, "--no-normalities")
    assert document["threshold"] == pytest.approx((150 + 200) / 2 / 255, abs=1e-6)
    assert document["miss"]["hits"] == 1  # type: ignore[index]


def test_an_unreadable_frame_stops_or_is_passed_over(
    own_bundle: Path, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (good / "05.png").write_bytes(b"damaged")
    before = open_bundle(own_bundle).sha256
    assert main(["calibrate", str(own_bundle), "--good", str(good)]) == 1
    assert "05.png" in capsys.readouterr().err
    assert open_bundle(own_bundle).sha256 == before
    assert run(capsys, own_bundle, "--good", good, "--skip-bad")["skipped"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--miss-rate", "0.1"], "found no bad frame"),
        (["--false-reject-rate", "1.5"], "found 1.5, needed 0, or a share from 1e-06 to below 1"),
        (["--miss-rate", "0.1", "--false-reject-rate", "0.1"], "give either --false-reject-rate or --miss-rate"),
        (["--normality", "rust"], "normality 'rust'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    own_bundle: Path, good: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(own_bundle), "--good", str(good), *arguments]) != 0
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_detector_file_is_refused_with_what_to_do(
    tmp_path: Path, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "grey.detector").write_bytes(b"")
    assert main(["calibrate", str(tmp_path / "grey.detector"), "--good", str(good)]) == 1
    assert "make one of it with `nand-edge export`" in capsys.readouterr().err
