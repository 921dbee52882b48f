"""The official release's maps: its steps, written anew in plain torch and float64, against what the product computes.

ViT-L-14-336 is made narrow here (128 channels for 1,024); depth, taps, patches, grids and steps are those of the
release. `benchmarks/official_release.py` does the same at full width.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import open_clip
import pytest
import torch
from numpy.typing import NDArray
from open_clip.transformer import QuickGELU

from nand_edge.normality import stack
from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge.suppression import NormalityTensors, normality_map
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.clip.loading import uses_quick_gelu
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.shots import Shots
from nand_edge_export.normality import make_normality
from official_release import (
    CLIP_FILE,
    IMAGE_SIZE,
    PROJECTION_FILE,
    TAPS,
    Weights,
    layer_maps,
    nearest_maps,
    patch_tokens,
    prepare,
    quick_gelu,
    text_feature,
    write_checkpoints,
)

MODEL = "ViT-narrow-14-336"
OBJECT = "carpet"
MAP_SIZE = 256


@pytest.fixture(scope="module")
def narrow_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A model in open_clip's registry with the layout of ViT-L-14-336 and, like it, published with QuickGELU alone."""
    folder = tmp_path_factory.mktemp("model_configs")
    configuration = {
        "embed_dim": 96,
        "vision_cfg": {"image_size": 336, "layers": 24, "width": 128, "patch_size": 14},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 3},
    }
    (folder / f"{MODEL}.json").write_text(json.dumps(configuration), encoding="utf-8")
    published = {"openai": {"url": "https://example.invalid/weights.pt", "quick_gelu": True}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_clip.factory, "_MODEL_CONFIG_PATHS", [*open_clip.factory._MODEL_CONFIG_PATHS])
        patch.setattr(open_clip.factory, "_MODEL_CONFIGS", {**open_clip.factory._MODEL_CONFIGS})
        patch.setitem(open_clip.pretrained._PRETRAINED, MODEL, published)
        open_clip.add_model_config(folder)
        yield MODEL


@dataclasses.dataclass(frozen=True)
class Release:
    """Files as the release has them, and what its steps give for one photograph, in float64."""

    clip: str
    projection: str
    image: Path
    weights: Weights
    layers: Weights
    tokens: list[torch.Tensor]
    texts: torch.Tensor

    def text(self, prompts: list[str]) -> torch.Tensor:
        with torch.inference_mode():
            return text_feature(self.weights, open_clip.tokenize(prompts), quick_gelu)


@pytest.fixture(scope="module")
def release(narrow_model: str, tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release")
    torch.manual_seed(0)
    weights, layers = (in_double(tensors) for tensors in write_checkpoints(folder, narrow_model))
    image = photograph(folder / "carpet.png", seed=0)
    with torch.inference_mode():
        tokens = patch_tokens(weights, prepare(image).double(), quick_gelu)
    made = Release(
        clip=f"{narrow_model}:{folder / CLIP_FILE}",
        projection=str(folder / PROJECTION_FILE),
        image=image,
        weights=weights,
        layers=layers,
        tokens=tokens,
        texts=torch.empty(0),
    )
    texts = torch.stack([made.text(ensemble(OBJECT)) for ensemble in (april_gan_normal, april_gan_abnormal)])
    return dataclasses.replace(made, texts=texts)


@pytest.fixture(scope="module")
def release_clip(release: Release) -> Clip:
    return load_clip(release.clip, image_size=IMAGE_SIZE)


@pytest.fixture(scope="module")
def release_encoder(release: Release, release_clip: Clip) -> ClipEncoder:
    return ClipEncoder(release_clip, projection=release.projection)


def in_double(tensors: Weights) -> Weights:
    return {name: tensor.double() for name, tensor in tensors.items()}


def photograph(path: Path, seed: int) -> Path:
    """A file with a smooth picture, larger than the model's input."""
    coarse = np.random.default_rng(seed).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(coarse, (700, 700), interpolation=cv2.INTER_CUBIC))
    return path


