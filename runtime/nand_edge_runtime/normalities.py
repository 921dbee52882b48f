"""The normalities in force: chosen by name, by file or as objects, and laid out as the graph's input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import ClipRecord
from nand_edge.normality import Normality, read_normality, stack
from nand_edge.suppression import NormalityTensors

NORMALITY_SUFFIX = ".normality"

_KEPT = 128
"""Normalities that stay in memory, some KiB each."""

NormalityChoice = str | Path | Normality
"""A name in the bundle, a path to a .normality file, or a normality."""


@dataclass(frozen=True)
class ActiveNormalities:
    """What stands in force for a frame.

    Attributes:
        names: Names, in order; empty when no normality is active.
        tensors: The graph's inputs; with no active normality one placeholder that the gate keeps unread.
    """

    names: tuple[str, ...]
    tensors: NormalityTensors


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
        normality.require_encoder(clip)
    return ActiveNormalities(
        names=tuple(normality.name for normality in normalities),
        tensors=stack(normalities, len(clip.taps)) if normalities else _placeholder(clip),
    )


def _find(bundle: Bundle, choice: NormalityChoice) -> Normality:
    if isinstance(choice, Normality):
        return choice
    if isinstance(choice, Path) or choice.endswith(NORMALITY_SUFFIX):
        return _read(Path(choice))
    for record in bundle.manifest.normalities:
        if record.name == choice:
            return _read(bundle.path(record.file))
    return bundle.normality(choice)


def _read(path: Path) -> Normality:
    """A normality's file, read again only when it is another one than last time: a line switches between few."""
    try:
        status = path.stat()
    except OSError:
        return read_normality(path)
    return _read_once(path, (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=_KEPT)
def _read_once(path: Path, _version: tuple[int, int, int]) -> Normality:
    return read_normality(path)


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


def _placeholder(clip: ClipRecord) -> NormalityTensors:
    return NormalityTensors.of_text(np.zeros((1, 2, clip.width), dtype=np.float32), len(clip.taps))
