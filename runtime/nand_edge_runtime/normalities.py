"""The normalities in force: chosen by name, by file or as objects, and laid out as the graph's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.normality import Normality, read_normality

NORMALITY_SUFFIX = ".normality"

NormalityChoice = str | Path | Normality
"""A name in the bundle, a path to a .normality file, or a normality."""


@dataclass(frozen=True)
class ActiveNormalities:
    """What stands in force for a frame.

    Attributes:
        names: Names, in order; empty when no normality is active.
        text_features: float32 [max(K, 1), 2, D]; with no active normality one placeholder that the gate keeps unread.
    """

    names: tuple[str, ...]
    text_features: NDArray[np.float32]


def activate(bundle: Bundle, choices: Sequence[NormalityChoice] | None) -> ActiveNormalities:
    """Find normalities and check that they belong to the bundle's CLIP.

    Args:
        bundle: The bundle that they are to work with.
        choices: The normalities; none of them for an empty sequence, the bundle's own active ones for None.

    Raises:
        NandEdgeError: One is unknown, damaged, made for another CLIP, or named twice.
    """
    if choices is None:
        choices = [record.name for record in bundle.manifest.normalities if record.active]
    if isinstance(choices, str | Path | Normality):
        choices = [choices]
    normalities = [_find(bundle, choice) for choice in choices]
    _check_names(normalities)
    clip = bundle.manifest.clip
    for normality in normalities:
        normality.require_clip(clip.sha256, clip.model)
    return ActiveNormalities(
        names=tuple(normality.name for normality in normalities),
        text_features=_stack(normalities, clip.width),
    )


def _find(bundle: Bundle, choice: NormalityChoice) -> Normality:
    if isinstance(choice, Normality):
        return choice
    if isinstance(choice, Path) or choice.endswith(NORMALITY_SUFFIX):
        return read_normality(choice)
    return bundle.normality(choice)


def _check_names(normalities: Sequence[Normality]) -> None:
    names = [normality.name for normality in normalities]
    for name in names:
        if names.count(name) > 1:
            raise NandEdgeError(
                f"normality {name!r}",
                found="two of that name",
                needed="each normality once: a second one would suppress twice",
                do="leave one out or give it another name",
            )


def _stack(normalities: Sequence[Normality], width: int) -> NDArray[np.float32]:
    if not normalities:
        placeholder = np.zeros((1, 2, width), dtype=np.float32)
        placeholder[..., 0] = 1.0
        return placeholder
    return np.stack([normality.text_features for normality in normalities])
