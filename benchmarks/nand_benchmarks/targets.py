"""The speeds to reach: what is asked, and how a figure is held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nand_benchmarks.machine import in_words
from nand_benchmarks.results import Table


@dataclass(frozen=True)
class Target:
    """A row of the table of speeds.

    Attributes:
        key: Its name among the figures.
        what: What is measured.
        against: What it is compared with; empty for an absolute figure.
        asked: The bound.
        at_most: Whether the figure must not exceed the bound; else it must reach it.
        unit: "times", "of it" for a share of the cost, "ms", or "of peak".
    """

    key: str
    what: str
    against: str
    asked: float
    at_most: bool = False
    unit: str = "times"

    def reached(self, figure: float) -> bool:
        """Whether the figure keeps the bound."""
        return figure <= self.asked if self.at_most else figure >= self.asked

    def in_words(self, figure: float) -> str:
        """A figure with its unit: "3.61 times", "0.13 of it", "11.9 ms"."""
        digits = f"{figure:.2f}" if figure < 100 else f"{figure:.0f}"
        return f"{digits} {self.unit}"

    @property
    def bound(self) -> str:
        """What is asked, in words: "at least 3.5 times", "at most 15 ms"."""
        return f"at {'most' if self.at_most else 'least'} {self.asked:g} {self.unit}"


APRIL_FP32 = Target("april-gan-fp32", "APRIL-GAN, ViT-B-16 at 224, onnx fp32", "two eager PyTorch models", 3.5)
APRIL_BF16 = Target("april-gan-bf16", "the same, openvino bf16", "two eager PyTorch models", 6)
APRIL_BEST = Target("april-gan-best", "the same, best int8 or bf16", "onnx fp32", 1.7)
LARGE_BF16 = Target("large-bf16", "APRIL-GAN, ViT-L-14-336 at 518, openvino bf16", "two eager PyTorch models", 9)
GATE = Target(
    "gate", "PatchCore, 1 % of frames suspicious", "base detector alone, mean", 1.08, at_most=True, unit="of it"
)
BATCH = Target(
    "batch",
    "batch of 16 tiles, one suspicious (PatchCore, ViT-B-16)",
    "batch of 16, all suspicious",
    0.20,
    at_most=True,
    unit="of it",
)
ANOMALIB_OPENVINO = Target(
    "anomalib-openvino", "PatchCore alone, resnet18, 8,000 patches, 256", "anomalib OpenVINO", 1.3
)
ANOMALIB_TORCH = Target("anomalib-torch", "the same", "anomalib PyTorch", 2)
PEAK_SHARE = Target("peak-share", "ViT-L-14-336 at 518, openvino bf16", "measured peak", 0.85, unit="of it")
EMBEDDED = Target(
    "embedded",
    "whole inspection, PatchCore of 8,000 patches with nand-tiny, CLIP runs",
    "anomalib PatchCore alone, OpenVINO",
    0.6,
    at_most=True,
    unit="of it",
)
EMBEDDED_P99 = Target(
    "embedded-p99",
    "PatchCore of 8,000 patches with nand-tiny, CLIP runs: frame to verdict, p99",
    "a PLC",
    15,
    at_most=True,
    unit="ms",
)
SHARED_P99 = Target(
    "shared-p99",
    "the same, PatchCore on nand-tiny's own trunk: one pass for both",
    "a PLC",
    15,
    at_most=True,
    unit="ms",
)
NORMALITIES = Target("normalities", "changing the active normalities, p99", "", 10, at_most=True, unit="ms")

TARGETS = (
    APRIL_FP32, APRIL_BF16, APRIL_BEST, LARGE_BF16, GATE, BATCH, ANOMALIB_OPENVINO, ANOMALIB_TORCH, PEAK_SHARE,
    EMBEDDED, NORMALITIES,
)  # fmt: skip
"""Those of `speed.py`."""

DEADLINES = (EMBEDDED_P99, SHARED_P99)
"""Those of `deadline.py`: absolute times."""


def table(figures: dict[str, Any], threads: int, targets: tuple[Target, ...] = TARGETS) -> Table:
    """A row for every target that was measured."""
    rows = []
    for target in targets:
        found = figures.get(target.key)
        if found is None:
            continue
        reached = found["reached"]
        verdict = "not measured" if reached is None else "yes" if target.reached(reached) else "no"
        said = "" if reached is None else target.in_words(reached)
        rows.append([target.what, target.against, target.bound, said, verdict, found["note"]])
    return {
        "columns": ["what", "against", "asked", "reached", "kept", "medians, and which engine"],
        "rows": rows,
        "note": f"One frame of 640 x 480 where nothing else is said, ratios by turns in one run, {in_words(threads)}.",
    }
