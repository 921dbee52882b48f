"""Contrast: more classes in the softmax, so that what merely looks damaged is not taken for what was named.

The paper's softmax knows two classes, so a crack that is no stain still looks more like "stain" than like "flawless".
With the damaged states, and with defects that must still be rejected, among the other classes, it has where to go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge.normality import Normality
from nand_edge.phrases import phrases_for
from nand_edge.prompts import april_gan_abnormal, normality_prompts
from nand_edge_export.clip import Clip
from nand_edge_export.forms import joined
from nand_edge_export.forms.vectors import Sides, sides_of, with_sides

CONTRAST = "contrast"


def with_contrast(normality: Normality, clip: Clip, *, keep: Sequence[str] = (), damaged: bool = True) -> Normality:
    """Add classes to the side of all else.

    Args:
        normality: In the paper's form.
        clip: The CLIP that embedded it.
        keep: Defects that must still be rejected, in words ("crack"), a class each.
        damaged: Whether the generic damaged states are a class too.

    Raises:
        NandEdgeError: The normality came from another CLIP, or what is to be kept is what is to be normal.
    """
    normality.require_clip(clip.sha256, clip.name)
    ensembles = [april_gan_abnormal(normality.object_name)] if damaged else []
    for words in keep:
        phrases = phrases_for(words, normality.object_name, rejected=True)
        if shared := set(phrases) & set(normality.phrases):
            raise NandEdgeError(
                f"--keep {words!r}",
                found=f"the phrase {min(shared)!r} in {normality.text!r} too",
                needed="a defect that differs from what is to be normal",
                do="name another one, or leave it out",
            )
        ensembles.append(normality_prompts(phrases))
    if not ensembles:
        return normality
    further = np.stack([clip.text_features(ensemble) for ensemble in ensembles])
    contrasted = [
        Sides(np.concatenate([sides.other, further]), np.pad(sides.other_bias, (0, len(further))), *sides[2:])
        for sides in sides_of(normality)
    ]
    return replace(with_sides(normality, contrasted), form=joined(normality.form, CONTRAST))
