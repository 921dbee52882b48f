"""What `nand-tiny` can tell apart: `python -m nand_tiny.evaluate RUN`, on surfaces and wordings that it never saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

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
from nand_tiny.model import TAPS, NandTiny
from nand_tiny.scene import make_scene
from nand_tiny.surfaces import TEST_SURFACES
from nand_tiny.wordings import HELD_OUT_WORDINGS, with_article

SEED = 9_999_991
BATCH = 16
MASK_MARGIN = 4


class Figures(NamedTuple):
    """What was measured of one kind; see `measure`."""

    kind: str
    defects: int
    selectivity: float
    inside: float
    others: float
    clear: float


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    *,
    scenes: Annotated[int, typer.Option(help="How many pictures.")] = 640,
    taps: Annotated[str, typer.Option(help="Stages that the maps are averaged over.")] = "4,5",
    output: Annotated[
        Path | None, typer.Option("--json", help="Also write the table here, for the model card.")
    ] = None,
) -> None:
    """Measure the averaged weights of a checkpoint."""
    model, step = load(run)
    chosen = parse_taps(taps)
    table = as_table(measure(model, scenes, chosen), f"Step {step}, stages {taps}, {scenes} scenes.")
    if output:
        output.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    shown = Table(*table["columns"])
    for row in table["rows"]:
        shown.add_row(*row)
    Console().print(shown, table["note"])


def parse_taps(taps: str) -> tuple[int, ...]:
    """Places among the model's taps of stages such as "4,5"."""
    return tuple(TAPS.index(int(tap)) for tap in taps.split(","))


def load(run: Path) -> tuple[NandTiny, int]:
    """The averaged model of a run's checkpoint, and its step."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    model = NandTiny(state["average"]["clip.token_embedding.table"])
    model.load_state_dict(state["average"])
    return model.eval(), int(state["step"])


@torch.inference_mode()
def measure(model: NandTiny, scenes: int, taps: Sequence[int]) -> list[Figures]:
    """Figures of every kind, and last their means.

    `selectivity` is the question that suppression asks: over all defects in all pictures, how well does the mean
    probability inside a defect's mask tell defects of the named kind from defects of other kinds (AUROC). `inside` and
    `others` are the mean probability inside masks of the kind, and of other kinds; `clear` is the mean over pictures
    without the kind of the map's maximum off all defects: what a good surface risks.
    """
    added, normal = text_features(model)
    rows: list[tuple[str, NDArray[np.float32], NDArray[np.float32]]] = []
    for start in track(range(0, scenes, BATCH), description="held-out scenes"):
        made = [make_scene(SEED, index, surfaces=TEST_SURFACES) for index in range(start, min(start + BATCH, scenes))]
        pictures = torch.stack([torch.from_numpy(scene.image).permute(2, 0, 1).float() / 127.5 - 1.0 for scene in made])
        masks = torch.stack([kind_masks(scene.masks, MASK_MARGIN) for scene in made])
        tokens, _ = model.encode_image(pictures)
        logits = [map_logits(tokens[tap], added, normal, masks.shape[-1]) for tap in taps]
        maps = torch.stack(logits).sigmoid().mean(dim=0)
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


def _figures(rows: list[tuple[str, NDArray[np.float32], NDArray[np.float32]]]) -> list[Figures]:
    figures = []
    for number, kind in enumerate(KINDS):
        own = np.array([row[0] == kind for row in rows])
        values = np.array([row[1][number] for row in rows])
        loud = np.array([row[2][number] for row in rows])
        if own.any() and not own.all():
            selectivity = float(roc_auc_score(own, values))
            inside, others, clear = values[own].mean(), values[~own].mean(), loud[~own].mean()
            figures.append(Figures(kind, int(own.sum()), selectivity, float(inside), float(others), float(clear)))
    return [
        *figures,
        Figures("all", len(rows), *(float(np.mean(column)) for column in list(zip(*figures, strict=True))[2:])),
    ]


def as_table(figures: Sequence[Figures], note: str) -> dict[str, Any]:
    """The figures as rows of text."""
    rows = [[row.kind, str(row.defects), *(f"{value:.3f}" for value in row[2:])] for row in figures]
    return {"columns": list(Figures._fields), "rows": rows, "note": note}


if __name__ == "__main__":
    typer.run(evaluate)
