from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nand_edge.errors import NandEdgeError
from nand_edge_export.clip import Projections, load_projections, trained_image_size
from nand_edge_export.clip.projections import TrainingRecord

CHANNELS, WIDTH = (12, 20), 8


def layers() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for number, count in enumerate(CHANNELS):
        tensors[f"fc.{number}.weight"] = torch.randn(WIDTH, count, generator=generator)
        tensors[f"fc.{number}.bias"] = torch.randn(WIDTH, generator=generator)
    return tensors


def load(path: Path | str | None) -> Projections:
    name = None if path is None else str(path)
    return load_projections(name, clip_name="ViT-B-16:openai", channels=CHANNELS, width=WIDTH)


def test_the_official_checkpoint_and_our_safetensors_hold_the_same_layers(tmp_path: Path) -> None:
    torch.save({"trainable_linearlayer": layers()}, tmp_path / "visa_pretrained.pth")
    official = load(tmp_path / "visa_pretrained.pth")
    official.write(tmp_path / "ours.safetensors")
    ours = load(tmp_path / "ours.safetensors")
    for (weight, bias), (other_weight, other_bias) in zip(official.layers, ours.layers, strict=True):
        torch.testing.assert_close(weight, other_weight)
        torch.testing.assert_close(bias, other_bias)
    assert official.source.sha256 == ours.source.sha256
    assert official.logit_scale == ours.logit_scale == 100.0


def test_a_checkpoint_with_pickled_code_is_refused_unread(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    torch.save({"trainable_linearlayer": _Malicious(witness)}, tmp_path / "bad.pth")
    with pytest.raises(NandEdgeError, match="cannot be read"):
        load(tmp_path / "bad.pth")
    assert not witness.exists()


class _Malicious:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.witness,)


def test_layers_of_another_number_are_refused(tmp_path: Path) -> None:
    save_file(
        {name: tensor for name, tensor in layers().items() if name.startswith("fc.0")}, tmp_path / "one.safetensors"
    )
    with pytest.raises(NandEdgeError, match="found 1 layers, needed 2 layers, one a tap"):
        load(tmp_path / "one.safetensors")


@pytest.mark.parametrize(
    ("key", "shape", "words"),
    [
        ("fc.1.weight", (WIDTH, 21), r"layer 1 with a weight \[8, 21\] .* needed a weight \[8, 20\]"),
        ("fc.0.weight", (9, 12), r"layer 0 with a weight \[9, 12\]"),
        ("fc.0.bias", (9,), r"a bias \[9\], needed .* a bias \[8\]"),
    ],
)
def test_a_layer_of_another_width_is_refused(tmp_path: Path, key: str, shape: tuple[int, ...], words: str) -> None:
    save_file({**layers(), key: torch.zeros(shape)}, tmp_path / "wide.safetensors")
    with pytest.raises(NandEdgeError, match=words):
        load(tmp_path / "wide.safetensors")


@pytest.mark.parametrize(
    ("missing", "foreign", "words"),
    [
        ("fc.1.bias", None, r"found no 'fc\.1\.bias', needed"),
        ("fc.0.weight", None, r"found no 'fc\.0\.weight'.* an unknown 'fc\.1\.weight'"),
        (None, "fc.0.scale", r"found an unknown 'fc\.0\.scale'"),
    ],
)
def test_missing_and_unknown_keys_are_named(
    tmp_path: Path, missing: str | None, foreign: str | None, words: str
) -> None:
    tensors = {name: tensor for name, tensor in layers().items() if name != missing}
    if foreign:
        tensors[foreign] = torch.ones(1)
    torch.save({"trainable_linearlayer": tensors}, tmp_path / "epoch_3.pth")
    with pytest.raises(NandEdgeError, match=words):
        load(tmp_path / "epoch_3.pth")


@pytest.mark.parametrize(
    ("checkpoint", "words"),
    [
        ({"state_dict": {}}, r"without 'trainable_linearlayer' \('state_dict'\)"),
        ([1, 2], r"without 'trainable_linearlayer' \(list\)"),
        ({"trainable_linearlayer": {"fc.0.weight": 1}}, "entries that are no tensors"),
        ({"trainable_linearlayer": {}}, r"no 'fc\.0\.weight'"),
    ],
)
def test_other_checkpoints_are_refused(tmp_path: Path, checkpoint: object, words: str) -> None:
    torch.save(checkpoint, tmp_path / "other.pth")
    with pytest.raises(NandEdgeError, match=words):
        load(tmp_path / "other.pth")


def test_the_official_checkpoints_were_trained_on_518_pixels(tmp_path: Path) -> None:
    torch.save({"trainable_linearlayer": layers()}, tmp_path / "visa_pretrained.pth")
    assert trained_image_size(str(tmp_path / "visa_pretrained.pth")) == 518
    assert load(tmp_path / "visa_pretrained.pth").image_size == 518
    save_file(layers(), tmp_path / "unknown.safetensors")
    assert trained_image_size(str(tmp_path / "unknown.safetensors")) is None
    assert trained_image_size("random") is trained_image_size(None) is None


def trained(tmp_path: Path) -> Projections:
    """Projections as a training writes them, read from their file."""
    record = TrainingRecord("ViT-B-16:openai", "a" * 64, (3, 6), 240, "mvtec", 3, {"batch": 8})
    save_file(layers(), tmp_path / "plain.safetensors")
    plain = load(tmp_path / "plain.safetensors")
    Projections(plain.layers, plain.source, 50.0, record.image_size, record).write(tmp_path / "trained.safetensors")
    return load(tmp_path / "trained.safetensors")


def test_what_they_were_trained_with_travels_in_the_file(tmp_path: Path) -> None:
    projections = trained(tmp_path)
    assert projections.logit_scale == 50.0
    assert projections.image_size == trained_image_size(str(tmp_path / "trained.safetensors")) == 240
    assert projections.training is not None
    assert projections.training.recipe == {"batch": 8}
    projections.require_clip("ViT-B-16:openai", "a" * 64, (3, 6))


@pytest.mark.parametrize(
    ("sha256", "taps", "words"),
    [
        ("b" * 64, (3, 6), "trained for the CLIP 'ViT-B-16:openai'.* use --clip ViT-B-16:openai"),
        ("a" * 64, (3, 9), "layers of the taps 3,6, needed layers of the taps 3,9; give --taps 3,6"),
    ],
)
def test_trained_projections_fit_no_other_clip_and_no_other_taps(
    tmp_path: Path, sha256: str, taps: tuple[int, ...], words: str
) -> None:
    with pytest.raises(NandEdgeError, match=words):
        trained(tmp_path).require_clip("ViT-L-14:openai", sha256, taps)


def test_nan_layers_are_refused(tmp_path: Path) -> None:
    tensors = layers()
    tensors["fc.1.weight"][0, 0] = torch.nan
    save_file(tensors, tmp_path / "nan.safetensors")
    with pytest.raises(NandEdgeError, match=r"NaN or infinity in 'fc\.1\.weight'"):
        load(tmp_path / "nan.safetensors")


@pytest.mark.parametrize(("name", "words"), [(None, "--projection FILE"), ("no-such-file.pth", "no such file")])
def test_missing_projections_are_explained(name: str | None, words: str) -> None:
    with pytest.raises(NandEdgeError, match=words):
        load(name)
