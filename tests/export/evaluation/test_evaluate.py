"""`nand-edge evaluate` as it is used: figures, files, several detectors, a bundle, and bad input."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from nand_edge.bundle import Bundle
from nand_edge.command_line import main
from nand_edge.evaluation.groups import Group
from nand_edge.normality import Normality
from nand_edge_export.clip import Clip
from nand_edge_export.evaluation import forms
from nand_edge_export.evaluation.forms import Material


class Workplace:
    """Where a test evaluates, in the paper's form: `evaluate(...)` gives the exit code and what --json wrote."""

    def __init__(self, folder: Path, dataset: Path, groups: Path) -> None:
        self.dataset, self.groups, self.output = dataset, groups, folder / "evaluation"

    def evaluate(self, *options: str | Path) -> tuple[int, dict[str, Any]]:
        json_file = self.output.with_suffix(".json")
        json_file.unlink(missing_ok=True)
        where = ["--groups", str(self.groups), "--output", str(self.output), "--json", str(json_file)]
        form = [] if "--form" in options else ["--form", "paper"]
        code = main(["evaluate", str(self.dataset), *where, *form, *map(str, options)])
        return code, json.loads(json_file.read_text("utf-8")) if json_file.is_file() else {}

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.output / name).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))


@pytest.fixture
def workplace(tmp_path: Path, fabric: Path, groups_file: Path) -> Workplace:
    return Workplace(tmp_path, fabric, groups_file)


def test_an_evaluation_gives_figures_scores_and_a_report(workplace: Workplace, detector_file: Path) -> None:
    code, figures = workplace.evaluate("--detector", detector_file)
    assert code == 0
    assert [(pair["class"], pair["group"], pair["words"]) for pair in figures["pairs"]] == [
        ("fabric", "hole", "black hole"),
        ("fabric", "thread", "thread"),
    ]
    for side in ("before", "after"):
        assert figures[f"mean_auroc_{side}"] == np.mean([pair[f"auroc_{side}"] for pair in figures["pairs"]])
    assert figures["frames_computed"] == 12
    assert json.loads((workplace.output / "results.json").read_text("utf-8")) == figures
    holes = [row for row in workplace.rows("scores.csv") if row["group"] == "hole"]
    truth = [row["counts_as"] == "anomalous" for row in holes]
    assert sum(truth) == 4
    for side in ("before", "after"):
        area = roc_auc_score(truth, [float(row[side]) for row in holes])
        assert figures["pairs"][0][f"auroc_{side}"] == pytest.approx(area)
    assert all(float(row["after"]) <= float(row["before"]) for row in holes)
    assert [row["group"] for row in workplace.rows("pairs.csv")] == ["hole", "thread"]
    assert (workplace.output / "report.html").stat().st_size > 50_000


def test_a_second_run_computes_nothing_and_finds_the_same(workplace: Workplace, detector_file: Path) -> None:
    _, first = workplace.evaluate("--detector", detector_file)
    _, second = workplace.evaluate("--detector", detector_file)
    assert (second["frames_computed"], second["frames_reused"]) == (0, 12)
    assert second["results"] == first["results"]


def test_other_words_need_no_base_map_again(workplace: Workplace, detector_file: Path) -> None:
    _, first = workplace.evaluate("--detector", detector_file)
    base_maps = {
        path: path.stat().st_mtime_ns for path in (workplace.output / "cache/base_maps").rglob("*.safetensors")
    }
    workplace.groups.write_text(workplace.groups.read_text("utf-8").replace("a black hole", "a spot"), "utf-8")
    _, second = workplace.evaluate("--detector", detector_file)
    assert len(base_maps) == 12
    assert {path: path.stat().st_mtime_ns for path in base_maps} == base_maps
    assert second["pairs"][0]["auroc_before"] == first["pairs"][0]["auroc_before"]
    assert second["pairs"][1] == first["pairs"][1]
    assert second["frames_computed"] == 12  # their log-odds for the new words


def test_several_detectors_stand_side_by_side_and_a_method_is_fitted_once(
    workplace: Workplace, detector_file: Path
) -> None:
    april_gan = "april-gan:shots=1"
    code, figures = workplace.evaluate("--detector", april_gan, "--detector", detector_file)
    assert code == 0
    assert [result["detector"] for result in figures["results"]] == [april_gan, "small.detector"]
    assert figures["detector_settings"]["object"] == "fabric"
    assert figures["pairs"] == figures["results"][0]["pairs"]
    fitted = list((workplace.output / "detectors").iterdir())
    assert [path.name.split(".")[:2] for path in fitted] == [["fabric", "april-gan"]]
    written = fitted[0].stat().st_mtime_ns
    workplace.evaluate("--detector", april_gan)
    assert fitted[0].stat().st_mtime_ns == written


