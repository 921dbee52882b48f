"""A drawn data set in MVTec AD's layout, and trainings on it that take seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from nand_edge.evaluation.layouts import open_dataset
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.training.frames import TrainingFrames, gather
from nand_edge_export.training.recipe import Recipe
from nand_edge_export.training.train import Trained, Trainer
from nand_tiny.scene import make_scene

SIDE = 96
SEED = 9


def draw_class(root: Path, first: int, count: int, size: int = SIDE) -> None:
    """Scenes as test frames of one class, each under its first defect's name; good frames to fit on are not needed."""
    for index in range(first, first + count):
        scene = make_scene(SEED, index, size=size)
        kind = next(iter(scene.masks), "good").replace(" ", "_")
        frames, masks = root / "test" / kind, root / "ground_truth" / kind
        frames.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(frames / f"{index:03}.png"), scene.image)
        if scene.masks:
            masks.mkdir(parents=True, exist_ok=True)
            covered = np.any(list(scene.masks.values()), axis=0)
            cv2.imwrite(str(masks / f"{index:03}_mask.png"), covered.astype(np.uint8) * 255)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two classes, 16 frames each; not to be changed."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_class(folder / "flat_part", 0, 16)
    draw_class(folder / "part", 16, 16)
    return folder


@pytest.fixture(scope="session")
def frames(drawn: Path) -> TrainingFrames:
    return gather(open_dataset(drawn))


@pytest.fixture(scope="session")
def more_frames(tmp_path_factory: pytest.TempPathFactory) -> TrainingFrames:
    """Enough to learn from: 48 frames of one class, 120 pixels a side."""
    folder = tmp_path_factory.mktemp("more") / "part"
    draw_class(folder, 0, 48, size=120)
    return gather(open_dataset(folder))


@pytest.fixture(scope="session")
def small_clip() -> Clip:
    """The embedded CLIP at the drawn frames' size."""
    return load_clip("nand-tiny", image_size=SIDE)


@pytest.fixture(scope="session")
def train(frames: TrainingFrames, small_clip: Clip) -> Callable[..., Trained]:
    """Train on the drawn frames: `train(output, epochs=2, ...)`."""

    def run(
        output: Path,
        *,
        clip: Clip = small_clip,
        frames: TrainingFrames = frames,
        steps: int | None = None,
        **recipe: object,
    ) -> Trained:
        trainer = Trainer(
            clip=clip,
            encoder=ClipEncoder(clip, projection="random"),
            frames=frames,
            recipe=replace(Recipe(), **recipe),  # type: ignore[arg-type]
            output=output,
            save_every=2,
        )
        return trainer.run(StopAfter(steps))

    return run


class StopAfter:
    """Progress of somebody who presses Ctrl-C after some steps; None never does."""

    def __init__(self, steps: int | None) -> None:
        self.steps = steps

    def __call__(self, stage: str, done: int, total: int) -> None:
        del total
        if stage == "training" and done == self.steps:
            raise KeyboardInterrupt
