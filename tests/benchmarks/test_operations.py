from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from nand_benchmarks.operations import counted, operations  # noqa: E402
from nand_benchmarks.subjects import APRIL_GAN, PATCHCORE, Subject, make_parts  # noqa: E402

pytestmark = pytest.mark.torch


def test_a_product_and_a_convolution_count_two_operations_a_multiplication() -> None:
    assert counted(lambda: torch.zeros(3, 5) @ torch.zeros(5, 7)) == 2 * 3 * 5 * 7
    convolution = torch.nn.Conv2d(4, 6, 3, padding=1)
    assert counted(lambda: convolution(torch.zeros(1, 4, 10, 10))) == 2 * 4 * 6 * 9 * 100


def test_attention_is_counted_where_torch_would_take_its_fast_path() -> None:
    tokens, width = 20, 16
    attention = torch.nn.MultiheadAttention(width, 2, batch_first=True).eval()
    image = torch.zeros(1, tokens, width)
    projections = 4 * 2 * tokens * width * width
    products = 2 * 2 * tokens * tokens * width
    assert counted(lambda: attention(image, image, image, need_weights=False)) == projections + products


def test_a_larger_memory_costs_its_share_and_the_clip_branch_comes_on_top() -> None:
    (small, small_open), (large, large_open) = (
        operations(make_parts(Subject("PatchCore", PATCHCORE, memory_patches=patches))) for patches in (100, 300)
    )
    width, patches = 152, 1024
    assert large - small == pytest.approx(2 * patches * width * 200, rel=0.02)
    assert large_open - large == small_open - small > 0


def test_a_pass_that_both_use_is_counted_once() -> None:
    alone, both = operations(make_parts(Subject("APRIL-GAN", APRIL_GAN)))
    assert alone < both < 1.1 * alone
