from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.protocol import auroc
from nand_edge.manifest import ThresholdRecord
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.normality import make_normality
from nand_edge_export.training.frames import TrainingFrames
from nand_edge_export.training.heads import defect_map
from nand_edge_export.training.train import Trained
from nand_tiny.scene import make_scene

Train = Callable[..., Trained]

SIDE = 120


@pytest.fixture(scope="module")
def trained(
    train: Train, more_frames: TrainingFrames, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trained, Path]:
    """A training of 24 steps, and its file."""
    output = tmp_path_factory.mktemp("trained") / "drawn.safetensors"
    clip = load_clip("nand-tiny", image_size=SIDE)
    return train(output, clip=clip, frames=more_frames, epochs=4, mosaics=0.0), output


def unseen_auroc(projection: str) -> float:
    """Pixel AUROC of APRIL-GAN on drawn frames that nobody trained on."""
    fitted = AprilGanMethod("part", projection=projection, image_size=SIDE).fit()
    scores, defects = [], []
    for index in range(500, 530):
        scene = make_scene(9, index, size=SIDE)
        if scene.masks:
            with torch.inference_mode():
                scores.append(fitted.base_map(scene.image).numpy().ravel())
            covered = np.any(list(scene.masks.values()), axis=0).astype(np.uint8)
            defects.append(cv2.resize(covered, (256, 256), interpolation=cv2.INTER_NEAREST).ravel() > 0)
    return auroc(np.concatenate(defects), np.concatenate(scores).astype(np.float64))


def test_the_loss_falls_and_the_projections_find_defects_that_they_never_saw(trained: tuple[Trained, Path]) -> None:
    result, output = trained
    assert result.epoch_losses[-1] < result.epoch_losses[0] - 0.1
    before, after = unseen_auroc("random"), unseen_auroc(str(output))
    assert after > 0.75
    assert after > before + 0.2


def test_the_file_is_read_as_projections_of_this_clip_alone(trained: tuple[Trained, Path], small_clip: Clip) -> None:
    _, output = trained
    projections = ClipEncoder(small_clip, projection=str(output)).projections
    assert projections.logit_scale == 100.0
    assert projections.training is not None
    assert projections.training.taps == (4, 5)
    assert projections.training.image_size == SIDE
    assert projections.training.epochs == 4
    assert projections.training.recipe["objects"] == ["part"]
    with pytest.raises(NandEdgeError, match="needed 1 layers, one a tap; give 2 --taps"):
        ClipEncoder(small_clip, taps=(5,), projection=str(output))
    with pytest.raises(NandEdgeError, match="trained for the CLIP 'nand-tiny'"):
        projections.require_clip("another", "0" * 64, (4, 5))


