"""Switching normalities while parts come: the first part after the answer is judged by the new words."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_benchmarks.line.bundle import NORMALITIES
from nand_benchmarks.line.line import Line, Plan
from nand_benchmarks.line.parts import THRESHOLD
from nand_benchmarks.line.trial import percentile

_SETS: tuple[list[str], ...] = ([NORMALITIES[0]], [NORMALITIES[1]], list(NORMALITIES), [])


@dataclass(frozen=True)
class Switched:
    """What came of it.

    Attributes:
        changes: How often what is in force was changed.
        frames: Frames that came between an answer and the next change, and could be judged by one set alone.
        wrong: How many of them were judged by another.
        answer_ms: Until the page had its answer, the median and the longest.
    """

    changes: int
    frames: int
    wrong: int
    answer_ms: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The figures for the results."""
        return dict(vars(self))


def run_switching(
    bundle: Path, folder: Path, *, changes: int, on_change: Callable[[int], None] = lambda _: None
) -> Switched:
    """Change what is in force over the live page's way in, so many times.

    Args:
        bundle: The line's.
        folder: An empty folder.
        changes: How often.
        on_change: Told how often so far.
    """
    chance = random.Random(0)  # noqa: S311 - moments, not a secret
    in_force: list[tuple[float, float, list[str]]] = []
    times = []
    with Line(folder, bundle, Plan(per_second=40)) as line:
        page = line.sign_in()
        for number in range(changes):
            words = _SETS[number % len(_SETS)]
            asked = time.monotonic()
            page.put_in_force(words, THRESHOLD)
            answered = time.monotonic()
            times.append((answered - asked) * 1e3)
            time.sleep(chance.uniform(0.05, 0.3))
            in_force.append((answered, time.monotonic(), words))
            on_change(number + 1)
        evidence = line.finish()
    heard = {receipt.key: receipt.at for receipt in evidence.receipts}
    frames = wrong = 0
    for record in evidence.records:
        laid = evidence.laid.get(record.key)
        if laid is None or record.reason != "inspected":
            continue
        for answered, until, words in in_force:
            if answered <= laid.at and heard.get(record.key, until) < until:
                frames += 1
                wrong += json.loads(record.normalities) != words
    longest = {"p50": round(percentile(times, 50), 1), "longest": round(max(times), 1)}
    return Switched(changes, frames, wrong, longest)
