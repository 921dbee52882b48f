"""Training projections: all of the CLIP is frozen, one linear layer a tap learns where defects are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge.prompts import april_gan_abnormal, april_gan_normal
from nand_edge_export.clip import Clip, ClipEncoder, Projections
from nand_edge_export.clip.projections import TrainingRecord, source_of_layers
from nand_edge_export.clip.tower import FEATURES
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.training.curves import LossLog, write_loss_chart
from nand_edge_export.training.frames import TrainingFrames
from nand_edge_export.training.heads import Heads, json_like
from nand_edge_export.training.pictures import batches, steps_an_epoch
from nand_edge_export.training.recipe import Recipe

CHECKPOINT, LOG, CHART = "checkpoint.pt", "loss.jsonl", "loss.svg"


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        projections: What was learned.
        steps: Steps in all.
        resumed_at: The step at which this run went on; 0 for a new one.
        epoch_losses: Mean loss of every epoch.
        seconds: Time of this run.
        folder: Where the checkpoint, the log of the losses and their chart are.
    """

    projections: Projections
    steps: int
    resumed_at: int
    epoch_losses: tuple[float, ...]
    seconds: float
    folder: Path


@dataclass(frozen=True)
class Trainer:
    """All that a training reads and writes.

    Attributes:
        clip: The CLIP, whose text tower embeds the prompts.
        encoder: Its image encoder, of which the taps are used and not the projections.
        frames: Frames that were checked.
        recipe: The recipe.
        output: The file to write, NAME.safetensors; beside it, the folder NAME.training keeps the rest.
        device: Of torch, `cpu` or `cuda`.
        workers: Processes that read images; 0 reads them in this one.
        save_every: Steps between checkpoints.
    """

    clip: Clip
    encoder: ClipEncoder
    frames: TrainingFrames
    recipe: Recipe
    output: Path
    device: str = "cpu"
    workers: int = 0
    save_every: int = 20

    @property
    def folder(self) -> Path:
        """Where the checkpoint, the log of the losses and their chart are."""
        return self.output.with_suffix(".training")

    def run(self, progress: Progress = no_progress) -> Trained:
        """Train and write the projections; a run that was stopped goes on where it was.

        Raises:
            NandEdgeError: The output cannot be written, the checkpoint is of another training, or the loss is no
                finite number.
        """
        require_writable_parent(self.output)
        self.folder.mkdir(exist_ok=True)
        began = time.perf_counter()
        heads = self._heads()
        resumed_at = heads.step
        log = LossLog(self.folder / LOG, heads.step)
        self._learn(heads, log, progress)
        projections = self._projections(heads)
        projections.write(self.output)
        title = f"{self.frames.data_set}, {self.recipe.epochs} epochs"
        write_loss_chart(log.records, title, self.folder / CHART)
        seconds = time.perf_counter() - began
        return Trained(projections, heads.step, resumed_at, tuple(log.epoch_means()), seconds, self.folder)

    def _heads(self) -> Heads:
        """The layers as the last checkpoint has them, or at their start."""
        channels = [layers[0].shape[1] for layers in self.encoder.projections.layers]
        heads = Heads.start(channels, self.encoder.width, self.recipe, self.device)
        checkpoint = self.folder / CHECKPOINT
        if checkpoint.is_file():
            heads.load(checkpoint, self._identity())
        if heads.step > self._steps:
            raise NandEdgeError(
                f"checkpoint {str(checkpoint)!r}",
                found=f"{heads.step} steps",
                needed=f"no more than the {self._steps} of {self.recipe.epochs} epochs",
                do="give more --epochs, or remove its folder to begin anew",
            )
        return heads

    @property
    def _steps(self) -> int:
        return self.recipe.epochs * steps_an_epoch(self.frames, self.recipe)

    def _learn(self, heads: Heads, log: LossLog, progress: Progress) -> None:
        directions = self._directions(progress)
        names = [f"{FEATURES}{tap}" for tap in self.encoder.taps]
        encoder = self.encoder.to(self.device)
        saved = heads.step
        progress("training", heads.step, self._steps)
        try:
            for batch in batches(
                self.frames, encoder.preprocessing, self.recipe, first=heads.step, workers=self.workers
            ):
                images, masks, places = (part.to(self.device) for part in batch)
                with torch.no_grad():
                    features = list(encoder.read(images, names).values())
                losses = heads.learn(features, directions[places], masks)
                log.add(self._record(heads.step, losses))
                progress("training", heads.step, self._steps)
                if heads.step - saved >= self.save_every:
                    heads.save(self.folder / CHECKPOINT, self._identity())
                    saved = heads.step
        finally:
            # Whatever stopped it, a damaged disk or Ctrl-C: what was learned is kept.
            if heads.step > saved:
                heads.save(self.folder / CHECKPOINT, self._identity())

    def _directions(self, progress: Progress) -> torch.Tensor:
        """For each class `logit_scale * (abnormal - normal)` of the official prompts, float32 [classes, D]."""
        directions = []
        for number, name in enumerate(self.frames.objects, start=1):
            abnormal, normal = (
                self.clip.text_features(ensemble(name)) for ensemble in (april_gan_abnormal, april_gan_normal)
            )
            directions.append(self.recipe.logit_scale * (abnormal - normal))
            progress("prompts", number, len(self.frames.objects))
        return torch.from_numpy(np.stack(directions)).to(self.device)

    def _record(self, step: int, losses: list[float]) -> dict[str, float]:
        taps = {f"tap{tap}": round(loss, 6) for tap, loss in zip(self.encoder.taps, losses, strict=True)}
        epoch = (step - 1) // steps_an_epoch(self.frames, self.recipe) + 1
        return {"step": step, "epoch": epoch, "loss": round(sum(losses), 6), **taps}

    def _identity(self) -> dict[str, Any]:
        """What a training that goes on must have in common with the one that was stopped; it may have more epochs."""
        recipe = {name: value for name, value in self.recipe.to_json().items() if name != "epochs"}
        encoder = {
            "CLIP": self.clip.sha256,
            "taps": self.encoder.taps,
            "image size": self.encoder.preprocessing.size,
            "frames": self.frames.digest(),
        }
        return json_like({**encoder, **recipe})

    def _projections(self, heads: Heads) -> Projections:
        layers = heads.weights()
        record = TrainingRecord(
            clip=self.clip.name,
            clip_sha256=self.clip.sha256,
            taps=self.encoder.taps,
            image_size=self.encoder.preprocessing.size,
            data_set=self.frames.data_set,
            epochs=self.recipe.epochs,
            recipe={**self.recipe.to_json(), "frames": len(self.frames.frames), "objects": list(self.frames.objects)},
        )
        licence = f"as the licence of {self.frames.data_set} allows"
        source = source_of_layers(layers, name=self.output.name, licence=licence)
        return Projections(layers, source, self.recipe.logit_scale, record.image_size, record)
