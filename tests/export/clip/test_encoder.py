from __future__ import annotations

import pytest
import torch

from nand_edge.errors import NandEdgeError
from nand_edge_export.clip import ClipEncoder, load_clip
from nand_edge_export.graph.conversion import convert


def test_what_comes_after_the_last_tap_gets_no_room_in_a_graph() -> None:
    clip = load_clip("ViT-S-32-alt:random", image_size=96)
    encoder = ClipEncoder(clip, taps=(1, 2), projection="random")
    graph = convert(encoder, [torch.zeros(2, 3, 96, 96)], ["image"])
    floats = sum(len(tensor.raw_data) // 4 for tensor in graph.initializer)
    blocks = clip.model.visual.transformer.resblocks
    assert floats < sum(weight.numel() for block in blocks[:3] for weight in block.parameters())


def test_tokens_are_the_projected_patch_tokens_of_the_tapped_blocks() -> None:
    clip = load_clip("ViT-S-32-alt:random", image_size=96)
    tower = clip.model.visual
    image = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        x = tower.conv1(image).flatten(2).transpose(1, 2)
        x = torch.cat([tower.class_embedding.expand(2, 1, -1), x], dim=1) + tower.positional_embedding
        x = tower.ln_pre(x)
        outputs = []
        for block in tower.transformer.resblocks:
            x = block(x)
            outputs.append(x[:, 1:])
    encoder = ClipEncoder(clip, taps=(3, 6), projection="random")
    for token, tap, (weight, bias) in zip(encoder(image), (3, 6), encoder.projections.layers, strict=True):
        expected = torch.nn.functional.normalize(outputs[tap - 1] @ weight.T + bias, dim=-1)
        torch.testing.assert_close(token, expected, atol=1e-5, rtol=1e-5)


def test_the_position_embedding_is_resized_to_any_input() -> None:
    encoder = ClipEncoder(load_clip("ViT-S-32-alt:random", image_size=160), projection="random")
    assert encoder.grids == ((5, 5),) * 4
    assert encoder.taps == (3, 6, 9, 12)


def test_a_timm_trunk_is_tapped_at_its_stages(encoder: ClipEncoder) -> None:
    assert encoder.taps == (4, 5)
    assert encoder.grids == ((15, 15), (8, 8))
    tokens = encoder(torch.zeros(1, 3, 240, 240))
    assert [tuple(token.shape) for token in tokens] == [(1, 225, 128), (1, 64, 128)]
    for token in tokens:
        torch.testing.assert_close(token.norm(dim=-1), torch.ones(token.shape[:2]))


@pytest.mark.parametrize("name", ["convnext_base:random", "MobileCLIP-S1:random"])
def test_other_families_on_timm_trunks_work(name: str) -> None:
    encoder = ClipEncoder(load_clip(name), projection="random")
    size = encoder.preprocessing.size
    tokens = encoder(torch.zeros(1, 3, size, size))
    assert [token.shape[1] for token in tokens] == [rows * columns for rows, columns in encoder.grids]


@pytest.mark.parametrize("taps", [(0, 3), (3, 2), (3, 3), (12, 13)])
def test_impossible_taps_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(NandEdgeError, match="ascending numbers from 1 to 12"):
        ClipEncoder(load_clip("ViT-S-32-alt:random", image_size=64), taps=taps, projection="random")


def test_a_tower_without_taps_is_refused() -> None:
    with pytest.raises(NandEdgeError, match="ModifiedResNet without taps"):
        ClipEncoder(load_clip("RN50:random"), projection="random")