def test_every_step_is_in_the_log_and_the_chart_is_drawn(trained: tuple[Trained, Path]) -> None:
    result, _ = trained
    records = [json.loads(line) for line in (result.folder / "loss.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["step"] for record in records] == list(range(1, result.steps + 1))
    assert records[0]["loss"] == pytest.approx(records[0]["tap4"] + records[0]["tap5"], abs=1e-5)
    assert (result.folder / "loss.svg").read_text(encoding="utf-8").rstrip().endswith("</svg>")


@pytest.mark.parametrize("stop", [1, 2, 5], ids=["before a checkpoint", "at one", "in the second epoch"])
def test_a_resumed_training_ends_as_one_that_was_not_stopped(train: Train, tmp_path: Path, stop: int) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert train(whole, epochs=2).resumed_at == 0
    with pytest.raises(KeyboardInterrupt):
        train(parts, epochs=2, steps=stop)
    assert not parts.exists()
    assert train(parts, epochs=2).resumed_at == stop
    for name, tensor in load_file(whole).items():
        torch.testing.assert_close(load_file(parts)[name], tensor, atol=1e-6, rtol=0)
    logs = [(path.with_suffix(".training") / "loss.jsonl").read_text(encoding="utf-8") for path in (whole, parts)]
    assert logs[0] == logs[1]


def test_more_epochs_go_on_and_fewer_are_refused(train: Train, tmp_path: Path) -> None:
    output = tmp_path / "p.safetensors"
    train(output, epochs=1)
    assert train(output, epochs=2).resumed_at == 4
    with pytest.raises(NandEdgeError, match="8 steps, needed no more than the 4 of 1 epochs"):
        train(output, epochs=1)


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(train: Train, tmp_path: Path) -> None:
    output = tmp_path / "p.safetensors"
    train(output, epochs=1)
    with pytest.raises(NandEdgeError, match="a training with batch 8, needed batch 4"):
        train(output, epochs=1, batch=4)
    checkpoint = tmp_path / "p.training" / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(NandEdgeError, match=r"a file that cannot be read .* remove the folder"):
        train(output, epochs=1)


def test_a_loss_that_is_no_number_stops_with_a_sentence(train: Train, tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="the loss of step 1: found nan"):
        train(tmp_path / "p.safetensors", epochs=1, logit_scale=float("1e3"), clip=without_numbers())


def without_numbers() -> Clip:
    clip = load_clip("nand-tiny", image_size=96)
    with torch.no_grad():
        clip.model.visual.trunk.conv_stem.weight.fill_(torch.nan)
    return clip


def test_a_small_vision_transformer_learns_too(train: Train, tmp_path: Path) -> None:
    configuration = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 96, "layers": 4, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
    }
    (tmp_path / "ViT-small-8.json").write_text(json.dumps(configuration), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS])
        patch.setattr(open_clip.factory, "_MODEL_CONFIGS", {**open_clip.factory._MODEL_CONFIGS})
        open_clip.add_model_config(tmp_path)
        clip = load_clip("ViT-small-8:random")
    output = tmp_path / "p.safetensors"
    result = train(output, clip=clip, epochs=5, mosaics=0.0)
    assert result.epoch_losses[-1] < result.epoch_losses[0] - 0.1
    assert ClipEncoder(clip, projection=str(output)).taps == (1, 2, 3, 4)


def test_the_map_that_learns_is_the_detectors(trained: tuple[Trained, Path]) -> None:
    _, output = trained
    clip = load_clip("nand-tiny", image_size=SIDE)
    encoder = ClipEncoder(clip, projection=str(output))
    fitted = AprilGanMethod("part", projection=str(output)).fit()
    frame = make_scene(9, 600, size=96).image
    image = clip.preprocessing.prepare(frame[np.newaxis])
    normal, abnormal = fitted.detector.tensors()["text_features"]
    features = encoder.read(image, ["features_4", "features_5"]).values()
    with torch.inference_mode():
        maps = [
            defect_map(layer, tap, 100.0 * (abnormal - normal)[None], 256)
            for layer, tap in zip(encoder.heads, features, strict=True)
        ]
        torch.testing.assert_close(torch.stack(maps).sum(dim=0)[0], fitted.base_map(frame), atol=1e-4, rtol=0)


def test_what_was_trained_becomes_a_bundle(trained: tuple[Trained, Path], tmp_path: Path) -> None:
    _, output = trained
    clip = load_clip("nand-tiny", image_size=SIDE)
    fitted = AprilGanMethod("part", projection=str(output)).fit()
    export = Export(
        detector=fitted.detector,
        clip=clip,
        encoder=ClipEncoder(clip, projection=str(output)),
        normalities=(make_normality(clip, "dark stain", "part", name="stain"),),
        threshold=ThresholdRecord(value=1.0, chosen_by="given by a test"),
    )
    bundle = export_bundle(export, tmp_path / "part.nand", frames=[make_scene(9, 700, size=SIDE).image])
    assert bundle.manifest.clip.projection.name == "drawn.safetensors"
    assert bundle.manifest.clip.logit_scale == 100.0
    assert bundle.manifest.clip.input_size == SIDE
