from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from nand_benchmarks.results import Ledger, milliseconds
from nand_benchmarks.settings import Settings, parse


def settings(folder: Path, *more: str) -> Settings:
    return parse("", ["--output", str(folder / "results"), "--work", str(folder / "work"), "--threads", "1", *more])


def table(figures: dict[str, Any]) -> dict[str, Any]:
    return {"columns": ["name", "value"], "rows": [[name, str(value)] for name, value in figures.items()], "note": ""}


def written(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "results" / "speed.json").read_text(encoding="utf-8"))
    return document


def stop_after_a(folder: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), Ledger("speed", settings(folder), table) as ledger:
        ledger.put("a", 1)
        raise KeyboardInterrupt


def test_results_have_the_table_the_figures_and_the_machine(tmp_path: Path) -> None:
    with Ledger("speed", settings(tmp_path), table) as ledger:
        ledger.put("a", 1.5)
    found = written(tmp_path)
    assert found["rows"] == [["a", "1.5"]]
    assert found["figures"] == {"a": 1.5}
    assert found["machine"]["cores"] >= 1
    assert found["settings"] == {"threads": 1, "quick": False}


def test_a_run_that_was_stopped_goes_on_and_a_finished_one_begins_again(tmp_path: Path) -> None:
    stop_after_a(tmp_path)
    with Ledger("speed", settings(tmp_path), table) as ledger:
        assert "a" in ledger
        ledger.put("b", 2)
    assert written(tmp_path)["figures"] == {"a": 1, "b": 2}
    with Ledger("speed", settings(tmp_path), table) as ledger:
        assert "a" not in ledger


def test_again_forgets_what_a_stopped_run_measured(tmp_path: Path) -> None:
    stop_after_a(tmp_path)
    with Ledger("speed", settings(tmp_path, "--again"), table) as ledger:
        assert "a" not in ledger


def test_only_keeps_the_other_results(tmp_path: Path) -> None:
    with Ledger("speed", settings(tmp_path), table) as ledger:
        ledger.put("a", 1)
        ledger.put("b", 2)
    with Ledger("speed", settings(tmp_path, "--only", "b"), table) as ledger:
        assert "b" not in ledger, "it is to be measured again"
        ledger.put("b", 3)
    assert written(tmp_path)["figures"] == {"a": 1, "b": 3}


def test_figures_of_other_settings_are_not_taken_over(tmp_path: Path) -> None:
    with Ledger("speed", settings(tmp_path, "--quick"), table) as ledger:
        ledger.put("a", 1)
    with Ledger("speed", settings(tmp_path, "--only", "b"), table) as ledger:
        ledger.put("b", 3)
    assert written(tmp_path)["figures"] == {"b": 3}


@pytest.mark.parametrize(("value", "said"), [(0.421, "0.42 ms"), (12.34, "12.3 ms"), (804.2, "804 ms")])
def test_times_have_three_figures_that_count(value: float, said: str) -> None:
    assert milliseconds(value) == said
