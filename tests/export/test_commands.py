"""The workstation's commands as a user types them, on real parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nand_edge.bundle import open_bundle
from nand_edge.command_line import main
from nand_edge.normality import read_normality


@pytest.fixture(scope="module")
def workplace(good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cloth.detector and stain.normality."""
    folder = tmp_path_factory.mktemp("workplace")
    fit = ["fit", str(good_dir), "-o", str(folder / "cloth.detector"), "--input-size", "96", "--memory-patches", "200"]
    assert main(fit) == 0
    assert main(["normality", "dark stain", "--object", "cloth", "-o", str(folder / "stain.normality")]) == 0
    return folder


def test_words_become_a_normality_with_its_phrases(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = workplace / "thread.normality"
    assert main(["normality", "thread is fine from Monday", "--object", "cloth", "-o", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    made = read_normality(path)
    assert (made.name, made.clip_model) == ("thread", "nand-tiny")
    assert told["phrases"] == list(made.phrases)
    assert all("thread" in phrase and "Monday" not in phrase for phrase in made.phrases)


def test_own_phrases_take_the_place_of_the_rules(workplace: Path) -> None:
    path = workplace / "own.normality"
    assert main(["normality", "thread", "-o", str(path), "--phrase", "a lint", "--phrase", "some fluff"]) == 0
    assert read_normality(path).phrases == ("a lint", "some fluff")


def test_an_export_says_what_it_wrote(workplace: Path, good_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = workplace / "cloth.nand"
    arguments = ["--detector", str(workplace / "cloth.detector"), "--normality", str(workplace / "stain.normality")]
    region = ["--region", "0,0,96,48"]  # pixels of the samples, 96 x 96
    assert main(["export", *arguments, *region, "--samples", str(good_dir), "-o", str(output), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    bundle = open_bundle(output)
    assert told["sha256"] == bundle.sha256
    assert told["normalities"] == ["stain"]
    assert told["max_map_error"] <= 1e-4
    assert told["region"]["given_as"] == bundle.region().given_as == "rectangle 0,0,96,48 of 96x96 pixels"
    assert bundle.region().share == 0.5
    assert "held-out good frames" in bundle.manifest.threshold.chosen_by
    assert sorted(path.name for path in (output / "samples").glob("*.png")) == ["0.png", "1.png", "2.png", "3.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--taps", "4;5"], "whole numbers with commas between"),
        (["--taps", "5,4"], "ascending numbers from 1 to 5"),
        (["--clip", "ViT-S-32-alt:random"], "--projection FILE"),
        (["--clip", "ViT-S-32-alt:random", "--projection", "random"], "features of the CLIP 'nand-tiny'"),
        (["--samples", "no-such-folder"], "no-such-folder"),
        (["--region", "0,0,96,48"], "add --frame-size WIDTHxHEIGHT"),
        (["--ignore-mask", "no-such.png"], "no-such.png"),
        (["-o", "no-such-folder/x.nand"], "does not exist"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_leaves_nothing(
    workplace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    files = ["--detector", str(workplace / "cloth.detector"), "--normality", str(workplace / "stain.normality")]
    assert main(["export", *files, "-o", str(tmp_path / "x.nand"), *arguments]) == 1
    told = capsys.readouterr().err.strip()
    assert words in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_too_few_good_frames_choose_no_threshold_so_one_must_be_given(
    workplace: Path, good_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(good_dir.iterdir())[:3]:
        (few / path.name).symlink_to(path)
    detector = tmp_path / "few.detector"
    fit = ["fit", str(few), "-o", str(detector), "--input-size", "96", "--memory-patches", "50"]
    assert main(fit) == 0
    files = ["--detector", str(detector), "--normality", str(workplace / "stain.normality")]
    assert main(["export", *files, "-o", str(tmp_path / "x.nand")]) == 1
    assert "give --threshold" in capsys.readouterr().err
    assert main(["export", *files, "-o", str(tmp_path / "x.nand"), "--threshold", "0.5"]) == 0
    assert open_bundle(tmp_path / "x.nand").manifest.threshold.value == 0.5
