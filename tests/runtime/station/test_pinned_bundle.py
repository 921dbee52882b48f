"""Whoever swaps, alters or removes the bundle on the disk changes nothing in a running station."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nand_edge.bundle import open_bundle, set_threshold
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord
from nand_edge_runtime.station.pinned_bundle import pin, swapped


def change(bundle: Path, threshold: float) -> None:
    """Make another bundle of it, whole in itself."""
    set_threshold(open_bundle(bundle), ThresholdRecord(value=threshold, chosen_by="hand"))


def test_the_copy_is_the_bundle_and_outlives_it(own_bundle: Path, tmp_path: Path) -> None:
    original = open_bundle(own_bundle)
    pinned = pin(own_bundle, tmp_path / "state")
    assert pinned.sha256 == original.sha256
    assert pinned.folder.is_relative_to(tmp_path / "state")
    shutil.rmtree(own_bundle)
    assert open_bundle(pinned.folder).sha256 == original.sha256


def test_a_second_start_takes_the_copy_that_is_there(own_bundle: Path, tmp_path: Path) -> None:
    pinned = pin(own_bundle, tmp_path)
    written = (pinned.folder / "graph.onnx").stat().st_mtime_ns, (pinned.folder / "graph.onnx").stat().st_ino
    again = pin(own_bundle, tmp_path)
    assert ((again.folder / "graph.onnx").stat().st_mtime_ns, (again.folder / "graph.onnx").stat().st_ino) == written


@pytest.mark.parametrize("spoil", ["cut short", "altered", "another manifest", "half"])
def test_a_copy_that_is_not_whole_is_made_again(spoil: str, own_bundle: Path, tmp_path: Path) -> None:
    pinned = pin(own_bundle, tmp_path / "state")
    graph = pinned.folder / "graph.onnx"
    if spoil == "cut short":
        graph.write_bytes(graph.read_bytes()[:-1])
    elif spoil == "altered":
        content = bytearray(graph.read_bytes())
        content[-1] ^= 1
        graph.write_bytes(content)
    elif spoil == "another manifest":
        change(pinned.folder, 0.9)
    else:
        (pinned.folder / "manifest.json").unlink()
    assert pin(own_bundle, tmp_path / "state").sha256 == open_bundle(own_bundle).sha256


def test_of_a_new_bundle_only_the_copy_of_the_new_one_stays(own_bundle: Path, tmp_path: Path) -> None:
    before = pin(own_bundle, tmp_path / "state")
    change(own_bundle, 0.25)
    after = pin(own_bundle, tmp_path / "state")
    assert after.manifest.threshold.value == 0.25
    assert not before.folder.exists()
    assert len(list((tmp_path / "state" / "bundles").iterdir())) == 1


def test_a_damaged_bundle_is_refused_and_nothing_is_kept_of_it(own_bundle: Path, tmp_path: Path) -> None:
    (own_bundle / "graph.onnx").write_bytes(b"short")
    with pytest.raises(NandEdgeError, match=r"graph\.onnx"):
        pin(own_bundle, tmp_path / "state")
    assert not list((tmp_path / "state").rglob("*.onnx"))


def test_a_bundle_given_in_a_roundabout_way_stays_in_the_state_folder(own_bundle: Path, tmp_path: Path) -> None:
    (own_bundle / "deeper").mkdir()
    state = tmp_path / "state"
    pinned = pin(own_bundle / "deeper" / "..", state)
    assert pinned.folder.resolve().parent.parent == state / "bundles"


def test_a_state_folder_that_takes_nothing_is_said_so(own_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    with pytest.raises(NandEdgeError, match=r"the station's copy of bundle .*needed a folder with room"):
        pin(own_bundle, tmp_path / "state")


def test_a_swap_is_noticed(own_bundle: Path, tmp_path: Path) -> None:
    pinned = pin(own_bundle, tmp_path / "state")
    assert swapped(own_bundle, pinned) == ""
    change(own_bundle, 0.25)
    assert "was changed; the station goes on with its own copy" in swapped(own_bundle, pinned)
    change(own_bundle, 0.5)
    assert swapped(own_bundle, pinned) == "", "and a swap back too"
    shutil.rmtree(own_bundle)
    assert "is gone; the station goes on with its own copy" in swapped(own_bundle, pinned)
