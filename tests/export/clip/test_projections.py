from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from nand_edge.errors import NandEdgeError
from nand_edge_export.clip import Projections, load_projections

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


def test_layers_of_another_width_or_number_are_refused(tmp_path: Path) -> None:
    save_file(
        {name: tensor for name, tensor in layers().items() if name.startswith("fc.0")}, tmp_path / "one.safetensors"
    )
    with pytest.raises(NandEdgeError, match="2 layers"):
        load(tmp_path / "one.safetensors")


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
