"""Normality files: words and the text features that stand for them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from nand_edge.errors import NandEdgeError
from nand_edge.normality import FORMAT, Normality, read_normality, write_normality
from nand_edge.suppression import FloatArray


def normality(features: FloatArray | None = None) -> Normality:
    unit = np.eye(2, 8, dtype=np.float32)
    return Normality(
        name="stain",
        text="dark stain",
        object_name="solar cell",
        phrases=("solar cell with a dark stain", "Zelle mit Fleck ü"),
        prompts=("a photo of a solar cell with a dark stain.",),
        clip_sha256="a" * 64,
        clip_model="nand-tiny",
        text_features=unit if features is None else features,
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_normality(normality(), tmp_path / "stain.normality")
    read = read_normality(tmp_path / "stain.normality")

    assert np.array_equal(read.text_features, normality().text_features)
    assert read.text_features.dtype == np.float32
    assert (read.name, read.text, read.object_name) == ("stain", "dark stain", "solar cell")
    assert (read.phrases, read.prompts) == (normality().phrases, normality().prompts)


def test_features_of_another_clip_are_refused() -> None:
    normality().require_clip("a" * 64, "nand-tiny")

    with pytest.raises(NandEdgeError, match=r"features of the CLIP 'nand-tiny'.*needed features of 'ViT-B-16'"):
        normality().require_clip("b" * 64, "ViT-B-16")


@pytest.mark.parametrize(
    "features",
    [
        np.eye(3, 8, dtype=np.float32),
        np.eye(2, 8, dtype=np.float32)[None],
        2 * np.eye(2, 8, dtype=np.float32),
        np.zeros((2, 8), dtype=np.float32),
        np.full((2, 8), np.nan, dtype=np.float32),
    ],
    ids=["three rows", "three axes", "too long", "zero", "no numbers"],
)
def test_features_that_are_no_two_unit_vectors_are_refused(tmp_path: Path, features: FloatArray) -> None:
    write_normality(normality(features), tmp_path / "stain.normality")

    with pytest.raises(NandEdgeError, match="text features"):
        read_normality(tmp_path / "stain.normality")


@pytest.mark.parametrize("length", [0, 1, 7, 100, -1])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "stain.normality"
    write_normality(normality(), path)
    path.write_bytes(path.read_bytes()[:length])

    with pytest.raises(NandEdgeError, match="cannot be read"):
        read_normality(path)


@pytest.mark.parametrize(
    "metadata",
    [None, {"format": "another 1"}, {"format": FORMAT}, {"format": FORMAT, "normality": "{}"}],
    ids=["none", "other format", "no words", "empty words"],
)
def test_other_safetensors_are_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "other.normality"
    save_file({"text_features": np.eye(2, 8, dtype=np.float32)}, str(path), metadata=metadata)

    with pytest.raises(NandEdgeError, match=r"other\.normality"):
        read_normality(path)


def test_double_precision_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "double.normality"
    save_file({"text_features": np.eye(2, 8)}, str(path), metadata={"format": FORMAT, "normality": "{}"})

    with pytest.raises(NandEdgeError, match="float64"):
        read_normality(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="no such file"):
        read_normality(tmp_path / "none.normality")


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(NandEdgeError, match="does not exist"):
        write_normality(normality(), tmp_path / "missing" / "stain.normality")
    assert list(tmp_path.iterdir()) == []
