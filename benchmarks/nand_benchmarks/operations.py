"""Floating-point operations of one frame, counted by torch as the modules run: products, convolutions and attention."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from nand_benchmarks.subjects import Parts


def operations(parts: Parts) -> tuple[int, int]:
    """Operations of one frame, a multiplication and an addition counted as two.

    What the graph computes once is counted once: a detector that reads the CLIP's tokens shares its pass.

    Args:
        parts: The subject's modules.

    Returns:
        Of the base detector alone, and of the frame whose normality detection runs too.
    """
    detector, encoder = parts.detector.beside(parts.encoder), parts.encoder
    image = torch.zeros(1, 3, encoder.preprocessing.size, encoder.preprocessing.size)
    text = torch.zeros(encoder.width, 2)

    def normality_detection() -> None:
        for tokens in encoder(image):
            tokens @ text

    if detector.preprocessing is not None:
        own = torch.zeros(1, 3, detector.preprocessing.size, detector.preprocessing.size)
        base = counted(lambda: detector(own))
        return base, base + counted(normality_detection)
    names = tuple(dict.fromkeys((*detector.reads, *encoder.tokens)))

    def shared(names: tuple[str, ...]) -> None:
        read = encoder.read(image, names)
        detector(*(read[name] for name in detector.reads))

    heads = sum(2 * rows * columns * encoder.width * 2 for rows, columns in encoder.grids)
    return counted(lambda: shared(detector.reads)), counted(lambda: shared(names)) + heads


def counted(call: Callable[[], object]) -> int:
    """Operations of whatever torch does in a call."""
    fast_attention = torch.backends.mha.get_fastpath_enabled()
    # The fast path is one operator that the counter does not know.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            call()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_attention)
    return int(counter.get_total_flops())