def frame(path: Path) -> NDArray[np.uint8]:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def test_openais_weights_of_the_releases_model_are_quick_gelu_from_the_hub_and_from_a_file(tmp_path: Path) -> None:
    assert uses_quick_gelu("ViT-L-14-336", "openai")
    assert uses_quick_gelu("ViT-L-14-336", str(tmp_path / "ViT-L-14-336px.safetensors"))
    assert uses_quick_gelu("ViT-B-16", "openai")
    assert not uses_quick_gelu("ViT-B-16", "laion2b_s34b_b88k")
    assert not uses_quick_gelu("ViT-B-16", str(tmp_path / "weights.safetensors"))
    assert uses_quick_gelu("ViT-B-16-quickgelu", str(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("activation", [True, False])
def test_the_hubs_configuration_beside_a_file_tells_the_activation(tmp_path: Path, *, activation: bool) -> None:
    (tmp_path / "open_clip_model.safetensors").touch()
    configuration = {"model_cfg": {"quick_gelu": activation}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(configuration), encoding="utf-8")
    assert uses_quick_gelu("ViT-B-16", str(tmp_path / "open_clip_model.safetensors")) is activation


def test_both_towers_have_the_activation_and_gelu_can_be_asked_for(release: Release, release_clip: Clip) -> None:
    activations = [module for module in release_clip.model.modules() if isinstance(module, QuickGELU)]
    assert len(activations) == 24 + 3
    with_gelu = load_clip(release.clip.replace(MODEL, f"{MODEL}-gelu"), image_size=IMAGE_SIZE)
    assert not any(isinstance(module, QuickGELU) for module in with_gelu.model.modules())
    assert with_gelu.sha256 != release_clip.sha256


def test_a_tag_is_loaded_with_the_activation_that_it_was_trained_with(
    release: Release, release_clip: Clip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    published = open_clip.pretrained._PRETRAINED[MODEL]["openai"]
    monkeypatch.setitem(published, "url", Path(release.clip.partition(":")[2]).as_uri())
    assert load_clip(f"{MODEL}:openai", image_size=IMAGE_SIZE).sha256 == release_clip.sha256


def test_the_position_embedding_grows_from_24_to_37_patches_a_side(release: Release, release_clip: Clip) -> None:
    assert release.weights["visual.positional_embedding"].shape[0] == 24 * 24 + 1
    assert release_clip.model.visual.positional_embedding.shape[0] == 37 * 37 + 1


def test_the_image_is_prepared_as_the_release_does(release: Release, release_clip: Clip) -> None:
    ours = release_clip.preprocessing.prepare(frame(release.image)[np.newaxis])
    torch.testing.assert_close(ours, prepare(release.image), atol=1e-6, rtol=0)


def test_text_features_are_the_releases(release: Release, release_clip: Clip) -> None:
    for expected, ensemble in zip(release.texts, (april_gan_normal, april_gan_abnormal), strict=True):
        np.testing.assert_allclose(release_clip.text_features(ensemble(OBJECT)), expected.numpy(), atol=1e-6)


def test_the_taps_are_the_releases_without_the_class_token(release: Release, release_encoder: ClipEncoder) -> None:
    assert release_encoder.taps == TAPS
    assert release_encoder.grids == ((37, 37),) * 4
    found = release_encoder.read(prepare(release.image), [f"features_{tap}" for tap in TAPS])
    for ours, expected in zip(found.values(), release.tokens, strict=True):
        torch.testing.assert_close(ours.flatten(2).transpose(1, 2).double(), expected, atol=1e-5, rtol=1e-5)


def test_each_layers_map_is_the_releases(release: Release, release_encoder: ClipEncoder) -> None:
    expected = layer_maps(release.layers, release.tokens, release.texts)
    tokens = [tap.numpy() for tap in release_encoder(prepare(release.image))]
    text = release.texts.float().numpy()[np.newaxis]
    for tap, grid, theirs in zip(tokens, release_encoder.grids, expected, strict=True):
        assert float(theirs.max() - theirs.min()) > 0.3
        ours = normality_map([tap], [grid], NormalityTensors.of_text(text, 1), logit_scale=100.0, map_size=IMAGE_SIZE)
        np.testing.assert_allclose(ours[:, 0], theirs.numpy(), atol=1e-5)


def test_the_detectors_map_is_the_releases_sum_at_the_releases_size(release: Release) -> None:
    fitted = AprilGanMethod(OBJECT, clip=release.clip, projection=release.projection).fit()
    assert fitted.detector.input_size == IMAGE_SIZE
    expected = torch.stack(layer_maps(release.layers, release.tokens, release.texts, MAP_SIZE)).sum(dim=0)[0]
    with torch.inference_mode():
        ours = fitted.base_map(frame(release.image))
    torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=0)


def test_gelu_would_give_another_map(release: Release) -> None:
    with torch.inference_mode():
        tokens = patch_tokens(release.weights, prepare(release.image).double(), torch.nn.functional.gelu)
    right, wrong = (
        torch.stack(layer_maps(release.layers, taps, release.texts, MAP_SIZE)).sum(dim=0)
        for taps in (release.tokens, tokens)
    )
    assert float((right - wrong).abs().max()) > 1e-3


def test_nands_suppression_map_is_the_mean_of_the_releases_layers(
    release: Release, release_clip: Clip, release_encoder: ClipEncoder
) -> None:
    normality = make_normality(release_clip, "loose thread", OBJECT, name="thread")
    texts = torch.stack([release.text(april_gan_normal(OBJECT)), release.text(list(normality.prompts))])
    expected = torch.stack(layer_maps(release.layers, release.tokens, texts, MAP_SIZE)).mean(dim=0)
    tokens = [tap.numpy() for tap in release_encoder(prepare(release.image))]
    ours = normality_map(
        tokens, release_encoder.grids, stack([normality], len(TAPS)), logit_scale=100.0, map_size=MAP_SIZE
    )
    np.testing.assert_allclose(ours[:, 0], expected.numpy(), atol=1e-5)


def test_the_few_shot_map_adds_the_releases_distance_to_the_memory(release: Release, tmp_path: Path) -> None:
    references = tmp_path / "references"
    references.mkdir()
    paths = [photograph(references / f"{seed}.png", seed) for seed in (1, 2)]
    method = AprilGanMethod(OBJECT, Shots(folder=references), clip=release.clip, projection=release.projection)
    fitted = method.fit()
    with torch.inference_mode():
        ours = fitted.base_map(frame(release.image))
        remembered = [patch_tokens(release.weights, prepare(path).double(), quick_gelu) for path in paths]
    memory = [torch.cat([tokens[layer][0] for tokens in remembered]) for layer in range(len(TAPS))]
    zero_shot = layer_maps(release.layers, release.tokens, release.texts, MAP_SIZE)
    expected = torch.stack([*zero_shot, *nearest_maps(memory, release.tokens, MAP_SIZE)]).sum(dim=0)[0]
    torch.testing.assert_close(ours.double(), expected, atol=1e-5, rtol=0)
