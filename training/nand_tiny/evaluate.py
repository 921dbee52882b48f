"""What `nand-tiny` can tell apart: `python -m nand_tiny.evaluate RUN`, on surfaces and wordings that it never saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import roc_auc_score

from nand_edge.prompts import april_gan_normal, normality_prompts
from nand_tiny.batches import kind_masks, tokenise
from nand_tiny.defects import KINDS
from nand_tiny.losses import map_logits
from nand_tiny.model import NandTiny
from nand_tiny.scene import make_scene
from nand_tiny.surfaces import TEST_SURFACES
from nand_tiny.wordings import HELD_OUT_WORDINGS, with_article

SEED = 9_999_991
BATCH = 16


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    scenes: Annotated[int, typer.Option(help="How many pictures.")] = 320,
    output: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Measure the averaged weights of a checkpoint."""
    model, step = load(run)
    table = measure(model, scenes)
    table["step"] = step
    if output:
        output.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    show(table)


def load(run: Path) -> tuple[NandTiny, int]:
    """The averaged model of a run's checkpoint, and its step."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    model = NandTiny(state["average"]["clip.token_embedding.table"])
    model.load_state_dict(state["average"])
    return model.eval(), int(state["step"])


@torch.inference_mode()
def measure(model: NandTiny, scenes: int) -> dict[str, Any]:
    """Figures per kind and their means.

    `selectivity` is the question that suppression asks: over all defects in all pictures, how well does the mean
    probability inside a defect's mask tell defects of the named kind from defects of other kinds (AUROC). `inside` and
    `outside` are the mean probability inside masks of the kind, and of other kinds; `quiet` is the mean over pictures
    without the kind of the map's maximum, off all defects.
    """
    added, normal = text_features(model)
    rows: list[tuple[str, NDArray[np.float32], NDArray[np.float32]]] = []
    for start in track(range(0, scenes, BATCH), description="held-out scenes"):
        made = [make_scene(SEED, index, surfaces=TEST_SURFACES) for index in range(start, min(start + BATCH, scenes))]
        pictures = torch.stack([torch.from_numpy(scene.image).permute(2, 0, 1).float() / 127.5 - 1.0 for scene in made])
        masks = torch.stack([kind_masks(scene.masks) for scene in made])
        tokens, _ = model.encode_image(pictures)
        maps = torch.stack([map_logits(tap, added, normal, masks.shape[-1]).sigmoid() for tap in tokens]).mean(dim=0)
        clear = 1.0 - masks.amax(dim=1, keepdim=True)
        loudest = (maps * clear).amax(dim=(2, 3))
        for place in range(len(made)):
            for number, kind in enumerate(KINDS):
                mask = masks[place, number]
                if mask.sum() > 0:
                    inside = (maps[place] * mask).sum(dim=(1, 2)) / mask.sum()
                    rows.append((kind, inside.numpy(), loudest[place].numpy()))
    return _figures(rows)


def text_features(model: NandTiny) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit features of every kind by its held-out wordings, [kinds, D], and of the flawless object, [D]."""

    def mean(prompts: list[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(model.encode_text(tokenise(prompts)).mean(dim=0), dim=0)

    added = [
        mean(normality_prompts([f"object with {with_article(wording)}" for wording in HELD_OUT_WORDINGS[kind]]))
        for kind in KINDS
    ]
    return torch.stack(added), mean(april_gan_normal("object"))


def _figures(rows: list[tuple[str, NDArray[np.float32], NDArray[np.float32]]]) -> dict[str, Any]:
    kinds = {}
    for number, kind in enumerate(KINDS):
        own = np.array([row[0] == kind for row in rows])
        values = np.array([row[1][number] for row in rows])
        loud = np.array([row[2][number] for row in rows])
        if own.any() and not own.all():
            kinds[kind] = {
                "defects": int(own.sum()),
                "selectivity": round(float(roc_auc_score(own, values)), 3),
                "inside": round(float(values[own].mean()), 3),
                "outside": round(float(values[~own].mean()), 3),
                "quiet": round(float(loud[~own].mean()), 3),
            }
    mean = {
        name: round(float(np.mean([row[name] for row in kinds.values()])), 3)
        for name in ("selectivity", "inside", "outside", "quiet")
    }
    return {"mean": mean, "kinds": kinds}


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table("kind", "defects", "selectivity", "inside", "outside", "quiet")
    for kind, row in figures["kinds"].items():
        table.add_row(kind, *(str(value) for value in row.values()))
    table.add_row("mean", "", *(str(value) for value in figures["mean"].values()))
    Console().print(table)


if __name__ == "__main__":
    typer.run(evaluate)
