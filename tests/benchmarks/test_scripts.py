"""Each script really run, with small subjects and few repetitions: its figures mean nothing, its tables are whole."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from nand_benchmarks.settings import parse

pytestmark = [pytest.mark.torch, pytest.mark.benchmark]
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for the bundles of all scripts."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def run(work: Path, tmp_path: Path) -> Run:
    """From a script's name and more arguments to the JSON that it wrote."""

    def runs(name: str, *more: str) -> dict[str, Any]:
        script = importlib.import_module(name)
        script.main(["--quick", "--threads", "1", "--output", str(tmp_path), "--work", str(work), *more])
        document: dict[str, Any] = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        return document

    return runs


def test_the_latency_matrix_has_all_shares_of_suspicious_frames(run: Run, tmp_path: Path) -> None:
    document = run("latency", "--only", "onnx fp32")
    (row,) = document["rows"]
    assert len(row) == len(document["columns"])
    cells = document["figures"]["PatchCore, 200 patches, with nand-tiny|onnx fp32"]
    assert set(cells) == {"1", "4"}
    shares = cells["1"]["shares"]
    assert set(shares) == {"0", "1", "10", "100"}
    assert shares["0"]["mean_ms"] < shares["10"]["mean_ms"] < shares["100"]["mean_ms"]
    assert document["figures"]["first verdict"]["seconds"] > 0
    assert len(json.loads((tmp_path / "latency-matrix.json").read_text(encoding="utf-8"))["rows"]) == 8
    assert "<svg" in (tmp_path / "latency.svg").read_text(encoding="utf-8")


def test_the_deadline_is_held_against_the_tail_of_the_engine_with_the_best_one(run: Run) -> None:
    document = run("deadline", "--only", "embedded")
    (row,) = document["rows"]
    assert len(row) == len(document["columns"])
    figure = document["figures"]["embedded-p99"]
    assert figure["reached"] > 0
    assert set(figure["ms"]) <= set(figure["tried"])


def test_growth_gets_an_exponent_with_its_interval(run: Run, tmp_path: Path) -> None:
    document = run("growth", "--only", "batch")
    found = document["figures"]["batch"]
    assert found["interval"][0] <= found["exponent"] <= found["interval"][1]
    assert found["ms"][-1] > found["ms"][0]
    assert "<svg" in (tmp_path / "growth.svg").read_text(encoding="utf-8")


def test_speeds_say_what_is_asked_and_what_was_reached(run: Run) -> None:
    assert "at most 10 ms" in run("speed", "--only", "normalities")["rows"][0]
    document = run("speed", "--only", "gate")
    assert document["figures"]["gate"]["reached"] > 0
    assert [row[2] for row in document["rows"]] == ["at most 1.08 of it", "at most 10 ms"]


def test_changing_normalities_loses_no_frame_and_makes_no_session(run: Run) -> None:
    note = run("speed", "--only", "normalities")["figures"]["normalities"]["note"]
    assert note.endswith("0 new sessions, 0 lost frames")


def test_peers_compute_the_same_map_and_one_that_is_missing_is_named(work: Path, tmp_path: Path) -> None:
    import peers
    from nand_benchmarks.subjects import APRIL_GAN, Subject
    from nand_benchmarks.variants import REFERENCE

    settings = parse("", ["--quick", "--threads", "1", "--output", str(tmp_path), "--work", str(work)])
    comparison = peers.Comparison(
        Subject("APRIL-GAN", APRIL_GAN),
        peers.EAGER,
        (peers.EAGER, peers.UNFUSED, "anomalib of nowhere"),
        "open",
        (REFERENCE,),
    )
    found = peers.measure(comparison, settings, lambda _: None)
    assert {peers.EAGER, peers.UNFUSED, "one graph, onnx fp32"} <= set(found["sides"])
    assert found["map_errors"]["one graph, onnx fp32"] < 1e-2
    assert "anomalib of nowhere" in found["absent"]
    rows = peers.table({"APRIL-GAN": {"against": peers.EAGER, **found}}, 1)["rows"]
    assert rows[-1][2].startswith("not here: ")
