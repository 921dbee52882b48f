"""A few steps of the real training on real scenes, small enough for every day."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file

from nand_tiny.batches import (
    CONTEXT_LENGTH,
    MARGINS,
    ScenePictures,
    kind_masks,
    step_sentences,
    tokenise,
)
from nand_tiny.defects import KINDS
from nand_tiny.model import CONFIG_FILE, TAPS, NandTiny
from nand_tiny.publish import MODEL_FILE, PROJECTIONS_FILE, publish
from nand_tiny.train import Training, rate_factor, start, train_step

TEXTS = ["a photo of a carpet with a loose thread", "crack"]


@pytest.fixture(scope="module")
def table() -> torch.Tensor:
    return torch.randn(49408, 112, generator=torch.Generator().manual_seed(0)) * 0.05


def steps(training: Training, count: int) -> list[dict[str, float]]:
    pictures = ScenePictures(seed=5, length=100)
    results = []
    for _ in range(count):
        images, masks, captions = (
            torch.stack(parts)
            for parts in zip(*(pictures[training.step * 2 + place] for place in range(2)), strict=True)
        )
        results.append(train_step(training, [images, masks], step_sentences(5, training.step, captions), steps=10))
    return results


def test_a_resumed_training_goes_on_as_if_it_had_not_stopped(table: torch.Tensor, tmp_path: Path) -> None:
    whole = start(0, table)
    expected = steps(whole, 3)
    first = start(0, table)
    steps(first, 2)
    first.save(tmp_path / "checkpoint.pt")
    second = start(1, table)
    second.load(tmp_path / "checkpoint.pt")
    assert steps(second, 1) == expected[2:]
    for kept, other in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        torch.testing.assert_close(kept, other, atol=0, rtol=0)


def test_open_clip_loads_what_was_trained_and_computes_the_same(table: torch.Tensor) -> None:
    trained = NandTiny(table).eval()
    plain = open_clip.create_model(f"local-dir:{CONFIG_FILE.parent}").eval()
    plain.load_state_dict(trained.clip_state())
    tokens = tokenise(TEXTS)
    image = torch.randn(1, 3, 240, 240, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = plain.encode_text(tokens, normalize=True)
        torch.testing.assert_close(trained.encode_text(tokens), expected, atol=1e-5, rtol=0)
        stages = plain.visual.forward_intermediates(image, indices=[2, 3, 4], intermediates_only=True)
        found, pooled = trained.encode_image(image)
        for tap, stage, projection in zip(found, stages["image_intermediates"], trained.projections, strict=True):
            projected = torch.nn.functional.normalize(projection(stage.permute(0, 2, 3, 1)), dim=-1)
            torch.testing.assert_close(tap.permute(0, 2, 3, 1), projected, atol=1e-4, rtol=0)
        torch.testing.assert_close(pooled, plain.encode_image(image, normalize=True), atol=1e-4, rtol=0)


def test_what_is_published_is_small_and_holds_the_chosen_taps(table: torch.Tensor, tmp_path: Path) -> None:
    training = start(0, table)
    training.save(tmp_path / "checkpoint.pt")
    publish(tmp_path, taps="4,5", output=tmp_path)
    weights = load_file(tmp_path / MODEL_FILE)
    assert sum((tmp_path / name).stat().st_size for name in (MODEL_FILE, PROJECTIONS_FILE)) <= 20 << 20
    assert {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()} == {torch.float16}
    projections = load_file(tmp_path / PROJECTIONS_FILE)
    for number, layer in enumerate(training.average.projections[1:]):
        torch.testing.assert_close(projections[f"fc.{number}.weight"], layer.weight.half())
    assert f"fc.{len(TAPS) - 1}.weight" not in projections


def test_only_the_map_of_the_words_and_the_later_trunk_learn(table: torch.Tensor) -> None:
    learned = {name for name, parameter in NandTiny(table).named_parameters() if parameter.requires_grad}
    assert "clip.token_embedding.map.weight" in learned
    assert not any(name.startswith(("clip.visual.trunk.conv_stem", "clip.visual.trunk.blocks.0")) for name in learned)
    assert any(name.startswith("clip.visual.trunk.blocks.2") for name in learned)


def test_masks_are_widened_and_belong_to_their_kind() -> None:
    mask = np.zeros((240, 240), np.bool_)
    mask[100:140, 60] = True
    maps = kind_masks({"crack": mask}, 4)
    assert maps.shape == (len(KINDS), 60, 60)
    assert maps[KINDS.index("crack")].sum() == maps.sum()
    assert maps[KINDS.index("crack"), 30, 14:16].tolist() == [1.0, 1.0]
    assert maps[KINDS.index("crack"), 30, 17] == 0.0
    assert kind_masks({"crack": mask}, 10)[KINDS.index("crack"), 30, 17] == 1.0


def test_margins_grow_to_what_base_detectors_spread() -> None:
    shares, pixels = zip(*MARGINS, strict=True)
    assert list(shares) == sorted(shares)
    assert shares[-1] == 1.0
    assert list(pixels) == [4, 10, 14, 22]


def test_sentences_of_a_step_are_the_same_each_time() -> None:
    captions = torch.zeros(1, CONTEXT_LENGTH, dtype=torch.long)
    first, second = step_sentences(0, 7, captions), step_sentences(0, 7, captions)
    assert torch.equal(first.kinds, second.kinds)
    assert first.kinds.shape == (len(KINDS), 2, CONTEXT_LENGTH)
    assert not torch.equal(first.kinds, step_sentences(0, 8, captions).kinds)


def test_the_rate_warms_up_stays_and_cools_down() -> None:
    rates = [rate_factor(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[300] == 1.0
    assert rates[-1] == pytest.approx(0.01)
    assert max(np.diff(rates[700:])) <= 0
