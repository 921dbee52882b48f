"""The forms of suppression that can be evaluated side by side: each makes a normality of the same words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.groups import Group
from nand_edge.normality import PAPER, Normality
from nand_edge_export.clip import Clip
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.evaluation.eager import NormalityDetection
from nand_edge_export.forms import JOINT
from nand_edge_export.forms.calibrated import CALIBRATED, MIN_FRAMES, with_calibration
from nand_edge_export.forms.contrast import CONTRAST, with_contrast
from nand_edge_export.forms.few_shot import FEW_SHOT, MAX_SHOTS, Shot, with_shots
from nand_edge_export.forms.tokens import FrameTokens, frame_tokens
from nand_edge_export.normality import make_normality


class RememberingClip(Clip):
    """A CLIP that embeds each ensemble of prompts once: groups of a class share the flawless and the damaged object."""

    @cached_property
    def _known(self) -> dict[tuple[str, ...], NDArray[np.float32]]:
        return {}

    def text_features(self, prompts: Sequence[str]) -> NDArray[np.float32]:
        """As `Clip.text_features`."""
        key = tuple(prompts)
        if key not in self._known:
            self._known[key] = super().text_features(prompts)
        return self._known[key]


@dataclass(frozen=True)
class Material:
    """What the normalities of one class are made of. Nothing of the test frames is among it.

    Attributes:
        clip: The CLIP whose text tower embeds the words.
        detection: The same CLIP with its image encoder; None for a bundle, whose encoder is in its graph.
        good: The class's good frames to fit on.
        groups: All groups of the class.
        progress: Told about every good frame that is encoded.
    """

    clip: Clip
    detection: NormalityDetection | None
    good: Sequence[Path]
    groups: Sequence[Group]
    progress: Progress = no_progress

    @cached_property
    def good_tokens(self) -> FrameTokens:
        """Tokens of the good frames, encoded when the first form looks at them."""
        return self.tokens(self.good)

    def tokens(self, paths: Sequence[Path]) -> FrameTokens:
        """Tokens of frames.

        Raises:
            NandEdgeError: There is no image encoder, or a frame cannot be read.
        """
        if self.detection is None:
            raise NandEdgeError(
                "a form that looks at frames",
                found="a bundle, whose image encoder is in its graph",
                needed="the image encoder itself",
                do="evaluate with --detector, or in another form",
            )
        encoder, scale = self.detection.encoder, self.detection.logit_scale
        return frame_tokens(encoder, paths, logit_scale=scale, progress=self.progress)


Form = Callable[[Group, Material], Normality]
Step = Callable[[Normality, Group, Material], Normality]


def _paper(group: Group, material: Material) -> Normality:
    phrases = group.phrases or None
    return make_normality(material.clip, group.words, group.object_name, name=group.name, phrases=phrases)


def _contrast(normality: Normality, _: Group, material: Material) -> Normality:
    return with_contrast(normality, material.clip)


def _keep(normality: Normality, group: Group, material: Material) -> Normality:
    """As contrast, and the class's other groups are named as what must still be rejected."""
    others = [other.words for other in material.groups if other.name != group.name]
    return with_contrast(normality, material.clip, keep=others)


def _few_shot(count: int, normality: Normality, group: Group, material: Material) -> Normality:
    if len(group.shots) < count:
        raise NandEdgeError(
            f"form {FEW_SHOT}-{count} of group {group.name!r}",
            found=f"{len(group.shots)} photographs that show it",
            needed=f"{count}, none of them a test frame",
            do="add `shots: FOLDER` to the group in the groups file",
        )
    paths = group.shots[:count]
    return with_shots(normality, [Shot(path) for path in paths], material.tokens(paths), material.good_tokens)


def _calibrated(normality: Normality, _: Group, material: Material) -> Normality:
    return with_calibration(normality, material.good_tokens)


STEPS: dict[str, Step] = {
    CONTRAST: _contrast,
    "keep": _keep,
    **{f"{FEW_SHOT}-{count}": partial(_few_shot, count) for count in range(1, MAX_SHOTS + 1)},
    CALIBRATED: _calibrated,
}
"""Steps beyond the paper's form, each of which is a form too; a further one is a function and a line here."""

FORMS: dict[str, Form] = {PAPER: _paper}
"""Forms that are no steps from the paper's."""


def usual_forms(*, good_frames: int) -> tuple[str, ...]:
    """What is compared when nobody asks for a form: the paper's, which counts, and those that need no photographs.

    Args:
        good_frames: Fewest good frames of any class that an encoder can look at.
    """
    return (PAPER, CONTRAST, CALIBRATED) if good_frames >= MIN_FRAMES else (PAPER, CONTRAST)


def form_named(name: str) -> Form:
    """The form of that name: one of `FORMS`, or names of `STEPS` joined by `+`.

    Raises:
        NandEdgeError: There is no such form or step.
    """
    if name in FORMS:
        return FORMS[name]
    steps = name.split(JOINT)
    for step in steps:
        if step not in STEPS:
            raise NandEdgeError(
                f"--form {name!r}",
                found=f"no step {step!r}",
                needed=f"{', '.join(FORMS)}, or one or more of {', '.join(STEPS)}, joined by {JOINT!r}",
                do="correct it",
            )

    def stepwise(group: Group, material: Material) -> Normality:
        made = _paper(group, material)
        for step in steps:
            made = STEPS[step](made, group, material)
        return made

    return stepwise
