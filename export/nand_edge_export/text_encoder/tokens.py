"""The tokenizer of an open_clip model as one that needs neither torch nor open_clip."""

from __future__ import annotations

import numpy as np
from open_clip.tokenizer import SimpleTokenizer

from nand_edge.clip_tokens import ClipTokenizer
from nand_edge.errors import NandEdgeError
from nand_edge.phrases import phrases_for
from nand_edge.prompts import april_gan_abnormal, april_gan_normal, normality_prompts
from nand_edge_export.clip import Clip

_TEXTS = (
    "", "A photo of a Solar-Cell, 12.5 mm!", "it's   what we'll call \u201cnormal\u201d", "Kratzer auf der Oberfläche",
    "déjà vu &amp; naïve", "汚れ", "0123456789", "x" * 300, "scratch_on_head (left) #3 50% <ok>",
)  # fmt: skip


def portable_tokenizer(clip: Clip) -> ClipTokenizer:
    """The CLIP's tokenizer, proven on prompts and odd texts to give the same numbers.

    Raises:
        NandEdgeError: The CLIP has a tokenizer of another kind.
    """
    original = clip.tokenizer
    if not isinstance(original, SimpleTokenizer):
        raise _other_kind(clip, type(original).__name__)
    merges = sorted(original.bpe_ranks, key=lambda pair: int(original.bpe_ranks[pair]))
    made = ClipTokenizer(merges, int(original.context_length or 0))
    texts = [
        *_TEXTS,
        *april_gan_normal("solar cell"),
        *april_gan_abnormal("hazelnut"),
        *normality_prompts(phrases_for("dark stain", "solar cell")),
    ]
    if not np.array_equal(made(texts), original(texts).numpy()):
        raise _other_kind(clip, f"{type(original).__name__} with settings of its own")
    return made


def _other_kind(clip: Clip, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"text encoder of the CLIP {clip.name!r}",
        found=f"the tokenizer {found}",
        needed="the one of OpenAI's CLIP, which the runtime has",
        do="export without --text-encoder, and make normalities with `nand-edge normality`",
    )
