"""Measuring: how long a call takes, in percentiles, and how much memory the process took at most."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Latency:
    """Times of one repeated call.

    Attributes:
        milliseconds: One time a repetition, in the order of measuring.
    """

    milliseconds: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """The time that `percent` of the repetitions stayed below, milliseconds."""
        return float(np.percentile(self.milliseconds, percent))

    @property
    def mean(self) -> float:
        """Mean time, milliseconds."""
        return float(np.mean(self.milliseconds))

    @property
    def p50(self) -> float:
        """Median, milliseconds."""
        return self.percentile(50)

    def to_json(self) -> dict[str, float]:
        """Repetitions, mean, p50, p90, p99, minimum and maximum, milliseconds."""
        figures = {
            "mean": self.mean,
            "p50": self.p50,
            "p90": self.percentile(90),
            "p99": self.percentile(99),
            "min": min(self.milliseconds),
            "max": max(self.milliseconds),
        }
        return {"repeats": len(self.milliseconds), **{name: round(value, 3) for name, value in figures.items()}}


def measure(call: Callable[[], Any], *, warmup: int = 10, repeats: int = 100) -> Latency:
    """Time a call.

    Args:
        call: What to time.
        warmup: Calls beforehand that do not count.
        repeats: Calls that count.
    """
    return measure_alternating([call], warmup=warmup, repeats=repeats)[0]


def measure_alternating(
    calls: Sequence[Callable[[], Any]],
    *,
    warmup: int = 10,
    repeats: int = 100,
    after_each: Callable[[], None] | None = None,
) -> list[Latency]:
    """Time several calls by turns, so that what else the machine does hits all of them alike.

    Args:
        calls: What to compare.
        warmup: Calls of each beforehand that do not count.
        repeats: Calls of each that count.
        after_each: Called after each repetition of one call, such as a progress bar's step.

    Returns:
        One latency for each of `calls`.
    """
    for _ in range(warmup):
        for call in calls:
            call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, own in zip(calls, times, strict=True):
            started = time.perf_counter()
            call()
            own.append((time.perf_counter() - started) * 1e3)
            if after_each is not None:
                after_each()
    return [Latency(tuple(own)) for own in times]


def peak_memory_mib() -> float | None:
    """Most memory that this process held at once, MiB; None on systems that do not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux its maximum begins with that of the process that started this one.
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    return None
