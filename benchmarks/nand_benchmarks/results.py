"""Results as JSON: kept after every measurement, taken up again where a run was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nand_benchmarks.machine import machine
from nand_benchmarks.settings import Settings
from nand_benchmarks.sources import sources_digest
from nand_edge.files import whole_file

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Table = dict[str, Any]
"""`columns`, `rows` and a `note`: what `benchmarks/readme.py` puts into a document."""


class Ledger:
    """The figures of one script, by name.

    A run begins with nothing, apart from what an interrupted run of the same sources left in the work folder. At its
    end the results are written; with `--only` the results that are there already stay beside the new ones.

    Args:
        name: Of the results: NAME.json.
        settings: What the command line said.
        table: Makes the table of all figures.
    """

    def __init__(self, name: str, settings: Settings, table: Callable[[dict[str, Any]], Table]) -> None:
        self._path, self._table = settings.output / f"{name}.json", table
        self._unfinished = settings.work / f"{name}.unfinished.json"
        self._conditions = {
            "machine": machine(),
            "settings": {"threads": settings.threads, "quick": settings.quick},
        }
        self._sources = {"sources": sources_digest("nand_edge", "export", "runtime", "benchmarks")}
        unfinished = {} if settings.again else self._earlier(self._unfinished, {**self._conditions, **self._sources})
        self._measured: set[str] = set(unfinished)
        kept = self._earlier(self._path, self._conditions) if settings.only else {}
        self.figures: dict[str, Any] = {**kept, **unfinished}

    def __contains__(self, name: str) -> bool:
        return name in self._measured

    def put(self, name: str, figure: Any) -> None:
        """Keep a figure, so that an interrupted run can go on."""
        self.figures[name] = figure
        self._measured.add(name)
        measured = {known: self.figures[known] for known in self.figures if known in self._measured}
        write_json(self._unfinished, {**self._conditions, **self._sources, "figures": measured})

    def __enter__(self) -> Self:
        """Give the ledger itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the results: the table for documents, all figures, the machine and the settings."""
        write_json(self._path, {**self._table(self.figures), "figures": self.figures, **self._conditions})
        if error is None:
            self._unfinished.unlink(missing_ok=True)

    @staticmethod
    def _earlier(path: Path, conditions: dict[str, Any]) -> dict[str, Any]:
        """Figures of an earlier run under the same conditions."""
        if not path.is_file():
            return {}
        earlier = json.loads(path.read_text(encoding="utf-8"))
        same = all(earlier.get(name) == value for name, value in conditions.items())
        figures: dict[str, Any] = earlier.get("figures", {}) if same else {}
        return figures


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a result, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def milliseconds(value: float) -> str:
    """A time for a table, with three figures that count: "0.42 ms", "12.3 ms", "804 ms"."""
    places = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{places}f} ms"
