from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge_runtime import Inspector
from nand_edge_runtime.benchmark import BenchmarkOptions, run_benchmark
from nand_edge_runtime.latency import Latency, measure, measure_alternating, peak_memory_mib
from nand_edge_runtime.latency_chart import latency_svg, write_latency_chart


def test_percentiles_of_known_times() -> None:
    latency = Latency(tuple(float(value) for value in range(1, 102)))
    assert latency.p50 == latency.mean == 51
    assert latency.percentile(90) == 91
    assert latency.to_json() == {"repeats": 101, "mean": 51, "p50": 51, "p90": 91, "p99": 100, "min": 1, "max": 101}


def test_measuring_counts_only_the_repeats() -> None:
    calls = []
    latency = measure(lambda: calls.append(time.sleep(0.002)), warmup=2, repeats=3)
    assert len(calls) == 5
    assert len(latency.milliseconds) == 3
    assert latency.p50 >= 2


def test_calls_are_measured_by_turns() -> None:
    order: list[str] = []
    measure_alternating([lambda: order.append("a"), lambda: order.append("b")], warmup=1, repeats=2)
    assert order == ["a", "b"] * 3


def test_a_benchmark_tells_stages_rate_and_memory(inspector: Inspector) -> None:
    result = run_benchmark(inspector, BenchmarkOptions(frames=20, height=30, width=40, reject_rate=0.25, warmup=2))
    document = result.to_json()
    assert document["clip_share"] == 0.25
    assert document["latency_ms"]["total"]["repeats"] == 20
    assert document["frames_per_second"] > 0
    assert document["peak_memory_mib"] is None or document["peak_memory_mib"] > 10
    assert document["target"] == "onnx"
    assert inspector.threshold == 0.5, "put back after the measurement"


def test_a_benchmark_of_batches_counts_every_frame(inspector: Inspector) -> None:
    result = run_benchmark(inspector, BenchmarkOptions(frames=5, height=30, width=40, batch=4, warmup=1))
    assert result.frames_per_second == pytest.approx(4e3 / result.stages["total"].mean)
    assert result.clip_share == 1


@pytest.mark.parametrize(("rate", "frames", "expected"), [(0.0, 50, 0), (0.01, 100, 1), (0.5, 11, 5), (1.0, 7, 7)])
def test_rejects_come_at_the_rate_asked_for(inspector: Inspector, rate: float, frames: int, expected: int) -> None:
    options = BenchmarkOptions(frames=frames, height=8, width=8, reject_rate=rate, warmup=0)
    assert round(run_benchmark(inspector, options).clip_share * frames) == expected


def test_an_option_out_of_range_is_named(inspector: Inspector) -> None:
    with pytest.raises(NandEdgeError, match=r"reject rate of the benchmark: found 1.5, needed 0.0 to 1.0"):
        run_benchmark(inspector, BenchmarkOptions(reject_rate=1.5))


def test_peak_memory_is_that_of_this_process() -> None:
    memory = peak_memory_mib()
    assert memory is None or 20 < memory < 100_000


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=50))
def test_a_chart_is_well_formed_whatever_the_times(times: list[float]) -> None:
    root = ET.fromstring(latency_svg(Latency(tuple(times)), "A & B <c>", "sub"))  # noqa: S314 - our own text
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "A & B <c>"
    assert any(word is not None and word.startswith("p99") for word in words)


def test_a_chart_is_written_whole(tmp_path: Path) -> None:
    write_latency_chart(Latency((1.0, 2.0)), "title", "subtitle", tmp_path / "chart.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["chart.svg"]
