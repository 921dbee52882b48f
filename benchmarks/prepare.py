"""Export all bundles and build all engines that the benchmarks of speed measure, without measuring anything.

They are kept in the work folder, so that a run on a quiet machine afterwards only measures. What is there already and
made of the same sources is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence

import deadline
import growth
import latency
import peers
import speed
from nand_benchmarks.children import NotHereError
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.subjects import Subject, bundle_of
from nand_benchmarks.variants import REFERENCE, VARIANTS, Variant, build


def needed(settings: Settings) -> dict[Subject, tuple[Variant, ...]]:
    """Every subject with the engines that are measured of it."""
    matrix = latency.QUICK_SUBJECTS if settings.quick else latency.SUBJECTS
    wanted: list[tuple[Subject, tuple[Variant, ...]]] = [
        *speed.Speeds(settings, print).engines(),
        *((subject, VARIANTS) for subject in deadline.subjects(quick=settings.quick).values()),
        *((subject, VARIANTS) for subject in matrix),
        *((comparison.subject, comparison.variants) for comparison in peers.comparisons(settings)),
        *((subject, (REFERENCE,)) for subject in growth.subjects(settings)),
    ]
    # The same subject has other names in other tables; it is its bundle that counts.
    subjects = {subject.key: subject for subject, _ in wanted}
    return {
        subject: tuple(variant for variant in VARIANTS if any(one.key == key and variant in of for one, of in wanted))
        for key, subject in subjects.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what is missing, and say what cannot be made here."""
    settings = parse(__doc__, arguments)
    with progress_bar() as progress:
        work = [(subject, variant) for subject, variants in needed(settings).items() for variant in variants]
        task = progress.add_task("", total=len(work))

        def say(what: str) -> None:
            progress.update(task, description=what)

        for subject, variant in work:
            bundle = bundle_of(subject, settings.work, say)
            try:
                build(bundle, variant, say)
            except NotHereError as error:
                progress.console.print(f"{subject.name}, {variant}: {error}")
            progress.advance(task)


if __name__ == "__main__":
    main()
