"""The tables of the station's figures: of faults, and of load, endurance, page and switching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nand_benchmarks.line.trial import percentile
from nand_benchmarks.results import Table

_FAULT_COLUMNS = [
    "fault", "how", "times", "frames on record", "inspected", "passed without inspection", "lost or doubled",
    "outage p50", "back after: p50", "p99",
]  # fmt: skip
_LOAD_COLUMNS = ["", "asked for", "found"]


def fault_table(figures: Mapping[str, Mapping[str, Any]], where: str) -> Table:
    """The table of faults.

    Args:
        figures: By the fault's name.
        where: The machine in words.
    """
    rows = [_fault_row(figure) for figure in figures.values()]
    untold = sum(figure.get("untold", 0) for figure in figures.values())
    killed = (
        f" When the station itself was killed, {untold} verdicts on record were not told to the output any more: its "
        "sign of life had ended."
    )
    note = (
        "Each fault came at random moments while parts came. `passed without inspection`: passes, on record or at the "
        "output, of frames that were not inspected or of parts that must not pass. `lost or doubled`: parts that "
        "entered and are not on record exactly once, and verdicts that the output did not hear or heard in two ways. "
        "`back after`: from the outage's end to the first verdict heard of an inspected frame that came after it."
        f"{killed if untold else ''} {where}."
    )
    return {"columns": _FAULT_COLUMNS, "rows": rows, "note": note}


def _fault_row(figure: Mapping[str, Any]) -> list[str]:
    if "not_here" in figure:
        return [figure["title"], figure["how"], f"not here: {figure['not_here']}", *[""] * (len(_FAULT_COLUMNS) - 3)]
    outage = percentile(figure["outage_s"], 50)
    return [
        figure["title"],
        figure["how"],
        str(figure["times"]),
        f"{figure['frames']:,}",
        f"{figure['inspected']:,}",
        str(figure["passed_without_inspection"]),
        str(figure["lost"] + figure["doubled"]),
        _seconds(outage) if outage >= 0.005 else "none",
        _seconds(figure["recovery_p50_s"]),
        _seconds(figure["recovery_p99_s"]),
    ]


def load_table(figures: Mapping[str, Any], where: str) -> Table:
    """The table of everything that is no fault, as far as it was measured.

    Args:
        figures: All figures, by name.
        where: The machine in words.
    """
    makers = {
        "eight-sources": _eight_sources,
        "one-source": _one_source,
        "endurance": _endurance,
        "page-load": _page_load,
        "switching": _switching,
    }
    rows = [row for name, make in makers.items() if name in figures for row in make(figures[name])]
    rows += _stops([figure["stop_s"] for figure in figures.values() if "stop_s" in figure])
    return {"columns": _LOAD_COLUMNS, "rows": rows, "note": f"{where}."}


def _eight_sources(figure: Mapping[str, Any]) -> list[list[str]]:
    what = f"{figure['sources']} sources at {figure['per_second']:g} frames a second, 300 x 300"
    share = f"{figure['inspected_share']:.1%} of {figure['given']:,} frames"
    times = ", ".join(f"{name} {value:.0f} ms" for name, value in figure["total_ms"].items())
    return [
        [f"{what}: verdicts after their deadline of 100 ms that are no rejects", "0", str(figure["late"])],
        [f"{what}: inspected", "reported", f"{share}, frame to verdict {times}; {figure['engine']}"],
    ]


def _one_source(figure: Mapping[str, Any]) -> list[list[str]]:
    share = f"{figure['inspected_share']:.1%} inspected"
    return [
        [
            f"one source at {figure['per_second']:g} frames a second: frame to verdict, p99",
            "under 40 ms",
            f"{figure['total_ms']['p99']:.1f} ms, {share}; {figure['engine']}",
        ]
    ]


def _endurance(figure: Mapping[str, Any]) -> list[list[str]]:
    rate = figure["frames"] / figure["seconds"]
    what = f"{figure['frames']:,} frames at {rate:.0f} a second"
    held = _of_each(figure["resident_mb"], ".1f")
    files, most = _of_each(figure["files"]), _of_each(figure["most_files"])
    return [
        [
            f"{what}: memory of the last tenth less that of the first",
            "under 5 MB",
            f"{figure['most_growth_mb']:+.1f} MB ({held})",
        ],
        [
            f"{what}: open files, medians, likewise",
            "flat",
            f"{figure['more_files']:+d} ({files}); the most at once: {most}",
        ],
    ]


def _of_each(pairs: Mapping[str, Sequence[float]], form: str = "") -> str:
    """What each process held in the first and in the last tenth, in a format's notation."""
    return ", ".join(f"{name} {first:{form}} to {last:{form}}" for name, (first, last) in pairs.items())


def _page_load(figure: Mapping[str, Any]) -> list[list[str]]:
    every = f"{figure['every_s']:g}"
    return [
        [
            f"throughput that a page load costs with a second of its live pictures, once in {every} seconds",
            "at most 2 %",
            f"{_with_error(figure['share'])} ({figure['loads']} loads)",
        ],
        [
            f"the same, in the {figure['seconds']:g} seconds around the load alone",
            "reported",
            _with_error(figure["share_during"]),
        ],
        [
            "throughput that somebody costs who looks at the live pictures all the time",
            "reported",
            _with_error(figure["watching_share"]),
        ],
    ]


def _with_error(share: Sequence[float]) -> str:
    mean, error = share
    return f"{mean:.1%} ± {error:.1%}"


def _switching(figure: Mapping[str, Any]) -> list[list[str]]:
    return [
        [
            f"{figure['changes']} changes of normalities: frames after the answer that were judged by the old ones",
            "0",
            f"{figure['wrong']} of {figure['frames']:,}, answer after {figure['answer_ms']['p50']:.0f} ms",
        ]
    ]


def _stops(seconds: Sequence[float]) -> list[list[str]]:
    if not seconds:
        return []
    what = "SIGTERM to the end of the process, every verdict told and on record: the longest"
    return [[what, "under 1 s", f"{max(seconds):.2f} s (of {len(seconds)})"]]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
