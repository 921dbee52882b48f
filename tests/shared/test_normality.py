"""Normality files: words and the vectors that stand for them; and several of them as one input."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from toy_bundle import toy_manifest

from nand_edge.errors import NandEdgeError
from nand_edge.normality import (
    FORMAT,
    PADDING_BIAS,
    PAPER,
    EncoderRecord,
    Normality,
    read_normality,
    stack,
    write_normality,
)
from nand_edge.suppression import FloatArray, NormalityTensors, normality_map

ENCODER = EncoderRecord(projection_sha256="e" * 64, taps=(4, 5, 7), logit_scale=20.0)


def unit_features(*shape: int) -> FloatArray:
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def normality(
    features: FloatArray | None = None, bias: FloatArray | None = None, encoder: EncoderRecord | None = None
) -> Normality:
    features = np.eye(2, 8, dtype=np.float32).reshape(1, 2, 1, 8) if features is None else features
    return Normality(
        name="stain",
        text="dark stain",
        object_name="solar cell",
        phrases=("solar cell with a dark stain", "Zelle mit Fleck ü"),
        prompts=("a photo of a solar cell with a dark stain.",),
        clip_sha256="a" * 64,
        clip_model="nand-tiny",
        features=features,
        bias=np.zeros(features.shape[:3], np.float32) if bias is None else bias,
        form=PAPER if encoder is None else "fitted",
        encoder=encoder,
    )


@pytest.mark.parametrize("encoder", [None, ENCODER], ids=["of words alone", "fitted"])
def test_what_is_written_is_read(tmp_path: Path, encoder: EncoderRecord | None) -> None:
    made = normality(encoder=encoder) if encoder is None else normality(3 * unit_features(3, 2, 4, 8), encoder=encoder)
    write_normality(made, tmp_path / "stain.normality")
    read = read_normality(tmp_path / "stain.normality")

    for name in ("features", "bias"):
        assert np.array_equal(getattr(read, name), getattr(made, name))
        assert getattr(read, name).dtype == np.float32
    assert (read.name, read.text, read.object_name) == ("stain", "dark stain", "solar cell")
    assert (read.phrases, read.prompts) == (made.phrases, made.prompts)
    assert (read.form, read.encoder) == (made.form, encoder)


def test_features_of_another_clip_are_refused() -> None:
    normality().require_clip("a" * 64, "nand-tiny")

    with pytest.raises(NandEdgeError, match=r"features of the CLIP 'nand-tiny'.*needed features of 'ViT-B-16'"):
        normality().require_clip("b" * 64, "ViT-B-16")


@pytest.mark.parametrize(
    "change",
    [{"projection_sha256": "f" * 64}, {"taps": (4, 5, 6)}, {"logit_scale": 21.0}],
    ids=["projections", "taps", "logit scale"],
)
def test_vectors_fitted_to_another_encoder_are_refused(change: dict[str, object]) -> None:
    clip = toy_manifest("line").clip
    clip = clip.model_copy(update={"sha256": "a" * 64, "taps": ENCODER.taps, "logit_scale": ENCODER.logit_scale})
    clip = clip.model_copy(update={"projection": clip.projection.model_copy(update={"sha256": "e" * 64})})
    normality().require_encoder(clip)
    normality(encoder=ENCODER).require_encoder(clip)

    with pytest.raises(NandEdgeError, match=r"of the form 'fitted': found vectors fitted to projections"):
        normality(encoder=dataclasses.replace(ENCODER, **change)).require_encoder(clip)


@pytest.mark.parametrize(
    "features",
    [
        np.eye(3, 8, dtype=np.float32).reshape(1, 3, 1, 8),
        np.eye(2, 8, dtype=np.float32),
        np.zeros((1, 2, 0, 8), dtype=np.float32),
        2 * np.eye(2, 8, dtype=np.float32).reshape(1, 2, 1, 8),
        np.zeros((1, 2, 1, 8), dtype=np.float32),
        np.full((1, 2, 1, 8), np.nan, dtype=np.float32),
        unit_features(3, 2, 1, 8),
    ],
    ids=["three sides", "two axes", "no vector", "too long", "zero", "no numbers", "of three taps"],
)
def test_features_that_are_no_unit_vectors_and_name_no_encoder_are_refused(
    tmp_path: Path, features: FloatArray
) -> None:
    write_normality(normality(features), tmp_path / "stain.normality")

    with pytest.raises(NandEdgeError, match="found features"):
        read_normality(tmp_path / "stain.normality")


@pytest.mark.parametrize(
    ("bias", "found"),
    [
        (np.zeros((1, 2, 3), np.float32), "bias float32"),
        (np.full((1, 2, 2), 0.5, np.float32), "fitted to an image encoder that it does not name"),
        (np.full((1, 2, 2), np.inf, np.float32), "not finite"),
        (np.float32([[[0, 0], [PADDING_BIAS, PADDING_BIAS]]]), "a side that has no vector"),
    ],
    ids=["another shape", "fitted", "no number", "padding alone"],
)
def test_a_bias_that_does_not_fit_is_refused(tmp_path: Path, bias: FloatArray, found: str) -> None:
    write_normality(normality(unit_features(1, 2, 2, 8), bias), tmp_path / "stain.normality")

    with pytest.raises(NandEdgeError, match=found):
        read_normality(tmp_path / "stain.normality")


def test_an_encoder_with_another_number_of_taps_is_refused(tmp_path: Path) -> None:
    write_normality(normality(unit_features(2, 2, 1, 8), encoder=ENCODER), tmp_path / "stain.normality")

    with pytest.raises(NandEdgeError, match="features for 2 taps, fitted to an encoder with 3"):
        read_normality(tmp_path / "stain.normality")


def test_different_forms_stand_side_by_side_and_compute_what_each_does_alone() -> None:
    """A normality of words, one with more vectors, and one fitted to each tap, stacked for three taps."""
    words, more = normality(), normality(unit_features(1, 2, 3, 8))
    bias = np.zeros((3, 2, 5), np.float32)
    bias[:, 0, 2:] = PADDING_BIAS
    fitted = normality(30 * unit_features(3, 2, 5, 8), bias, ENCODER)
    random = np.random.default_rng(1)
    tokens = [unit_features(1, 4, 8) for _ in range(3)]
    tokens = [tap + random.normal(size=tap.shape).astype(np.float32) for tap in tokens]

    def maps(normalities: NormalityTensors) -> FloatArray:
        return normality_map(tokens, [(2, 2)] * 3, normalities, logit_scale=1.0, map_size=4)

    joint = stack([words, more, fitted], 3)
    assert joint.features.shape == (3, 3, 2, 5, 8)
    assert joint.bias.shape == (3, 3, 2, 5)
    alone = [maps(stack([each], 3)) for each in (words, more, fitted)]
    np.testing.assert_allclose(maps(joint), np.concatenate(alone, axis=1), atol=1e-6)


def test_vectors_for_another_number_of_taps_cannot_be_stacked() -> None:
    with pytest.raises(NandEdgeError, match="vectors for 3 taps, needed vectors for 2 taps"):
        stack([normality(unit_features(3, 2, 1, 8), encoder=ENCODER)], 2)
    with pytest.raises(NandEdgeError, match="found none, needed at least one"):
        stack([], 2)


@pytest.mark.parametrize("length", [0, 1, 7, 100, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "stain.normality"
    write_normality(normality(), path)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(NandEdgeError, match="cannot be read"):
        read_normality(path)


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        (None, "format 'unknown'"),
        ({"format": "nand-edge normality 1"}, "format 'nand-edge normality 1'.*make it again"),
        ({"format": FORMAT}, "cannot be read"),
        ({"format": FORMAT, "normality": "[]"}, "words that are not whole"),
        ({"format": FORMAT, "normality": "{}"}, "words that are not whole"),
    ],
    ids=["none", "older format", "no words", "words of another kind", "empty words"],
)
def test_other_safetensors_are_refused(tmp_path: Path, metadata: dict[str, str] | None, found: str) -> None:
    path = tmp_path / "other.normality"
    tensors = {"features": normality().features, "bias": normality().bias}
    save_file(tensors, str(path), metadata=metadata)

    with pytest.raises(NandEdgeError, match=rf"other\.normality.*{found}"):
        read_normality(path)


def test_double_precision_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "double.normality"
    tensors = {"features": np.zeros((1, 2, 1, 8)), "bias": np.zeros((1, 2, 1))}
    save_file(tensors, str(path), metadata={"format": FORMAT, "normality": "{}"})

    with pytest.raises(NandEdgeError, match="float64"):
        read_normality(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="no such file"):
        read_normality(tmp_path / "none.normality")


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="does not exist"):
        write_normality(normality(), tmp_path / "missing" / "stain.normality")
    assert list(tmp_path.iterdir()) == []
