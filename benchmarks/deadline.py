"""Measure how late a verdict can be: frame to verdict, every frame through CLIP, with nothing else running.

A PLC waits 15 ms, whatever the median is. The engines of a bundle judge a few hundred frames by turns, and the one with
the best tail judges the rest, in a process of its own. The figures are absolute: they hold for the machine in the note.
A virtual one may change its pace from minute to minute; so the tails of parts of the run are told beside that of all.

Writes `deadline.json`; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nand_benchmarks.children import NotHereError, Work, by_turns
from nand_benchmarks.results import Ledger
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import INPUT_SIZE, PATCHCORE, TINY, Subject, bundle_of
from nand_benchmarks.targets import DEADLINES, EMBEDDED_P99, SHARED_P99, table
from nand_benchmarks.variants import VARIANTS, build
from nand_edge_runtime.latency import Latency
from peers import ours

_OPEN: Work = {"gate": "open"}
_TURNS, _BURST = 20, 25
"""How often each engine's turn comes while one is chosen, and frames of a turn."""
_PARTS = 20
"""Of the run, one after another."""


def subjects(*, quick: bool) -> dict[str, Subject]:
    """What is measured, by its target's key."""
    patches = 200 if quick else 8000
    return {
        EMBEDDED_P99.key: Subject("PatchCore, embedded", PATCHCORE, memory_patches=patches),
        SHARED_P99.key: Subject("PatchCore on nand-tiny's trunk", PATCHCORE, TINY, INPUT_SIZE, patches, TINY),
    }


def measured(subject: Subject, settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """The tail of a bundle in its best engine.

    Returns:
        `reached`: the 99th percentile in milliseconds; `note`; `ms`: all percentiles; `p99_of_parts_ms`; `tried`: the
        percentiles of every engine.
    """
    bundle = bundle_of(subject, settings.work, say)
    frames = 50 if settings.quick else 10_000
    turns, burst = (1, 5) if settings.quick else (_TURNS, _BURST)
    with contextlib.ExitStack() as stack:
        sides = {}
        for variant in VARIANTS:
            with contextlib.suppress(NotHereError):
                build(bundle, variant, say)
                sides[variant] = stack.enter_context(ours(bundle, variant, settings)), _OPEN
        say(f"{turns * burst} frames in each of {len(sides)} engines by turns")
        times = by_turns(list(sides.values()), turns=turns, burst=burst)
    tried = dict(zip(sides, times, strict=True))
    best = min(tried, key=lambda variant: tried[variant].percentile(95))
    say(f"{frames:,} frames in {best}")
    with ours(bundle, best, settings) as child:
        latency = Latency(tuple(child.time(_OPEN, frames, discard=50)))
    parts = [float(np.percentile(part, 99)) for part in np.array_split(latency.milliseconds, _PARTS)]
    return {
        "reached": latency.percentile(99),
        "note": (
            f"{best}: p50 {latency.p50:.1f} ms, p99.9 {latency.percentile(99.9):.1f} ms, {frames:,} frames; "
            f"p99 of each of {_PARTS} parts of them {min(parts):.1f} to {max(parts):.1f} ms"
        ),
        "ms": {str(best): latency.to_json()},
        "p99_of_parts_ms": [round(part, 3) for part in parts],
        "tried": {str(variant): time.to_json() for variant, time in tried.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is not yet measured, write the results and print the table."""
    settings = parse(__doc__, arguments)

    def made(figures: dict[str, Any]) -> dict[str, Any]:
        return table(figures, settings.threads, DEADLINES)

    with Ledger("deadline", settings, made) as ledger, progress_bar() as progress:
        wanted = {key: subject for key, subject in subjects(quick=settings.quick).items() if settings.wants(key)}
        task = progress.add_task("", total=len(wanted))
        for key, subject in wanted.items():
            if key not in ledger:
                ledger.put(key, measured(subject, settings, lambda what: progress.update(task, description=what)))
            progress.advance(task)
    for row in made(ledger.figures)["rows"]:
        print("  ".join(row))


if __name__ == "__main__":
    main()
