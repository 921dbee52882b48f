"""Measure whether a line can trust the station: faults, load, endurance, the price of a look at it, and switching.

Every fault is injected at random moments into a real station (`nand-edge serve`) on a line in small, while parts come.
Afterwards what was laid before the camera is compared with what is on record and with what the output heard. A part's
name, or the code in its picture, tells which verdict is right. The time to recover counts from the end of the outage to
the first verdict heard of an inspected frame that came after it.

Writes `station.json` with all figures and the table of faults, and `station-load.json` with the table of the rest. A
run that was stopped goes on where it was; `--only` measures anew what has this in its name. All of it takes about 40
minutes on 2 cores. The load needs the demo's bundle (`make demo`), of which it makes a copy with an int8 engine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from nand_benchmarks.line.bundle import line_bundle
from nand_benchmarks.line.endurance import run_endurance, write_pictures
from nand_benchmarks.line.faults import FAULTS, FaultNotHereError
from nand_benchmarks.line.load import mostly_good, run_load, with_int8
from nand_benchmarks.line.page_cost import run_page_cost
from nand_benchmarks.line.switching import run_switching
from nand_benchmarks.line.trial import run_trial
from nand_benchmarks.machine import in_words
from nand_benchmarks.results import Ledger, write_json
from nand_benchmarks.settings import Settings, parse, progress_bar
from nand_benchmarks.station_tables import fault_table, load_table
from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images

DEMO_BUNDLE = Path(__file__).resolve().parents[1] / "demo" / "solar-cell.nand"

Say = Callable[[int], None]


class Measurements:
    """Everything that is measured, by name.

    Args:
        settings: What the command line said.
        times: How often each fault is injected.
        demo: The demo's bundle.
        bundle: The line's bundle.
    """

    def __init__(self, settings: Settings, times: int, demo: Path, bundle: Path) -> None:
        self._quick, self._times, self._demo, self._bundle = settings.quick, times, demo, bundle

    def steps(self) -> dict[str, tuple[int, Callable[[Path, Say], dict[str, Any]]]]:
        """Each measurement's length in steps of its bar, and what measures it in a folder of its own."""
        faults = {name: (self._times, self._fault(name)) for name in FAULTS}
        return {
            **faults,
            "eight-sources": (1, lambda folder, say: self._load(folder, say, sources=8, per_second=30.0)),
            "one-source": (1, lambda folder, say: self._load(folder, say, sources=1, per_second=60.0)),
            "endurance": (self._frames, self._endurance),
            "page-load": (self._stretches, self._page_cost),
            "switching": (self._changes, self._switching),
        }

    @property
    def _frames(self) -> int:
        return 1_000 if self._quick else 200_000

    @property
    def _stretches(self) -> int:
        return 2 if self._quick else 150

    @property
    def _changes(self) -> int:
        return 5 if self._quick else 100

    def _fault(self, name: str) -> Callable[[Path, Say], dict[str, Any]]:
        def measure(folder: Path, say: Say) -> dict[str, Any]:
            about = {"title": FAULTS[name].title, "how": FAULTS[name].how}
            try:
                return {**about, **run_trial(name, self._bundle, folder, times=self._times, on_time=say).to_json()}
            except FaultNotHereError as error:
                return {**about, "not_here": str(error)}

        return measure

    def _load(self, folder: Path, say: Say, *, sources: int, per_second: float) -> dict[str, Any]:
        if self._quick:
            bundle, pictures, seconds = self._bundle, sorted(write_pictures(folder / "pictures").iterdir()), 3.0
        else:
            demo = self._demo.parent
            bundle, pictures, seconds = with_int8(_needed(self._demo), folder, demo / "good"), demo_pictures(demo), 60.0
        loaded = run_load(
            bundle,
            folder,
            pictures,
            sources=sources,
            per_second=per_second,
            seconds=seconds,
            engine={} if self._quick else {"target": "auto"},
        )
        say(1)
        return {"sources": sources, "per_second": per_second, **loaded.to_json()}

    def _endurance(self, folder: Path, say: Say) -> dict[str, Any]:
        return run_endurance(self._bundle, folder, frames=self._frames, per_second=400.0, on_frames=say).to_json()

    def _page_cost(self, folder: Path, say: Say) -> dict[str, Any]:
        cost = run_page_cost(self._bundle, folder, stretches=self._stretches, seconds=1.5, on_stretch=say)
        return cost.to_json()

    def _switching(self, folder: Path, say: Say) -> dict[str, Any]:
        return run_switching(self._bundle, folder, changes=self._changes, on_change=say).to_json()


def demo_pictures(demo: Path) -> list[Path]:
    """The demo's solar cells: nineteen of twenty are good ones."""
    return mostly_good(*(list_images(demo / name) for name in ("good", "cells")))


def _needed(bundle: Path) -> Path:
    if not bundle.is_dir():
        raise NandEdgeError(
            f"bundle {str(bundle)!r}",
            found="nothing",
            needed="the demo's bundle",
            do="run `make demo`, or give --bundle",
        )
    return bundle


def tables(figures: dict[str, Any], threads: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table of faults and that of the rest."""
    where = in_words(threads)
    return fault_table({name: figures[name] for name in FAULTS if name in figures}, where), load_table(figures, where)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results and print the tables."""
    own = argparse.ArgumentParser(add_help=False)
    own.add_argument("--times", type=int, default=None)
    own.add_argument("--bundle", type=Path, default=DEMO_BUNDLE)
    options, rest = own.parse_known_args(arguments)
    description = f"{__doc__}\n--times N injects each fault so often (20, or 1 with --quick); --bundle is the load's."
    settings = parse(description, rest)
    times = options.times or (1 if settings.quick else 20)

    def table(figures: dict[str, Any]) -> dict[str, Any]:
        return tables(figures, settings.threads)[0]

    with Ledger("station", settings, table) as ledger, progress_bar() as progress:
        task = progress.add_task("")
        bundle = line_bundle(settings.work, lambda what: progress.update(task, description=what))
        for name, (length, measure) in Measurements(settings, times, options.bundle, bundle).steps().items():
            if settings.wants(name) and name not in ledger:
                progress.reset(task, total=length, description=name)
                ledger.put(name, _measured(measure, progress, task))
    faults, rest_of_it = tables(ledger.figures, settings.threads)
    write_json(settings.output / "station-load.json", rest_of_it)
    for row in (*faults["rows"], *rest_of_it["rows"]):
        print("  ".join(row))


def _measured(measure: Callable[[Path, Say], dict[str, Any]], progress: Progress, task: TaskID) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="nand-edge-station-"))
    try:
        found = measure(folder, lambda done: progress.update(task, completed=done))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    # As it will be read again, when a run goes on where it was stopped.
    as_json: dict[str, Any] = json.loads(json.dumps(found))
    return as_json


if __name__ == "__main__":
    main()
