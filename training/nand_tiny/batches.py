"""Batches for training: pictures with the masks of every kind, and the sentences that go with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer
from torch.utils.data import Dataset

from nand_edge.prompts import april_gan_normal, normality_prompts
from nand_tiny.defects import KINDS
from nand_tiny.noise import chance
from nand_tiny.scene import make_scene
from nand_tiny.surfaces import SURFACES, TRAIN_SURFACES
from nand_tiny.wordings import WORDINGS, caption, object_nouns, pick, request, with_article

MAP_SIZE = 60
"""Side of the maps that the loss compares, a quarter of the picture's."""

MARGINS = ((0.2, 4), (0.4, 10), (0.65, 14), (1.0, 22))
"""Pixels by which masks are widened, up to each share of the pictures: first little, to learn what is where, in the end
as much as a base detector's map spreads: PatchCore's is over its threshold 7 to 16 pixels off a defect of a panel, and
further off those of real cells."""

TEXT_SEED_OFFSET = 1_000_003
REQUEST_SHARE = 0.25  # of prompts that are sentences as people say them
FIRST_STEP = 1 << 20
CONTEXT_LENGTH = 32
PICTURED_SURFACES = (*TRAIN_SURFACES, *(name for name in TRAIN_SURFACES if "cell" in name))
"""Surfaces to draw from: panels with printed bars, the finest structures of all, come twice as often."""


@dataclass(frozen=True)
class Sentences:
    """Token numbers of one step: captions of the pictures, prompts of every kind, prompts of the normal state."""

    captions: torch.Tensor
    kinds: torch.Tensor
    normal: torch.Tensor


class ScenePictures(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Scenes by number: picture float32 [3, 240, 240] in -1..1, masks float32 [kinds, 60, 60], caption tokens [32]."""

    def __init__(self, seed: int, length: int) -> None:
        self.seed, self.length = seed, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cv2.setNumThreads(1)
        scene = make_scene(self.seed, index, surfaces=PICTURED_SURFACES)
        picture = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 127.5 - 1.0
        rng = np.random.default_rng((self.seed + TEXT_SEED_OFFSET, index))
        noun = pick(rng, SURFACES[scene.surface].nouns)
        words = tokenise([caption(rng, noun, sorted(scene.masks))])[0]
        margin = next(pixels for share, pixels in MARGINS if index < share * self.length)
        return picture, kind_masks(scene.masks, margin), words


def kind_masks(masks: dict[str, NDArray[np.bool_]], margin: int) -> torch.Tensor:
    """Masks [S, S] of the present kinds to float32 [kinds, 60, 60], widened by `margin` pixels."""
    maps = torch.zeros(len(KINDS), MAP_SIZE, MAP_SIZE)
    for kind, mask in masks.items():
        wide = cv2.dilate(mask.astype(np.uint8), np.ones((2 * margin + 1,) * 2, np.uint8))
        block = wide.shape[0] // MAP_SIZE
        cells = wide.reshape(MAP_SIZE, block, MAP_SIZE, block).mean(axis=(1, 3))
        maps[KINDS.index(kind)] = torch.from_numpy((cells >= 0.5).astype(np.float32))
    return maps


def step_sentences(seed: int, step: int, captions: torch.Tensor, prompts_per_kind: int = 2) -> Sentences:
    """Prompts of one step: for every kind `prompts_per_kind` wordings [kinds, P, 32], and as many normal ones [P, 32].

    The object's name is drawn at random, so that it carries no hint about the picture.
    """
    rng = np.random.default_rng((seed + TEXT_SEED_OFFSET, step + FIRST_STEP))
    noun = pick(rng, object_nouns())
    normal = [pick(rng, april_gan_normal(noun)) for _ in range(prompts_per_kind)]
    kinds = [_prompt(rng, noun, pick(rng, WORDINGS[kind])) for kind in KINDS for _ in range(prompts_per_kind)]
    tokens = tokenise(kinds).reshape(len(KINDS), prompts_per_kind, -1)
    return Sentences(captions, tokens, tokenise(normal))


def _prompt(rng: np.random.Generator, noun: str, wording: str) -> str:
    if not chance(rng, REQUEST_SHARE):
        return pick(rng, normality_prompts([_state(rng, noun, wording)]))
    sentence = request(rng, noun, wording)
    return pick(rng, normality_prompts([sentence])) if chance(rng, 0.5) else sentence


def _state(rng: np.random.Generator, noun: str, wording: str) -> str:
    forms = (
        "{noun} with {article}",
        "{wording} on {noun}",
        "{wording} in the {noun}",
        "{wording}",
        "{noun}, {wording}",
    )
    return pick(rng, forms).format(noun=noun, wording=wording, article=with_article(wording))


def tokenise(texts: list[str]) -> torch.Tensor:
    """Token numbers [N, 32]."""
    tokens: torch.Tensor = _tokenizer()(texts)
    return tokens


@lru_cache(maxsize=1)
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer(context_length=CONTEXT_LENGTH)
