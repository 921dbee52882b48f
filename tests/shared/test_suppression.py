"""The method's arithmetic: Eq. 2 and Eq. 6 of NAND and what follows from them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nand_edge.inspection import Verdict, decide
from nand_edge.suppression import (
    FloatArray,
    NormalityTensors,
    align_corners_weights,
    map_of_log_odds,
    normality_map,
    score,
    suppress,
    token_log_odds,
)

M = 6
UNIT = st.floats(0, 1, width=32)
BASE_MAPS = arrays(np.float32, (2, M, M), elements=st.floats(0, 1e6, width=32))
SUPPRESSION = st.integers(1, 4).flatmap(lambda k: arrays(np.float32, (2, k, M, M), elements=UNIT))


@given(BASE_MAPS, SUPPRESSION)
def test_suppression_never_raises_a_map(base: FloatArray, maps: FloatArray) -> None:
    final, joint = suppress(base, maps)

    assert np.all(final <= base)
    assert np.all(final >= 0)
    assert np.all((joint >= 0) & (joint <= 1))


@given(BASE_MAPS, arrays(np.float32, (2, 1, M, M), elements=UNIT))
def test_one_normality_is_equation_6(base: FloatArray, maps: FloatArray) -> None:
    final, joint = suppress(base, maps)

    assert np.array_equal(final, base * (1 - maps[:, 0]))
    assert np.allclose(joint, maps[:, 0], atol=1e-7)


@given(BASE_MAPS, SUPPRESSION)
def test_several_normalities_are_taken_out_one_after_another(base: FloatArray, maps: FloatArray) -> None:
    one_by_one = base
    for k in range(maps.shape[1]):
        one_by_one, _ = suppress(one_by_one, maps[:, k : k + 1])

    assert np.allclose(suppress(base, maps)[0], one_by_one, rtol=1e-5)


@given(BASE_MAPS, SUPPRESSION, st.floats(0, 1e6, width=32))
def test_the_gate_is_exact(base: FloatArray, maps: FloatArray, threshold: float) -> None:
    """A frame whose base score is below the threshold passes whatever the words say, so CLIP need not run."""
    final_scores = score(suppress(base, maps)[0])

    for base_score, final_score in zip(score(base), final_scores, strict=True):
        if base_score < threshold:
            assert decide(float(final_score), threshold) is Verdict.PASS


@pytest.mark.torch
@pytest.mark.parametrize("source", [1, 2, 3, 15, 16, 37])
@pytest.mark.parametrize("target", [1, 2, 16, 37, 256])
def test_corner_aligned_weights_are_torchs(source: int, target: int) -> None:
    import torch

    column = np.random.default_rng(source).normal(size=(1, 1, source, 1)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(column), size=(target, 1), mode="bilinear", align_corners=True
    ).numpy()

    weights = align_corners_weights(source, target)
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert np.allclose(weights @ column[0, 0], expected[0, 0], atol=1e-5)


def tokens_and_texts(seed: int, normalities: int) -> tuple[list[FloatArray], list[tuple[int, int]], FloatArray]:
    random = np.random.default_rng(seed)
    grids = [(4, 4), (3, 5)]
    tokens = [random.normal(size=(2, rows * columns, 8)).astype(np.float32) for rows, columns in grids]
    texts = random.normal(size=(normalities, 2, 8)).astype(np.float32)
    return [unit(tap) for tap in tokens], grids, unit(texts)


def unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.mark.torch
def test_the_map_is_equation_2_averaged_over_the_taps() -> None:
    import torch

    tokens, grids, texts = tokens_and_texts(0, 3)
    maps = normality_map(tokens, grids, NormalityTensors.of_text(texts, 2), logit_scale=100.0, map_size=16)

    expected = []
    for tap, (rows, columns) in zip(tokens, grids, strict=True):
        logits = 100.0 * torch.einsum("npd,kcd->nkcp", torch.from_numpy(tap), torch.from_numpy(texts))
        planes = logits.reshape(2 * 3, 2, rows, columns)
        planes = torch.nn.functional.interpolate(planes, size=(16, 16), mode="bilinear", align_corners=True)
        expected.append(planes.softmax(dim=1)[:, 1].reshape(2, 3, 16, 16))
    assert np.allclose(maps, torch.stack(expected).mean(dim=0).numpy(), atol=1e-4)


@given(st.integers(0, 1000), st.integers(1, 4))
def test_several_vectors_a_side_are_a_softmax_over_all_of_them(seed: int, vectors: int) -> None:
    """One tap whose grid is the map: the share of the added side in the softmax over both sides' vectors."""
    random = np.random.default_rng(seed)
    tokens = unit(random.normal(size=(2, M * M, 8)).astype(np.float32))
    normalities = NormalityTensors(
        unit(random.normal(size=(3, 1, 2, vectors, 8)).astype(np.float32)),
        random.normal(size=(3, 1, 2, vectors)).astype(np.float32),
    )
    maps = normality_map([tokens], [(M, M)], normalities, logit_scale=20.0, map_size=M)

    logits = 20.0 * np.einsum("npd,ksvd->npksv", tokens, normalities.features[:, 0]) + normalities.bias[:, 0]
    shares = np.exp(logits).sum(axis=-1)
    expected = (shares[..., 1] / shares.sum(axis=-1)).transpose(0, 2, 1).reshape(2, 3, M, M)
    assert np.allclose(maps, expected, atol=1e-5)


@given(st.integers(0, 1000), st.floats(1, 100))
def test_maps_can_be_made_of_kept_log_odds(seed: int, logit_scale: float) -> None:
    tokens, grids, texts = tokens_and_texts(seed, 2)
    normalities = NormalityTensors.of_text(texts, 2)
    log_odds = token_log_odds(tokens, normalities, logit_scale=logit_scale)

    for tap, odds in zip(tokens, log_odds, strict=True):
        expected = logit_scale * np.einsum("npd,kd->nkp", tap, texts[:, 1] - texts[:, 0])
        assert np.allclose(odds, expected, atol=1e-3)
    assert np.array_equal(
        map_of_log_odds(log_odds, grids, map_size=M),
        normality_map(tokens, grids, normalities, logit_scale=logit_scale, map_size=M),
    )


def test_logits_of_any_size_neither_overflow_nor_become_no_numbers() -> None:
    tokens = [np.eye(1, 8, dtype=np.float32)[None]]
    sides = np.stack([-np.eye(1, 8), np.eye(1, 8)]).astype(np.float32)
    normalities = NormalityTensors(sides[None, None], np.array([[[[-1e4], [1e4]]]], np.float32))

    assert np.array_equal(normality_map(tokens, [(1, 1)], normalities, logit_scale=1e4, map_size=1), [[[[1.0]]]])


def test_no_number_in_a_map_gives_no_number_as_score_and_a_reject() -> None:
    base = np.zeros((1, M, M), dtype=np.float32)
    base[0, 2, 3] = np.nan

    assert np.isnan(score(base)[0])
    assert decide(float(score(base)[0]), 0.5) is Verdict.REJECT


def test_a_score_equal_to_the_threshold_is_a_reject() -> None:
    assert decide(0.5, 0.5) is Verdict.REJECT
    assert decide(np.nextafter(0.5, 0), 0.5) is Verdict.PASS