def test_a_method_takes_the_options_that_fit_has(workplace: Workplace) -> None:
    code, figures = workplace.evaluate("--detector", "patchcore:input-size=96,memory_patches=50")
    assert code == 0
    assert figures["detector_settings"]["memory_patches"] == 50


def test_forms_of_suppression_are_compared_on_the_same_frames(
    workplace: Workplace, detector_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(normality: Normality, _: Group, __: Material) -> Normality:
        """Suppresses next to nothing: what is added must look like it by far."""
        return replace(normality, form="nothing", bias=np.array([[[50.0], [-50.0]]], np.float32))

    monkeypatch.setitem(forms.STEPS, "nothing", nothing)
    code, figures = workplace.evaluate("--detector", detector_file, "--form", "nothing", "--form", "calibrated")
    assert code == 0
    assert [result["form"] for result in figures["results"]] == ["nothing", "calibrated"]
    assert figures["mean_auroc_after"] == figures["mean_auroc_before"]
    assert figures["results"][1]["mean_auroc_before"] == figures["mean_auroc_before"]


def test_without_a_form_the_papers_counts_and_others_stand_beside_it(
    workplace: Workplace, detector_file: Path, bundle: Bundle
) -> None:
    where = ["evaluate", str(workplace.dataset), "--groups", str(workplace.groups), "-o", str(workplace.output)]
    results = workplace.output / "results.json"
    assert main([*where, "--detector", str(detector_file)]) == 0
    figures = json.loads(results.read_text("utf-8"))
    assert [result["form"] for result in figures["results"]] == ["paper", "contrast", "calibrated"]
    assert figures["pairs"] == figures["results"][0]["pairs"]
    # A bundle's encoder is in its graph: forms that look at frames cannot be made.
    assert main([*where, "--bundle", str(bundle.folder)]) == 0
    assert [result["form"] for result in json.loads(results.read_text("utf-8"))["results"]] == ["paper", "contrast"]


def test_a_bundle_is_evaluated_as_a_line_runs_it(
    workplace: Workplace, detector_file: Path, bundle: Bundle, clip: Clip
) -> None:
    code, packed = workplace.evaluate("--bundle", bundle.folder)
    assert code == 0
    assert packed["clip"] == clip.name
    assert packed["pairs"][0]["threshold"] == bundle.manifest.threshold.value
    by_bundle = [float(row["after"]) for row in workplace.rows("scores.csv")]
    workplace.evaluate("--detector", detector_file)
    eager = [float(row["after"]) for row in workplace.rows("scores.csv")]
    # Their resizes may round a pixel otherwise.
    np.testing.assert_allclose(by_bundle, eager, atol=0.02)
    _, again = workplace.evaluate("--bundle", bundle.folder)
    assert (again["frames_computed"], again["frames_reused"]) == (0, 12)
    assert again["results"] == packed["results"]


def test_a_bundles_detector_is_not_to_be_chosen(workplace: Workplace, bundle: Bundle) -> None:
    assert workplace.evaluate("--bundle", bundle.folder, "--detector", "patchcore")[0] == 2


def test_another_clip_than_the_bundles_is_refused(
    workplace: Workplace, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workplace.evaluate("--bundle", bundle.folder, "--clip", "ViT-S-32-alt:random") == (1, {})
    assert "give the bundle's CLIP with --clip" in capsys.readouterr().err


def test_a_damaged_image_stops_the_run_and_keeps_what_was_computed(
    workplace: Workplace, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = workplace.dataset / "test/thread/001.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[: len(whole) // 2][:200])
    assert workplace.evaluate("--detector", detector_file) == (1, {})
    error = capsys.readouterr().err
    assert "test/thread/001.png" in error
    assert "--skip-bad" in error
    damaged.write_bytes(whole)
    _, figures = workplace.evaluate("--detector", detector_file)
    assert (figures["frames_reused"], figures["frames_computed"]) == (9, 3)


def test_damaged_images_are_left_out_and_named_if_the_user_wants_it(
    workplace: Workplace, detector_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workplace.dataset / "test/thread/001.png").write_bytes(b"no image")
    (workplace.dataset / "train/good/003.png").write_bytes(b"")
    mask = workplace.dataset / "ground_truth/hole/002_mask.png"
    cv2.imwrite(str(mask), np.zeros((10, 10), np.uint8))
    code, figures = workplace.evaluate("--detector", detector_file, "--skip-bad")
    assert code == 0
    assert [Path(path).name for path in figures["skipped"]] == ["003.png", "002.png", "001.png"]
    assert "10 x 10 pixels" in figures["skipped"][str(workplace.dataset / "test/hole/002.png")]
    assert figures["pairs"][0]["frames"] == 10
    assert figures["data_set"]["classes"]["fabric"] == {"good_frames": 12, "test_frames": 12}
    assert "3 skipped" in capsys.readouterr().out
    assert "no image" not in (workplace.output / "report.html").read_text("utf-8")
    assert "003.png" in (workplace.output / "report.html").read_text("utf-8")


def test_a_damaged_good_frame_stops_a_fit_by_its_name(workplace: Workplace, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace.dataset / "train/good/003.png").write_bytes(b"no image")
    assert workplace.evaluate("--detector", "patchcore")[0] == 1
    assert "train/good/003.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ("tile: {hole: [hole]}", "found class 'tile', needed classes that the data set has: fabric"),
        ("fabric: {crack: [crack]}", "no test frame of 'crack', needed names among hole, thread"),
        ("fabric: {all: [hole, thread]}", "no test frame of any other defect"),
    ],
)
def test_groups_that_do_not_fit_stop_before_anything_is_computed(
    workplace: Workplace, detector_file: Path, groups: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    workplace.groups.write_text(groups, encoding="utf-8")
    assert workplace.evaluate("--detector", detector_file) == (1, {})
    assert sentence in capsys.readouterr().err
    assert not workplace.output.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--detector", "padim"], "neither a method nor a file NAME.detector"),
        (["--detector", "gone.detector"], "no such file"),
        (["--detector", "patchcore:shots=1"], "options among input_size, backbone, memory_patches"),
        (["--detector", "patchcore:memory_patches=many"], "unable to parse string as an integer"),
        (["--form", "louder"], "no step 'louder'"),
        (["--class", "tile"], "no class 'tile'"),
        (["--taps", "one"], "needed whole numbers with commas between"),
        (["--clip", "ViT-S-32-alt:random"], "give --projection FILE"),
    ],
)
def test_what_cannot_be_used_is_said(
    workplace: Workplace, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workplace.evaluate(*options) == (1, {})
    assert sentence in capsys.readouterr().err


def test_a_projection_of_another_width_is_refused(
    workplace: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.numpy import save_file

    layers = {
        f"fc.{place}.{part}": np.zeros((3, 5) if part == "weight" else 3, np.float32)
        for place in range(2)
        for part in ("weight", "bias")
    }
    save_file(layers, tmp_path / "narrow.safetensors")
    assert workplace.evaluate("--projection", tmp_path / "narrow.safetensors") == (1, {})
    error = capsys.readouterr().err
    assert "narrow.safetensors" in error
    assert "Traceback" not in error


def test_too_few_good_frames_for_a_threshold_stop_the_run_and_keep_the_detector(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in sorted((workplace.dataset / "train/good").iterdir())[4:]:
        path.unlink()
    assert workplace.evaluate() == (1, {})
    assert "fit it on at least 10 good frames" in capsys.readouterr().err
    assert len(list((workplace.output / "detectors").iterdir())) == 1


def test_mvtec_ad_needs_no_groups_file_and_a_part_of_it_no_paper(
    tmp_path: Path, fabric: Path, detector_file: Path
) -> None:
    root = tmp_path / "mvtec"
    shutil.copytree(fabric, root / "carpet")
    for part in ("test", "ground_truth"):
        (root / "carpet" / part / "hole").rename(root / "carpet" / part / "cut")
        for other in ("hole", "color", "metal_contamination"):
            shutil.copytree(root / "carpet" / part / "cut", root / "carpet" / part / other)
    code = main(
        [
            "evaluate",
            str(root),
            "--detector",
            str(detector_file),
            "-o",
            str(tmp_path / "o"),
            "--json",
            str(tmp_path / "j"),
        ]
    )
    assert code == 0
    figures = json.loads((tmp_path / "j").read_text("utf-8"))
    assert [pair["group"] for pair in figures["pairs"]] == ["thread", "metal", "color", "cut"]
    assert figures["pairs"][3]["folders"] == ["cut", "hole"]
    assert "paper" not in figures
