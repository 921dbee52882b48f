"""The evaluation from a data set to its figures: every candidate, class, form and group, one frame after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import DamagedFrameError, DatasetClass, LabelledFrame
from nand_edge.evaluation.groups import Group, Groups, check_groups
from nand_edge.evaluation.layouts import Dataset
from nand_edge.evaluation.protocol import Pair
from nand_edge.images import read_frame
from nand_edge.manifest import DetectorRecord
from nand_edge.normality import Normality
from nand_edge_export.clip import Clip
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.evaluation.candidate import Candidate, FrameScores, inspection_of
from nand_edge_export.evaluation.eager import NormalityDetection
from nand_edge_export.evaluation.forms import Material, RememberingClip, form_named
from nand_edge_export.evaluation.gallery import Exhibits, exhibits
from nand_edge_export.evaluation.sources import CandidateSource

FRAMES = "frames"
"""The stage of `Progress` that counts all frames of all candidates."""


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated, checked before anything is computed.

    Attributes:
        dataset: The data set.
        groups: The groups file.
        classes: The chosen classes with their groups.
        forms: Forms of suppression; the first one is the one that counts.
        skip_bad: Whether damaged frames are left out instead of stopping.
    """

    dataset: Dataset
    groups: Groups
    classes: tuple[tuple[DatasetClass, tuple[Group, ...]], ...]
    forms: tuple[str, ...]
    skip_bad: bool

    @classmethod
    def make(
        cls,
        dataset: Dataset,
        groups: Groups,
        *,
        chosen: Sequence[str] = (),
        forms: Sequence[str],
        skip_bad: bool = False,
    ) -> Plan:
        """Match the groups file with the data set.

        Raises:
            NandEdgeError: They do not match, a class is empty, or there is no such form.
        """
        for form in forms:
            form_named(form)
        classes = []
        for name, of_class in groups.choose(dataset.class_names, chosen).items():
            found = dataset.read_class(name)
            check_groups(found, of_class)
            classes.append((found, of_class))
        return cls(dataset, groups, tuple(classes), tuple(dict.fromkeys(forms)), skip_bad)

    @property
    def frames(self) -> int:
        """Test frames of all classes."""
        return sum(len(found.test) for found, _ in self.classes)


@dataclass
class Result:
    """One candidate in one form on all pairs.

    Attributes:
        label: How the user named the candidate.
        detector: What its base detector is; the first class's, where it was fitted to each.
        form: The form of suppression.
        pairs: The pairs.
        exhibits: For each pair, frames that the words helped and hurt; empty for all forms but the first.
    """

    label: str
    detector: DetectorRecord
    form: str
    pairs: list[Pair] = field(default_factory=list)
    exhibits: list[Exhibits] = field(default_factory=list)


@dataclass
class Evaluation:
    """What came of a plan.

    Attributes:
        plan: The plan.
        results: First candidate and first form first.
        skipped: Damaged images that were left out, with what was found.
        computed: Frames that something was computed for, counted for each candidate.
        reused: Frames whose results were all kept from an earlier run.
        visited: Frames that were tried, counted for each candidate.
    """

    plan: Plan
    results: list[Result] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    computed: int = 0
    reused: int = 0
    visited: int = 0


def evaluate(
    plan: Plan,
    sources: Sequence[CandidateSource],
    clip: Clip,
    detection: NormalityDetection | None = None,
    *,
    progress: Progress = no_progress,
) -> Evaluation:
    """Evaluate candidates.

    Args:
        plan: What to evaluate them on.
        sources: At least one; the first is the one that counts.
        clip: The CLIP whose text tower embeds the words.
        detection: The same CLIP with its image encoder; None for bundles.
        progress: Told about every frame.

    Raises:
        NandEdgeError: A frame is damaged (without `skip_bad`), or a candidate cannot be used. What was computed stays.
    """
    evaluation = Evaluation(plan)
    results: dict[tuple[int, str], Result] = {}
    total = plan.frames * len(sources)
    clip = RememberingClip(**vars(clip))
    for found, groups in plan.classes:
        usable = replace(found, good=_usable(found.good, evaluation))
        material = Material(
            clip, detection, usable.good, groups, lambda _, done, total: progress("good frames", done, total)
        )
        task = _Task.make(plan.forms, usable, groups, material)
        for place, source in enumerate(sources):
            with closing(source.candidate(usable, groups, progress)) as candidate:
                pairs = _score(candidate, task, evaluation, lambda done: progress(FRAMES, done, total))
                for form in plan.forms:
                    result = results.setdefault((place, form), Result(candidate.label, candidate.detector, form))
                    result.pairs += pairs[form]
                chosen = plan.forms[0]
                results[place, chosen].exhibits += [
                    exhibits(pair, partial(inspection_of, candidate, pair, normality))
                    for pair, normality in zip(pairs[chosen], task.normalities[chosen], strict=True)
                ]
    evaluation.results = [results[place, form] for place in range(len(sources)) for form in plan.forms]
    return evaluation


@dataclass(frozen=True)
class _Task:
    """A class with its groups, and for each form a normality a group."""

    found: DatasetClass
    groups: tuple[Group, ...]
    normalities: Mapping[str, Sequence[Normality]]

    @classmethod
    def make(cls, forms: Sequence[str], found: DatasetClass, groups: tuple[Group, ...], material: Material) -> _Task:
        return cls(found, groups, {form: [form_named(form)(group, material) for group in groups] for form in forms})


def _score(
    candidate: Candidate, task: _Task, evaluation: Evaluation, on_frame: Callable[[int], None]
) -> dict[str, list[Pair]]:
    """The class's pairs with one candidate, by form."""
    every = [normality for of_form in task.normalities.values() for normality in of_form]
    scored: list[tuple[LabelledFrame, FrameScores]] = []
    for frame in task.found.test:
        try:
            scores = candidate.scores(frame, every)
        except DamagedFrameError as error:
            _skip(error, frame, evaluation)
        else:
            scored.append((frame, scores))
            evaluation.computed += scores.computed
            evaluation.reused += not scores.computed
        evaluation.visited += 1
        on_frame(evaluation.visited)
    frames = tuple(frame for frame, _ in scored)
    check_groups(replace(task.found, test=frames), task.groups)
    before = np.array([scores.before for _, scores in scored])
    after = iter(np.array([scores.after for _, scores in scored]).T)
    name, threshold = task.found.name, candidate.threshold.value
    return {
        form: [Pair(name, group, frames, before, next(after), threshold) for group in task.groups]
        for form in task.normalities
    }


def _usable(paths: tuple[Path, ...], evaluation: Evaluation) -> tuple[Path, ...]:
    """The good frames; those that cannot be read are left out, or else stop the fit that reads them."""
    if not evaluation.plan.skip_bad:
        return paths
    usable = []
    for path in paths:
        try:
            read_frame(path)
            usable.append(path)
        except NandEdgeError as error:
            evaluation.skipped[str(path)] = error.found
    return tuple(usable)


def _skip(error: DamagedFrameError, frame: LabelledFrame, evaluation: Evaluation) -> None:
    if not evaluation.plan.skip_bad:
        raise DamagedFrameError(
            error.what, found=error.found, needed=error.needed, do=f"{error.do}, or go on without it with --skip-bad"
        ) from None
    evaluation.skipped[str(frame.path)] = f"{error.what}: {error.found}"
