"""The machine's own peak: operations a second of large matrix products, by precision."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

_SHAPES = ((2048, 2048, 2048), (1370, 1024, 4096), (1024, 4096, 1024))
"""Rows, inner and columns: a large square and what a large transformer multiplies."""


class Peak:
    """Measures in a process of its own, with as many threads as the subjects.

    Args:
        options: `threads`.
    """

    about = "torch's matrix products (oneDNN)"

    def __init__(self, options: dict[str, Any]) -> None:
        torch.set_num_threads(options["threads"])

    def gigaflops(self, repeats: int) -> dict[str, float]:
        """Best operations a second, 1e9, a multiplication and an addition counted as two, by precision."""
        found = {}
        for precision, product in _PRODUCTS.items():
            try:
                found[precision] = max(_rate(product(*shape), shape, repeats) for shape in _SHAPES)
            except (RuntimeError, NotImplementedError):  # a processor or build without such products
                continue
        return found


def _float_product(dtype: torch.dtype) -> Callable[[int, int, int], Callable[[], object]]:
    def product(rows: int, inner: int, columns: int) -> Callable[[], object]:
        left, right = torch.randn(rows, inner).to(dtype), torch.randn(columns, inner).to(dtype)
        return lambda: torch.nn.functional.linear(left, right)

    return product


def _integer_product(rows: int, inner: int, columns: int) -> Callable[[], object]:
    left = torch.randint(-127, 127, (rows, inner), dtype=torch.int8)
    right = torch.randint(-127, 127, (inner, columns), dtype=torch.int8)
    return lambda: torch._int_mm(left, right)  # noqa: SLF001 - torch has no public name for it


_PRODUCTS: dict[str, Callable[[int, int, int], Callable[[], object]]] = {
    "fp32": _float_product(torch.float32),
    "bf16": _float_product(torch.bfloat16),
    "int8": _integer_product,
}


def _rate(call: Callable[[], object], shape: tuple[int, int, int], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats + 2):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    rows, inner, columns = shape
    return 2.0 * rows * inner * columns / best / 1e9
