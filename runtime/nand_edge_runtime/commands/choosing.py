"""`--target auto` on the command line: what is measured, what was chosen and what was passed over, on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from nand_edge_runtime.backends.protocol import FP32
from nand_edge_runtime.choosing import AUTO, USUAL_LOSS, USUAL_REJECT_RATE, Automatic, Candidate, Choice

TARGET_HELP = "onnx, openvino, tensorrt, tensorrt-rtx, or auto: measure them here and take the fastest."

MaxLoss = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="For --target auto: most AUROC to lose and share of verdicts to change for a lower precision.",
    ),
]
RejectRate = Annotated[
    float, typer.Option(min=0, max=1, help="For --target auto: expected share of frames over the threshold.")
]

__all__ = ["TARGET_HELP", "USUAL_LOSS", "USUAL_REJECT_RATE", "MaxLoss", "RejectRate", "choosing"]


@contextmanager
def choosing(
    target: str | None,
    precision: str | None = None,
    *,
    reject_rate: float = USUAL_REJECT_RATE,
    max_loss: float = USUAL_LOSS,
    frame_size: tuple[int, int] | None = None,
    batch: int = 1,
    again: bool = False,
) -> Iterator[str | Automatic | None]:
    """Give what an inspector takes as its target; for `auto`, the choice is shown while and after it is made.

    Args:
        target: What the user gave.
        precision: The one that the user asked for; fp32, the default, leaves the choice open.
        reject_rate: See `Automatic`.
        max_loss: See `Automatic`.
        frame_size: See `Automatic`.
        batch: See `Automatic`.
        again: See `Automatic`.
    """
    if target != AUTO:
        yield target
        return
    console = Console(stderr=True)
    status = console.status("choosing an engine")
    try:
        yield Automatic(
            reject_rate=reject_rate,
            max_loss=max_loss,
            precision=None if precision == FP32 else precision,
            frame_size=frame_size,
            batch=batch,
            again=again,
            on_trial=lambda candidate, number, count: _show_trial(console, status, candidate, number, count),
            on_choice=lambda choice: _show_choice(console, status, choice),
        )
    finally:
        if console.is_terminal:
            status.stop()


def _show_trial(console: Console, status: Status, candidate: Candidate, number: int, count: int) -> None:
    words = f"measuring {candidate.name} ({number} of {count})"
    if console.is_terminal:
        status.update(words)
        status.start()
    else:
        _say(console, words)


def _show_choice(console: Console, status: Status, choice: Choice) -> None:
    if console.is_terminal:
        status.stop()
    if not choice.ranked:
        return  # the error that follows has all reasons
    for trial in choice.passed_over:
        _say(console, f"target auto passes over {trial.candidate.name}: {trial.reason}")
    costs = ", ".join(f"{trial.candidate.name} {choice.cost_ms(trial):.1f} ms" for trial in choice.ranked)
    share = f"{choice.reject_rate:.0%} of the frames in the CLIP branch"
    _say(console, f"target auto takes {choice.ranked[0].candidate.name} (with {share}: {costs}; {choice.origin})")


def _say(console: Console, words: str) -> None:
    console.print(words, markup=False, highlight=False, soft_wrap=True)
