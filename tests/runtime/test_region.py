"""The region in force: applied by the engine before maximum and gate, whatever the frame's size."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_bundle import Spot, write_toy_bundle

from nand_edge.bundle import open_bundle
from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.region import Region, make_region
from nand_edge_runtime import Inspector, Verdict
from nand_edge_runtime.verification import Outcome, verify_bundle

TARGETS = ["onnx", *(["openvino"] if importlib.util.find_spec("openvino") else [])]


@pytest.fixture
def border() -> Region:
    """All but the middle of a frame, where the fixture `spot` draws."""
    middle = make_region(rectangle="0.2,0.2,0.6,0.6")
    assert middle is not None
    return Region(1 - middle.map, "the border")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("size", [(48, 64), (300, 200), (256, 256)])
def test_a_defect_in_the_ignored_area_neither_rejects_nor_opens_the_gate(
    toy_bundle: Path, border: Region, spot: Spot, target: str, size: tuple[int, int]
) -> None:
    frame = spot(inside=250, outside=60, size=size)
    with Inspector(toy_bundle, target=target, normalities=["dark"], threads=1) as inspector:
        assert inspector.inspect(frame).verdict is Verdict.REJECT
        inspector.region = border
        inspection = inspector.inspect(frame)
    assert inspection.verdict is Verdict.PASS
    assert not inspection.clip_ran
    assert inspection.base_score == pytest.approx(60 / 255, abs=1e-6)
    assert not inspection.base_map[border.map == 0].any()


@pytest.mark.parametrize("target", TARGETS)
def test_with_a_region_both_sides_of_the_gate_give_the_maps_of_the_whole_frame_within_it(
    toy_bundle: Path, spot: Spot, target: str
) -> None:
    right_half = make_region(rectangle="0.5,0,0.5,1")
    assert right_half is not None
    frame = spot(inside=200, outside=40)
    with (
        Inspector(toy_bundle, target=target, threads=1) as everywhere,
        Inspector(toy_bundle, target=target, region=right_half, threads=1) as within,
    ):
        for threshold, opened in ((0.1, True), (0.9, False)):
            everywhere.threshold = within.threshold = threshold
            expected, found = everywhere.inspect(frame), within.inspect(frame)
            assert found.clip_ran is expected.clip_ran is opened
            for name in ("base_map", "anomaly_map"):
                np.testing.assert_allclose(getattr(found, name), getattr(expected, name) * right_half.map, atol=1e-6)
            assert found.score == found.anomaly_map.max()


def test_a_bundle_carries_its_region_and_its_samples_were_computed_with_it(tmp_path: Path, border: Region) -> None:
    bundle = open_bundle(write_toy_bundle(tmp_path / "own.nand", region=border))
    np.testing.assert_array_equal(bundle.region().map, border.map)
    assert bundle.region().given_as == "the border"
    with Inspector(bundle) as inspector:
        assert inspector.region.share == border.share
    assert {check.outcome for check in verify_bundle(bundle)} <= {Outcome.AGREES, Outcome.CANNOT_RUN}


def test_a_region_that_was_altered_is_refused(tmp_path: Path, border: Region) -> None:
    folder = write_toy_bundle(tmp_path / "own.nand", region=border)
    cv2.imwrite(str(folder / "region.png"), np.zeros((256, 256), np.uint8))
    with pytest.raises(NandEdgeError, match=r"region\.png"):
        Inspector(folder)


def test_frames_that_the_region_was_not_drawn_for_are_refused(inspector: Inspector, spot: Spot) -> None:
    drawn = make_region(rectangle="0,0,32,48", frame_size=(64, 48))
    assert drawn is not None
    inspector.region = drawn
    inspector.inspect(spot(size=(96, 128)))
    with pytest.raises(NandEdgeError, match="a frame of 48x48 pixels"):
        inspector.inspect(spot(size=(48, 48)))


def test_inspect_takes_a_region_in_the_place_of_the_bundles(
    toy_bundle: Path, spot: Spot, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "part.png"), spot(inside=250, outside=60))
    ignored = np.zeros((240, 320), np.uint8)
    ignored[50:190, 70:250] = 255
    cv2.imwrite(str(tmp_path / "ignored.png"), ignored)
    command = ["inspect", str(toy_bundle), str(tmp_path / "part.png"), "--no-normalities", "--json"]
    region = ["--ignore-mask", str(tmp_path / "ignored.png"), "--region", "0,0,64,48", "--frame-size", "64x48"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["reject"] == 1
    assert main([*command, *region]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["pass"] == 1
    assert shown["region"] == "rectangle 0,0,64,48 of 64x48 pixels; ignored where ignored.png (320x240) is not zero"

    assert main([*command, "--region", "0,0,64,48"]) == 1
    assert "add --frame-size" in capsys.readouterr().err
