"""What is in force is what somebody put in force, and it is in force again after a crash."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from toy_bundle import toy_normality, write_toy_bundle

from nand_edge.bundle import Bundle, open_bundle, set_threshold
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ThresholdRecord
from nand_edge.normality import Normality, write_normality
from nand_edge_runtime.station.control import InForce
from nand_edge_runtime.station.words import Words


@pytest.fixture
def bundle(toy_bundle: Path) -> Bundle:
    return open_bundle(toy_bundle)


def words(bundle: Bundle, folder: Path, wished: list[str] | None = None, threshold: float | None = None) -> Words:
    return Words(bundle, wished, threshold, folder)


def test_unless_told_otherwise_the_bundles_own_are_in_force(bundle: Bundle, tmp_path: Path) -> None:
    known = words(bundle, tmp_path)
    assert known.in_force == InForce(("bright",), 0.5)
    assert [(entry.name, entry.active, entry.added) for entry in known.entries()] == [
        ("bright", True, False), ("dark", False, False)
    ]  # fmt: skip


def test_the_settings_choose_by_name_and_by_file(bundle: Bundle, tmp_path: Path, own_normality: Normality) -> None:
    write_normality(own_normality, tmp_path / "shade.normality")
    known = words(bundle, tmp_path / "state", ["dark", str(tmp_path / "shade.normality")], 0.25)
    assert known.in_force == InForce(("dark", "shade"), 0.25)
    assert [normality.name for normality in known.choices(InForce(("shade", "bright"), 1.0))] == ["shade", "bright"]


def test_none_may_be_in_force(bundle: Bundle, tmp_path: Path) -> None:
    assert words(bundle, tmp_path, []).in_force == InForce((), 0.5)


@pytest.mark.parametrize(
    ("wished", "complaint"),
    [
        (["nobody"], "normalities: bright, dark"),
        (["missing.normality"], "no such file"),
        (["dark", "dark"], "two of that name"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(wished: list[str], complaint: str, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match=complaint):
        words(bundle, tmp_path, wished)


def test_a_file_cannot_take_the_name_of_one_in_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "other.normality"
    write_normality(toy_normality("dark", [1, 0]), path)
    with pytest.raises(NandEdgeError, match="which the bundle has too"):
        words(bundle, tmp_path, [str(path)])


def test_a_normality_for_another_clip_is_refused(bundle: Bundle, tmp_path: Path, foreign_normality: Normality) -> None:
    write_normality(foreign_normality, tmp_path / "stain.normality")
    with pytest.raises(NandEdgeError, match="another-clip"):
        words(bundle, tmp_path, [str(tmp_path / "stain.normality")])
    with pytest.raises(NandEdgeError, match="another-clip"):
        words(bundle, tmp_path).add(foreign_normality)


def test_what_was_put_in_force_is_in_force_after_a_crash(bundle: Bundle, tmp_path: Path) -> None:
    words(bundle, tmp_path).put_in_force(InForce(("dark", "bright"), 0.75))
    assert words(bundle, tmp_path).in_force == InForce(("dark", "bright"), 0.75)


def test_new_settings_hold_even_where_an_operator_had_changed_something(bundle: Bundle, tmp_path: Path) -> None:
    words(bundle, tmp_path).put_in_force(InForce(("dark",), 0.75))
    assert words(bundle, tmp_path, ["bright"], 0.6).in_force == InForce(("bright",), 0.6)
    assert words(bundle, tmp_path, None, 0.6).in_force == InForce(("bright",), 0.6), "only the threshold is new"


def test_a_new_bundle_begins_with_its_own(bundle: Bundle, own_bundle: Path, tmp_path: Path) -> None:
    words(bundle, tmp_path / "state").put_in_force(InForce((), 0.9))
    changed = set_threshold(open_bundle(own_bundle), ThresholdRecord(value=0.4, chosen_by="hand"))
    assert words(changed, tmp_path / "state").in_force == InForce(("bright",), 0.4)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _document: "",
        lambda _document: "[1, 2",
        lambda _document: "[]",
        lambda document: json.dumps({**document, "threshold": "high"}),
        lambda document: json.dumps({**document, "threshold": math.inf}),
        lambda document: json.dumps({**document, "normalities": ["gone"]}),
        lambda document: json.dumps({**document, "normalities": 5}),
        lambda document: json.dumps({"settings": document["settings"]}),
        lambda document: " " * (2 << 20) + json.dumps(document),
    ],
)
def test_what_was_kept_and_is_damaged_gives_way_to_the_settings(spoil: object, bundle: Bundle, tmp_path: Path) -> None:
    words(bundle, tmp_path).put_in_force(InForce(("dark",), 0.75))
    kept = tmp_path / "in-force.json"
    kept.write_text(spoil(json.loads(kept.read_text())))  # type: ignore[operator]  # one of the functions above
    assert words(bundle, tmp_path).in_force == InForce(("bright",), 0.5)


@pytest.mark.parametrize(
    ("proposed", "complaint"),
    [
        (InForce(("bright", "nobody"), 0.5), "no normality of that name"),
        (InForce(("bright",), math.nan), "a finite number"),
        (InForce(("bright",), math.inf), "a finite number"),
        (InForce(("bright", "bright"), 0.5), "two of that name"),
    ],
)
def test_what_cannot_be_put_in_force_changes_nothing(
    proposed: InForce, complaint: str, bundle: Bundle, tmp_path: Path
) -> None:
    known = words(bundle, tmp_path)
    for ask in (known.put_in_force, known.choices):
        with pytest.raises(NandEdgeError, match=complaint):
            ask(proposed)
    assert known.in_force == InForce(("bright",), 0.5)
    assert not (tmp_path / "in-force.json").exists()


def test_a_disk_that_takes_nothing_does_not_keep_a_change_from_holding(
    bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = words(bundle, tmp_path / "gone")
    known.put_in_force(InForce((), 0.75))
    assert known.in_force == InForce((), 0.75)
    assert "cannot be kept for the next start" in caplog.text


def test_one_that_was_added_can_be_put_in_force_and_is_there_after_a_crash(
    bundle: Bundle, tmp_path: Path, own_normality: Normality
) -> None:
    known = words(bundle, tmp_path)
    entry = known.add(own_normality)
    assert (entry.name, entry.active, entry.added) == ("shade", False, True)
    assert known.in_force == InForce(("bright",), 0.5), "adding changes no verdict"
    known.put_in_force(InForce(("shade",), 0.5))
    again = words(bundle, tmp_path)
    assert again.in_force == InForce(("shade",), 0.5)
    assert [(entry.name, entry.active, entry.added) for entry in again.entries()][-1] == ("shade", True, True)


@pytest.mark.parametrize("name", ["", "../etc", "Shade", "a b", "a" * 65, "-a", "sh\n", "bright"])
def test_a_name_that_is_taken_or_none_is_refused(name: str, bundle: Bundle, tmp_path: Path) -> None:
    known = words(bundle, tmp_path / "state")
    with pytest.raises(NandEdgeError, match="needed a new name of at most 64 lower-case letters"):
        known.add(toy_normality(name, [1, 0]))
    assert not list(tmp_path.rglob("*.normality"))


def test_one_that_cannot_be_written_is_not_added(bundle: Bundle, tmp_path: Path, own_normality: Normality) -> None:
    (tmp_path / "normalities").write_text("a file where the folder should be")
    known = words(bundle, tmp_path)
    with pytest.raises(NandEdgeError, match="a folder with room for it"):
        known.add(own_normality)
    assert [entry.name for entry in known.entries()] == ["bright", "dark"]


def test_a_damaged_one_that_was_added_does_not_stop_the_line(
    bundle: Bundle, tmp_path: Path, own_normality: Normality, caplog: pytest.LogCaptureFixture
) -> None:
    words(bundle, tmp_path).add(own_normality)
    (tmp_path / "normalities" / "shade.normality").write_bytes(b"spoilt")
    assert [entry.name for entry in words(bundle, tmp_path).entries()] == ["bright", "dark"]
    assert "shade.normality" in caplog.text


def test_the_hash_tells_what_was_in_force(bundle: Bundle, tmp_path: Path) -> None:
    known = words(bundle, tmp_path)
    bright = known.sha256(("bright",))
    known.put_in_force(InForce(("dark", "bright"), 0.5))
    known.put_in_force(InForce(("bright", "dark"), 0.5))
    hashes = [known.sha256(names) for names in (("bright",), ("dark", "bright"), ("bright", "dark"))]
    assert hashes[0] == bright, "frames that were judged by it may still be on their way"
    assert len(set(hashes)) == 3
    assert all(len(each) == 64 for each in hashes)
    assert known.sha256(("nobody",)) == ""


def test_hashes_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    folder = write_toy_bundle(tmp_path / "many.nand")
    known = words(open_bundle(folder), tmp_path)
    for number in range(24):
        known.add(toy_normality(f"n{number}", [1, 0]))
    for first in range(24):
        for second in range(first):
            known.put_in_force(InForce((f"n{first}", f"n{second}"), 0.5))
    assert known.sha256(("n23", "n22")) != ""
    assert known.sha256(("bright",)) == ""
    assert len(known._hashes) == 256
