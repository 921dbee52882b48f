from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from nand_edge.errors import NandEdgeError
from nand_edge_export.clip import Clip, load_clip
from nand_edge_export.clip.loading import NAND_TINY_FOLDER

WEIGHTS = NAND_TINY_FOLDER / "open_clip_model.safetensors"


def test_the_embedded_clip_is_an_open_clip_model_of_at_most_20_mib(clip: Clip) -> None:
    model = open_clip.create_model(f"local-dir:{NAND_TINY_FOLDER}")
    assert isinstance(model, open_clip.CLIP)
    assert clip.preprocessing.size == 240
    assert sum(path.stat().st_size for path in NAND_TINY_FOLDER.glob("*.safetensors")) <= 20 << 20
    assert {tensor.dtype for tensor in load_file(WEIGHTS).values() if tensor.is_floating_point()} == {torch.float16}


def test_text_features_are_the_unit_mean_of_unit_features(clip: Clip) -> None:
    prompts = ["a photo of a carpet", "a photo of a carpet with a thread"]
    with torch.inference_mode():
        single = clip.model.encode_text(clip.tokenizer(prompts), normalize=True).numpy()
    expected = single.mean(axis=0) / np.linalg.norm(single.mean(axis=0))
    np.testing.assert_allclose(clip.text_features(prompts), expected, atol=1e-6)


def test_the_same_words_give_the_same_features_in_any_company(clip: Clip) -> None:
    many = ["a crack"] * 100
    np.testing.assert_allclose(clip.text_features(many), clip.text_features(["a crack"]), atol=1e-6)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    model = open_clip.create_model("ViT-S-32-alt", pretrained=None)
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(model.state_dict(), path)
    return path


def test_the_same_weights_have_the_same_hash_at_every_image_size(weights_file: Path) -> None:
    small, large = (load_clip(f"ViT-S-32-alt:{weights_file}", image_size=size) for size in (64, 224))
    assert small.sha256 == large.sha256
    assert (small.preprocessing.size, large.preprocessing.size) == (64, 224)
    assert small.model.visual.positional_embedding.shape[0] == 2 * 2 + 1


def test_other_weights_have_another_hash() -> None:
    first, second = (load_clip("ViT-S-32-alt:random", image_size=64, seed=seed) for seed in (0, 1))
    assert first.sha256 != second.sha256


def test_weights_are_read_from_a_file(weights_file: Path) -> None:
    expected = torch.load(weights_file, weights_only=True)["text_projection"]
    loaded = load_clip(f"ViT-S-32-alt:{weights_file}")
    torch.testing.assert_close(loaded.model.text_projection.detach(), expected)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "MODEL:TAG"),
        ("ViT-B-16", "MODEL:TAG"),
        ("ViT-B-17:openai", "model 'ViT-B-17'"),
        ("ViT-B-16:no-such-tag", "laion2b_s34b_b88k"),
        ("ViT-B-16:openai", "network connection"),
    ],
)
def test_a_name_that_cannot_be_used_is_explained(name: str, words: str) -> None:
    with pytest.raises(NandEdgeError, match=words):
        load_clip(name)


def test_a_file_of_another_model_is_refused() -> None:
    with pytest.raises(NandEdgeError, match="cannot be loaded"):
        load_clip(f"ViT-S-32-alt:{WEIGHTS}")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.safetensors"
    path.write_bytes(WEIGHTS.read_bytes()[:5000])
    with pytest.raises(NandEdgeError, match="cannot be loaded"):
        load_clip(f"ViT-S-32-alt:{path}")


def test_nan_weights_are_refused(tmp_path: Path) -> None:
    model = open_clip.create_model("ViT-S-32-alt", pretrained=None)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items() if name != "attn_mask"}
    state["text_projection"][0, 0] = torch.nan
    path = tmp_path / "nan.safetensors"
    save_file(state, path)
    with pytest.raises(NandEdgeError, match="NaN or infinity in 'text_projection'"):
        load_clip(f"ViT-S-32-alt:{path}")
