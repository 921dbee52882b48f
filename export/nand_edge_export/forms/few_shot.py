"""Few-shot normality: one to five frames of what is to be normal, their patch tokens joined with the words.

At every place, the words' log-odds are halved, and those of the pictures are added: how much more the place is like
the patches of what is added than like those of good frames. Each side's patches count by their mean, not their sum,
else the side with more of them would always win. Both terms are linear in the token before that mean, so the joint form
is again vectors and biases: each pair of a patch and a text becomes their sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.normality import Normality
from nand_edge.region import Region
from nand_edge.suppression import FloatArray
from nand_edge_export.detectors.coreset import greedy_coreset
from nand_edge_export.forms import joined
from nand_edge_export.forms.tokens import FrameTokens
from nand_edge_export.forms.vectors import Sides, sides_of, with_sides

FEW_SHOT = "few-shot"
TEXT_SHARE = 0.5
MAX_SHOTS = 5
_ADDED_PATCHES, _GOOD_PATCHES = 16, 64


@dataclass(frozen=True)
class Shot:
    """A frame that shows what is to be normal.

    Attributes:
        path: The photograph.
        box: Where in it; None lets the words find it.
    """

    path: Path
    box: Region | None = None


def with_shots(
    normality: Normality,
    shots: Sequence[Shot],
    tokens: FrameTokens,
    good: FrameTokens,
    *,
    text_share: float = TEXT_SHARE,
) -> Normality:
    """Join a normality's words with patches.

    Args:
        normality: In words.
        shots: 1 to 5 frames.
        tokens: Their tokens, in the same order.
        good: Tokens of good frames: what the patches are told apart from.
        text_share: Weight of the words' log-odds.

    Raises:
        NandEdgeError: No place in a frame without a box looks like the words, or there are too many frames.
    """
    if not 1 <= len(shots) <= MAX_SHOTS:
        raise NandEdgeError(
            "frames of what is to be normal",
            found=f"{len(shots)}",
            needed=f"1 to {MAX_SHOTS}",
            do="choose the clearest",
        )
    chosen = _chosen_places(normality, shots, tokens)
    texts = sides_of(normality)
    fitted = []
    for place, grid_places in enumerate(chosen):
        text = texts[place if len(texts) > 1 else 0]
        added = _cover(tokens.taps[place].astype(np.float32)[grid_places], _ADDED_PATCHES)
        other = _cover(good.taps[place].astype(np.float32).reshape(-1, added.shape[1]), _GOOD_PATCHES)
        fitted.append(
            Sides(
                *_sums(other, text.other, text.other_bias, text_share),
                *_sums(added, text.added, text.added_bias, text_share),
            )
        )
    return replace(
        with_sides(normality, fitted), form=joined(normality.form, f"{FEW_SHOT}-{len(shots)}"), encoder=tokens.encoder
    )


def _chosen_places(normality: Normality, shots: Sequence[Shot], tokens: FrameTokens) -> list[NDArray[np.bool_]]:
    """For each tap, which tokens show what is to be normal, bool [N, P].

    Those in the box; without one, those that the words hold more likely added than not.
    """
    every = tokens.log_odds(normality)
    chosen = [log_odds > 0 for log_odds in every]
    for number, shot in enumerate(shots):
        for of_tap, grid in zip(chosen, tokens.grids, strict=True):
            if shot.box is not None:
                of_tap[number] = _inside(shot.box, grid)
        if not any(of_tap[number].any() for of_tap in chosen):
            raise NandEdgeError(
                f"frame {shot.path.name!r}",
                found=f"no place that looks like {normality.text!r}",
                needed="a frame that shows it, or a box around it",
                do="give --box, or other words",
            )
    # A tap at which no token is over the line still has its likeliest ones.
    return [
        of_tap if of_tap.any() else log_odds >= log_odds.max(axis=1, keepdims=True)
        for of_tap, log_odds in zip(chosen, every, strict=True)
    ]


def _inside(box: Region, grid: tuple[int, int]) -> NDArray[np.bool_]:
    """Which tokens' middles lie in the box, bool [P]; for a box between them, the one nearest to its own middle."""
    side = len(box.map)
    rows, columns = (((np.arange(count) + 0.5) * side / count).astype(int) for count in grid)
    inside = box.map[rows][:, columns] > 0
    if not inside.any():
        middle = np.argwhere(box.map > 0).mean(axis=0)
        inside[np.abs(rows - middle[0]).argmin(), np.abs(columns - middle[1]).argmin()] = True
    return np.asarray(inside.reshape(-1))


def _cover(patches: FloatArray, count: int) -> FloatArray:
    """At most `count` patches that cover all."""
    chosen = greedy_coreset(torch.from_numpy(patches), count).numpy()
    return np.asarray(patches[chosen], np.float32)


def _sums(patches: FloatArray, texts: FloatArray, bias: FloatArray, share: float) -> tuple[FloatArray, FloatArray]:
    """Every patch with every text: vectors [P * T, D] and their biases."""
    pairs = list(product(range(len(patches)), range(len(texts))))
    vectors = [patches[patch] + share * texts[text] for patch, text in pairs]
    return np.stack(vectors), np.array([share * bias[text] - np.log(len(patches)) for _, text in pairs], np.float32)
