"""Where candidates come from: a detector's file, a method that is fitted to each class, or a bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DatasetClass, LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.files import sha256_of_file
from nand_edge_export.detectors.files import read_detector, write_detector
from nand_edge_export.detectors.method import Method
from nand_edge_export.detectors.protocol import Progress
from nand_edge_export.evaluation.cache import key_of
from nand_edge_export.evaluation.candidate import Candidate
from nand_edge_export.evaluation.eager import EagerCandidate, NormalityDetection
from nand_edge_export.evaluation.packed import BundleCandidate
from nand_edge_export.fit import FEWEST_FRAMES_FOR_A_THRESHOLD, fit

SUFFIX = ".detector"


class CandidateSource(Protocol):
    """Gives a candidate for each class."""

    def candidate(self, found: DatasetClass, groups: Sequence[Group], progress: Progress) -> Candidate:
        """The candidate for a class.

        Raises:
            NandEdgeError: It cannot be had, or has no threshold.
        """


@dataclass(frozen=True)
class FileSource:
    """One detector file for all classes.

    Attributes:
        path: The file.
        detection: The normality-detection module.
        output: The evaluation's folder.
    """

    path: Path
    detection: NormalityDetection
    output: Path

    def candidate(self, found: DatasetClass, groups: Sequence[Group], progress: Progress) -> Candidate:
        """Read the detector."""
        del found, groups, progress
        return _candidate(self.path, self.path.name, self.detection, self.output)


@dataclass(frozen=True)
class MethodSource:
    """A method, fitted to each class's good frames; what was fitted is kept and not fitted again.

    Attributes:
        label: How the user named it.
        make: From what is inspected, in words, to the method.
        recipe: What beside the frames and the object decides what is fitted.
        detection: The normality-detection module.
        output: The evaluation's folder; detectors lie in its `detectors`.
    """

    label: str
    make: Callable[[str], Method]
    recipe: Mapping[str, Any]
    detection: NormalityDetection
    output: Path

    def candidate(self, found: DatasetClass, groups: Sequence[Group], progress: Progress) -> Candidate:
        """Fit the detector, or read the one that an earlier run fitted to the same frames."""
        object_name = groups[0].object_name
        good = [LabelledFrame(path).sha256() for path in found.good]
        clip = self.detection.encoder.identity()
        key = key_of({"recipe": self.recipe, "object": object_name, "clip": clip, "good": good})
        method = self.label.partition(":")[0]
        path = self.output / "detectors" / f"{found.name}.{method}.{key[:12]}{SUFFIX}"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_detector(fit(self.make(object_name), found.good, progress=progress).detector, path)
        return _candidate(path, self.label, self.detection, self.output)


@dataclass(frozen=True)
class BundleSource:
    """One bundle for all classes."""

    bundle: Bundle
    output: Path

    def candidate(self, found: DatasetClass, groups: Sequence[Group], progress: Progress) -> Candidate:
        """Open the bundle's engine."""
        del found, groups, progress
        return BundleCandidate(self.bundle, self.output / "cache")


def _candidate(path: Path, label: str, detection: NormalityDetection, output: Path) -> Candidate:
    detector = read_detector(path)
    if detector.threshold is None:
        raise NandEdgeError(
            f"threshold of detector {label!r}",
            found="none, since it was fitted on too few good frames to choose one",
            needed="a threshold that was fixed before the test frames are seen",
            do=f"fit it on at least {FEWEST_FRAMES_FOR_A_THRESHOLD} good frames",
        )
    return EagerCandidate(
        label,
        detector,
        detector.threshold,
        detection,
        sha256=sha256_of_file(path),
        cache=output / "cache",
    )
