"""Measure how late a verdict can be: frame to verdict, every frame through CLIP, with nothing else running.

A PLC waits 15 ms, whatever the median is. Every engine of a bundle judges a few hundred frames, and the one with the
best tail judges the rest, in a process of its own. The figures are absolute: they hold for the machine in the note.

Writes `deadline.json`; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from nand_benchmarks.children import NotHereError, Work
from nand_benchmarks.results import Ledger
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import INPUT_SIZE, PATCHCORE, TINY, Subject, bundle_of
from nand_benchmarks.targets import DEADLINES, EMBEDDED_P99, SHARED_P99, table
from nand_benchmarks.variants import VARIANTS, build
from nand_edge_runtime.latency import Latency
from peers import ours

_OPEN: Work = {"gate": "open"}


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
        `reached`: the 99th percentile in milliseconds; `note`; `ms`: all percentiles; `tried`: those of every engine.
    """
    bundle = bundle_of(subject, settings.work, say)
    frames = 50 if settings.quick else 10_000
    tried: dict[str, Latency] = {}
    for variant in VARIANTS:
        with contextlib.suppress(NotHereError):
            build(bundle, variant, say)
            say(f"{frames // 20:,} frames in {variant}")
            with ours(bundle, variant, settings) as child:
                tried[str(variant)] = Latency(tuple(child.time(_OPEN, max(frames // 20, 5), discard=10)))
    best = min(tried, key=lambda name: tried[name].percentile(95))
    (variant,) = (variant for variant in VARIANTS if str(variant) == best)
    say(f"{frames:,} frames in {best}")
    with ours(bundle, variant, settings) as child:
        latency = Latency(tuple(child.time(_OPEN, frames, discard=50)))
    return {
        "reached": latency.percentile(99),
        "note": f"{best}: p50 {latency.p50:.1f} ms, p99.9 {latency.percentile(99.9):.1f} ms, {frames:,} frames",
        "ms": {best: latency.to_json()},
        "tried": {name: time.to_json() for name, time in tried.items()},
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
