"""`nand-edge train-projection`: train the projections of a CLIP's taps on a data set with masks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.layouts import open_dataset
from nand_edge.files import require_writable_parent
from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.clip.loading import RANDOM
from nand_edge_export.commands.methods.common import given, parse_taps
from nand_edge_export.commands.stage_bars import stage_bars
from nand_edge_export.training.frames import TrainingFrames, gather
from nand_edge_export.training.recipe import recipe_for
from nand_edge_export.training.train import CHART, LOG, Trained, Trainer


def train_projection(
    dataset: Annotated[
        Path, typer.Argument(help="MVTec AD, VisA, or a folder with test/ and ground_truth/.", show_default=False)
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, NAME.safetensors.", show_default=False)],
    clip: Annotated[str, typer.Option(help="nand-tiny, MODEL:TAG, MODEL:FILE or MODEL:random.")] = NAND_TINY,
    taps: Annotated[str | None, typer.Option(help="Blocks or stages counted from 1, such as 6,12,18,24.")] = None,
    image_size: Annotated[int | None, typer.Option(min=32, help="Side of the CLIP's input, pixels.")] = None,
    class_name: Annotated[list[str] | None, typer.Option("--class", help="Train on this class only; repeat.")] = None,
    object_name: Annotated[
        list[str] | None,
        typer.Option("--object", help='What a class shows, CLASS="words", or the words alone for one class; repeat.'),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="How often every frame is seen; 3, or 15 for VisA.")] = None,
    mosaics: Annotated[
        float | None, typer.Option(help="Share of 2 x 2 pictures of four frames; 0.2, or 0 for VisA.")
    ] = None,
    batch: Annotated[int, typer.Option(help="Frames a step.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 1e-3,
    logit_scale: Annotated[float, typer.Option(help="Factor of the cosine.")] = 100.0,
    seed: Annotated[int, typer.Option(help="Of the first weights, the order and the mosaics.")] = 111,
    device: Annotated[str | None, typer.Option(help="cpu or cuda; by default the GPU where there is one.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read images; 4, say, keep a GPU busy.")] = 0,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 20,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave damaged frames out and name them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Train the projections of a CLIP's taps on frames with masks, by APRIL-GAN's official recipe.

    Beside NAME.safetensors, the folder NAME.training keeps the checkpoint, the losses and their chart. A run that was
    interrupted goes on where it was when the same command is given again; with more --epochs it goes on further.
    """
    _require_suffix(output)
    require_writable_parent(output)
    opened = open_dataset(dataset)
    recipe = replace(
        recipe_for(opened.layout.name),
        **given(epochs=epochs, mosaics=mosaics),
        batch=batch,
        learning_rate=learning_rate,
        logit_scale=logit_scale,
        seed=seed,
    )
    names = tuple(class_name or opened.class_names)
    frames = gather(opened, chosen=names, objects=_objects(object_name or [], names))
    with stage_bars() as progress:
        frames = frames.checked(skip_bad=skip_bad, progress=progress)
        loaded = load_clip(clip, image_size=image_size)
        trainer = Trainer(
            clip=loaded,
            encoder=ClipEncoder(loaded, taps=parse_taps(taps), projection=RANDOM),
            frames=frames,
            recipe=recipe,
            output=output,
            device=_device(device),
            workers=workers,
            save_every=save_every,
        )
        trained = trainer.run(progress)
    encoder = f"--clip {clip}" + (f" --taps {taps}" if taps else "")
    report = _report(trained, frames, output)
    print(json.dumps(report, indent=2) if as_json else _words(trained, frames, output, encoder))


def _objects(given_objects: list[str], names: tuple[str, ...]) -> dict[str, str]:
    """`CLASS=words` of each `--object`; the words alone where there is one class."""
    objects = {}
    for text in given_objects:
        name, equals, words = text.partition("=")
        if not equals and len(names) == 1:
            name, words = names[0], text
        if not words.strip():
            raise NandEdgeError(
                "--object", found=repr(text), needed='CLASS="words" for one of several classes', do="name the class"
            )
        objects[name] = words.strip()
    return objects


def _device(device: str | None) -> str:
    there = torch.cuda.is_available()
    if device not in (None, "cpu", "cuda") or (device == "cuda" and not there):
        raise NandEdgeError(
            "--device",
            found=f"{device!r}" + ("" if there else " on a machine without a GPU for torch"),
            needed="cpu" + (" or cuda" if there else ""),
            do="leave it out",
        )
    return device or ("cuda" if there else "cpu")


def _require_suffix(output: Path) -> None:
    if output.suffix != ".safetensors" or output.is_dir():
        raise NandEdgeError(
            "--output", found=repr(str(output)), needed="a file named NAME.safetensors", do="choose such a name"
        )


def _report(trained: Trained, frames: TrainingFrames, output: Path) -> dict[str, Any]:
    record = trained.projections.training
    return {
        "file": str(output),
        "sha256": trained.projections.source.sha256,
        "clip": record.clip if record else None,
        "clip_sha256": record.clip_sha256 if record else None,
        "taps": record.taps if record else None,
        "image_size": record.image_size if record else None,
        "recipe": record.recipe if record else None,
        "data_set": frames.data_set,
        "frames": len(frames.frames),
        "frames_with_defects": frames.defects,
        "left_out": frames.left_out,
        "steps": trained.steps,
        "resumed_at": trained.resumed_at,
        "epoch_losses": [round(loss, 4) for loss in trained.epoch_losses],
        "seconds": round(trained.seconds, 1),
        "log": str(trained.folder / LOG),
        "chart": str(trained.folder / CHART),
    }


def _words(trained: Trained, frames: TrainingFrames, output: Path, encoder: str) -> str:
    went_on = f", from step {trained.resumed_at} on" if trained.resumed_at else ""
    losses = " -> ".join(f"{loss:.3f}" for loss in trained.epoch_losses)
    seen = f"{len(frames.frames)} frames, {frames.defects} of them with a defect"
    lines = [
        f"{output}: {seen}, {trained.steps} steps{went_on}, {trained.seconds:.0f} s",
        f"loss by epoch {losses}; {trained.folder / CHART}",
        *(f"left out: {reason}" for reason in frames.left_out),
        f"Check it on another data set: nand-edge evaluate OTHER --detector april-gan {encoder} --projection {output}",
    ]
    return "\n".join(lines)
