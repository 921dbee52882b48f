"""The official recipe's numbers, and what of them depends on the data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nand_edge.errors import NandEdgeError

MVTEC_EPOCHS, VISA_EPOCHS = 3, 15
MVTEC_MOSAICS = 0.2


@dataclass(frozen=True)
class Recipe:
    """How projections are trained; the defaults are those of APRIL-GAN's official release for MVTec AD.

    Attributes:
        epochs: How often every frame is seen.
        batch: Frames a step.
        learning_rate: Of Adam, constant.
        betas: Of Adam.
        mosaics: Share of frames in whose place four frames of the class are shown as 2 x 2, in [0, 1].
        logit_scale: Factor of the cosine.
        seed: Of the first weights, the order and the mosaics.
    """

    epochs: int = MVTEC_EPOCHS
    batch: int = 8
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    mosaics: float = MVTEC_MOSAICS
    logit_scale: float = 100.0
    seed: int = 111

    def __post_init__(self) -> None:
        for name, value, right, needed in (
            ("epochs", self.epochs, self.epochs >= 1, "1 or more"),
            ("batch", self.batch, self.batch >= 1, "1 or more"),
            ("learning-rate", self.learning_rate, 0.0 < self.learning_rate < 1.0, "a number between 0 and 1"),
            ("mosaics", self.mosaics, 0.0 <= self.mosaics <= 1.0, "a share from 0 to 1"),
            ("logit-scale", self.logit_scale, 0.0 < self.logit_scale <= 1000.0, "a number from 0 to 1000"),
        ):
            if not right:
                raise NandEdgeError(f"--{name}", found=str(value), needed=needed, do="correct it")

    def to_json(self) -> dict[str, Any]:
        """All of it, for a file's metadata."""
        return asdict(self)


def recipe_for(layout: str) -> Recipe:
    """The official numbers for a data set in VisA's layout (`visa`), or in MVTec AD's."""
    return Recipe(epochs=VISA_EPOCHS, mosaics=0.0) if layout == "visa" else Recipe()
