"""Labelled frames of a data set whose groups are normalities of a bundle, and the AUROC over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.layouts import open_dataset

ScoresOf = Callable[[NDArray[np.uint8]], dict[str, float]]
"""From a frame to its score with each group's normality alone in force, by the group's name."""


@dataclass(frozen=True)
class LabelledGroup:
    """A normality of the bundle and the defects that it declares normal."""

    name: str
    folders: tuple[str, ...]

    def anomalous(self, frame: LabelledFrame) -> bool:
        """Whether a frame must still be rejected."""
        return bool(set(frame.kinds) - set(self.folders))


@dataclass(frozen=True)
class LabelledFrames:
    """Test frames, and the groups whose normalities the bundle has."""

    frames: tuple[LabelledFrame, ...]
    groups: tuple[LabelledGroup, ...]


def read_labels(bundle: Bundle, dataset: Path, groups: Path) -> LabelledFrames:
    """The test frames of a data set of one class.

    Raises:
        NandEdgeError: The data set or the groups file cannot be read, there are several classes, or no group has the
            name of a normality of the bundle.
    """
    try:
        from nand_edge.evaluation.groups import read_groups
    except ImportError as error:
        raise NandEdgeError(
            f"groups file {str(groups)!r}",
            found=f"no package to read YAML with ({error})",
            needed="pyyaml",
            do="run `pip install 'nand-edge[evaluate]'`",
        ) from None
    opened = open_dataset(dataset)
    if len(opened.class_names) != 1:
        raise NandEdgeError(
            f"data set {str(dataset)!r}",
            found=f"classes {', '.join(opened.class_names)}",
            needed="the one class that the bundle inspects",
            do="give the folder of that class",
        )
    (name,) = opened.class_names
    known = {record.name for record in bundle.manifest.normalities}
    chosen = tuple(
        LabelledGroup(group.name, group.folders)
        for group in read_groups(groups).choose([name])[name]
        if group.name in known
    )
    if not chosen:
        raise NandEdgeError(
            f"groups file {str(groups)!r}",
            found="no group that the bundle has a normality of",
            needed=f"a group named {' or '.join(sorted(known)) or 'as a normality of the bundle'}",
            do="name the groups as the bundle's normalities",
        )
    return LabelledFrames(opened.read_class(name, test_only=True).test, chosen)


def mean_auroc(labels: LabelledFrames, scores_of: ScoresOf) -> float:
    """The image AUROC with each group's normality in force, mean over the groups, 0 to 1."""
    scores = [scores_of(frame.read()) for frame in labels.frames]
    return float(
        np.mean(
            [
                auroc(
                    np.array([group.anomalous(frame) for frame in labels.frames]),
                    np.array([each[group.name] for each in scores]),
                )
                for group in labels.groups
            ]
        )
    )


def auroc(anomalous: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The chance that an anomalous frame scores higher than a normal one, half of it for a tie, 0 to 1."""
    high, low = scores[anomalous], scores[~anomalous]
    wins = (high[:, None] > low[None, :]).sum() + 0.5 * (high[:, None] == low[None, :]).sum()
    return float(wins / (high.size * low.size))
