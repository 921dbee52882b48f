"""The optimisation profile of a TensorRT engine: which shapes it takes and which it is tuned for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.signature import FRAMES, NORMALITY_BIAS, NORMALITY_FEATURES
from nand_edge_export.engines.protocol import BuildOptions
from nand_edge_export.engines.tensorrt_options import Span

_CHANNELS, _SIDES_OF_A_NORMALITY = 3, 2


@dataclass(frozen=True)
class Spans:
    """The spans of all free dimensions."""

    batches: Span
    heights: Span
    widths: Span
    normalities: Span
    vectors: Span

    @property
    def limits(self) -> dict[str, int]:
        """The limits as the manifest records them; height and width apart where they differ."""
        heights, widths = self.heights, self.widths
        limits = {
            "max_batch": self.batches.most,
            "max_normalities": self.normalities.most,
            "max_vectors": self.vectors.most,
            "min_side": min(heights.least, widths.least),
            "max_side": max(heights.most, widths.most),
        }
        if (heights.least, heights.most) != (widths.least, widths.most):
            limits |= {
                "min_height": heights.least,
                "max_height": heights.most,
                "min_width": widths.least,
                "max_width": widths.most,
            }
        return limits


def spans_of(options: BuildOptions) -> Spans:
    """The spans that the options give, or that follow from their plain limits."""
    given = options.tensorrt
    height, width = options.usual_frame
    return Spans(
        batches=given.batches or Span(1, 1, options.max_batch),
        heights=given.heights or _sides(options, height),
        widths=given.widths or _sides(options, width),
        normalities=given.normalities or Span(1, 1, options.max_normalities),
        vectors=given.vectors or Span(1, 1, options.max_vectors),
    )


def add_profile(builder: Any, config: Any, bundle: Bundle, spans: Spans) -> None:
    """Give TensorRT's builder configuration the one profile that the engine has."""
    taps, width = len(bundle.manifest.clip.taps), bundle.manifest.clip.width
    profile = builder.create_optimization_profile()
    frames = zip(*map(_sizes, (spans.batches, spans.heights, spans.widths)), strict=True)
    profile.set_shape(FRAMES, *((*shape, _CHANNELS) for shape in frames))
    biases = [
        (normalities, taps, _SIDES_OF_A_NORMALITY, vectors)
        for normalities, vectors in zip(_sizes(spans.normalities), _sizes(spans.vectors), strict=True)
    ]
    profile.set_shape(NORMALITY_FEATURES, *((*shape, width) for shape in biases))
    profile.set_shape(NORMALITY_BIAS, *biases)
    config.add_optimization_profile(profile)


def _sides(options: BuildOptions, usual: int) -> Span:
    return Span(options.min_side, min(max(usual, options.min_side), options.max_side), options.max_side)


def _sizes(span: Span) -> tuple[int, int, int]:
    return span.least, span.usual, span.most
