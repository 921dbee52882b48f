"""Train `nand-tiny`: `python -m nand_tiny.train`, deterministic by seed, resumable, with a progress bar."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    track,
)
from torch import nn
from torch.utils.data import DataLoader, Subset

from nand_tiny.batches import CONTEXT_LENGTH, MAP_SIZE, ScenePictures, Sentences, step_sentences
from nand_tiny.losses import apart_loss, contrast_loss, map_logits, map_loss
from nand_tiny.model import NandTiny
from nand_tiny.words import word_table

CONTRAST_WEIGHT = 0.5
APART_WEIGHT = 0.5
WORDS_STEPS = 400
MAX_CONTRAST_SCALE = 100.0
LEARNING_RATES = {"trunk": 3e-4, "projections": 2e-3, "text": 1e-3}
WARM_UP_STEPS = 100
MAX_GRADIENT = 5.0
COOL_DOWN_SHARE = 0.3
AVERAGE_DECAY = 0.998
RUNS = Path(__file__).resolve().parents[1] / "runs"


@dataclass
class Training:
    """All that a checkpoint holds."""

    model: NandTiny
    average: NandTiny
    optimizer: torch.optim.Optimizer
    step: int = 0

    def save(self, path: Path) -> None:
        """Write a checkpoint beside and rename it."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }
        temporary = path.with_suffix(".part")
        torch.save(state, temporary)
        temporary.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the averaged weights, which are the ones that are kept, towards the trained ones."""
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


def start(seed: int, table: torch.Tensor) -> Training:
    """A training at step 0."""
    torch.manual_seed(seed)
    model = NandTiny(table).train()
    groups: dict[str, list[nn.Parameter]] = {name: [] for name in LEARNING_RATES}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            group = "trunk" if ".trunk." in name else "projections" if name.startswith("projections") else "text"
            groups[group].append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": groups[name], "lr": rate, "initial_lr": rate} for name, rate in LEARNING_RATES.items()],
        weight_decay=0.01,
    )
    return Training(model, deepcopy(model), optimizer)


def rate_factor(step: int, steps: int) -> float:
    """Warm-up, a plateau, and a linear cool-down: a longer training can go on from the plateau of a shorter one."""
    cool_down = max(1, int(steps * COOL_DOWN_SHARE))
    return max(0.01, min(1.0, (step + 1) / WARM_UP_STEPS, (steps - step) / cool_down))


def losses(
    model: NandTiny, pictures: torch.Tensor, masks: torch.Tensor, sentences: Sentences
) -> dict[str, torch.Tensor]:
    """The loss terms of one batch: `contrast`, `apart`, and `tap1`, `tap2`, ... of the maps."""
    captions, states = encode_sentences(model, sentences)
    normal, *added = nn.functional.normalize(states.mean(dim=1), dim=-1).split(1)
    tokens, images = model.encode_image(pictures)
    scale = model.clip.logit_scale.exp().clamp(max=MAX_CONTRAST_SCALE)
    terms = {"contrast": contrast_loss(images, captions, scale), "apart": apart_loss(states)}
    for number, tap in enumerate(tokens, start=1):
        terms[f"tap{number}"] = map_loss(map_logits(tap, torch.cat(added), normal[0], MAP_SIZE), masks)
    return terms


def encode_sentences(model: NandTiny, sentences: Sentences) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features of the captions [N, D], and of the prompts of every state, normal first, [1 + kinds, 2, D]."""
    prompts = torch.cat([sentences.normal[None], sentences.kinds])
    features = model.encode_text(torch.cat([sentences.captions, prompts.flatten(0, 1)]))
    captions, states = features.split([len(sentences.captions), prompts.shape[0] * prompts.shape[1]])
    return captions, states.reshape(*prompts.shape[:2], -1)


def train_step(training: Training, batch: list[torch.Tensor], sentences: Sentences, steps: int) -> dict[str, float]:
    """One step of the optimiser; gives the loss terms."""
    factor = rate_factor(training.step, steps)
    for group in training.optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    terms = losses(training.model, batch[0], batch[1], sentences)
    maps = [value for name, value in terms.items() if name.startswith("tap")]
    total = CONTRAST_WEIGHT * terms["contrast"] + APART_WEIGHT * terms["apart"] + torch.stack(maps).mean()
    _descend(training, total)
    training.step += 1
    training.update_average()
    return {name: float(value.detach()) for name, value in terms.items()}


def learn_words(training: Training, seed: int) -> None:
    """Let the text tower tell the kinds apart before pictures come: else all texts meet in one point at the start."""
    empty = torch.zeros(0, CONTEXT_LENGTH, dtype=torch.long)
    for step in track(range(WORDS_STEPS), description="words"):
        _, states = encode_sentences(training.model, step_sentences(seed, -1 - step, empty))
        _descend(training, apart_loss(states))
    training.average.load_state_dict(training.model.state_dict())


def _descend(training: Training, loss: torch.Tensor) -> None:
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(training.model.parameters(), MAX_GRADIENT)
    training.optimizer.step()


def train(
    *,
    steps: Annotated[int, typer.Option(help="Optimiser steps in all.")] = 6600,
    batch: Annotated[int, typer.Option(help="Pictures a step.")] = 16,
    seed: Annotated[int, typer.Option(help="Seed of pictures, sentences and weights.")] = 0,
    run: Annotated[Path, typer.Option(help="Folder of the checkpoint and the log; a run found there goes on.")] = RUNS,
    save_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100,
    workers: Annotated[int, typer.Option(help="Processes that draw pictures.")] = 1,
) -> None:
    """Train, or go on where the checkpoint in the run's folder ends."""
    run.mkdir(parents=True, exist_ok=True)
    training = start(seed, word_table(112, run / "word_table.safetensors"))
    checkpoint = run / "checkpoint.pt"
    if checkpoint.is_file():
        training.load(checkpoint)
    else:
        learn_words(training, seed)
    first = training.step * batch
    pictures = Subset(ScenePictures(seed, steps * batch), range(first, steps * batch))
    loader = DataLoader(pictures, batch_size=batch, num_workers=workers, persistent_workers=workers > 0)
    with _progress() as progress, (run / "log.jsonl").open("a", encoding="utf-8") as log:
        task = progress.add_task("nand-tiny", total=steps, completed=training.step, loss="")
        began = time.perf_counter()
        for images, masks, captions in loader:
            sentences = step_sentences(seed, training.step, captions)
            terms = train_step(training, [images, masks], sentences, steps)
            progress.update(task, completed=training.step, loss=f"loss {sum(terms.values()):.3f}")
            _note(log, {"step": training.step, "seconds": time.perf_counter() - began, **terms})
            if training.step % save_every == 0 or training.step == steps:
                training.save(checkpoint)
    typer.echo(f"checkpoint at step {training.step}: {checkpoint}")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        refresh_per_second=1,
    )


def _note(log: Any, record: dict[str, float]) -> None:
    log.write(json.dumps({name: round(value, 4) for name, value in record.items()}) + "\n")
    log.flush()


if __name__ == "__main__":
    typer.run(train)
