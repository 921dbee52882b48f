"""What happens in a station is counted, and read back as Prometheus reads it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from nand_edge.inspection import Verdict
from nand_edge_runtime.observability import StationMetrics, metrics_of
from nand_edge_runtime.observability.parts import FIGURES
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Changed, Decided, Dropped, Entered
from nand_edge_runtime.station.records import Reason
from nand_edge_runtime.station.states import StationState

pytestmark = pytest.mark.station

DASHBOARD = Path(__file__).parents[3] / "deploy/grafana-dashboard.json"
ALERTS = Path(__file__).parents[3] / "deploy/prometheus-alerts.yaml"
DOCUMENT = Path(__file__).parents[3] / "docs/watching.md"


def samples(metrics: StationMetrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: StationMetrics, name: str, **labels: str) -> float:
    return samples(metrics)[f"nand_edge_{name}", frozenset(labels.items())]


def test_verdicts_are_counted_by_camera_and_reason(
    station: Any, metrics: StationMetrics, decided: Callable[..., Decided]
) -> None:
    station.hub.publish(decided())
    station.hub.publish(decided(clip_ran=True, suppressed=True))
    station.hub.publish(decided(Verdict.REJECT, Reason.DEADLINE, camera="side"))
    assert value(metrics, "verdicts_total", camera="top", verdict="pass", reason="inspected") == 2
    assert value(metrics, "verdicts_total", camera="side", verdict="reject", reason="no verdict by the deadline") == 1
    assert value(metrics, "suppressed_total", camera="top") == 1
    assert value(metrics, "clip_ran_total", camera="top") == 1


def test_frames_and_drops_are_counted(station: Any, metrics: StationMetrics, frame: CameraFrame) -> None:
    station.hub.publish(Entered(frame))
    station.hub.publish(Dropped("top", 5))
    station.hub.publish(Changed("anna", "paused the station"))
    assert value(metrics, "frames_total", camera="top") == 1
    assert value(metrics, "dropped_frames_total", camera="top") == 5
    assert value(metrics, "changes_total") == 1


def test_latency_falls_into_its_bucket_by_stage(
    station: Any, metrics: StationMetrics, decided: Callable[..., Decided]
) -> None:
    station.hub.publish(decided())
    stage = {"camera": "top", "stage": "engine"}
    assert value(metrics, "stage_seconds_bucket", le="0.0075", **stage) == 0
    assert value(metrics, "stage_seconds_bucket", le="0.01", **stage) == 1
    assert value(metrics, "stage_seconds_sum", **stage) == pytest.approx(0.008)


def test_how_near_scores_are_to_the_threshold_is_seen(
    station: Any, metrics: StationMetrics, decided: Callable[..., Decided]
) -> None:
    station.hub.publish(decided(score=0.35, threshold=0.7))
    station.hub.publish(decided(Verdict.REJECT, Reason.NOT_A_NUMBER, score=None))
    assert value(metrics, "score_ratio_sum", camera="top") == pytest.approx(0.5)
    assert value(metrics, "score_ratio_count", camera="top") == 1


def test_parts_are_told_by_state_and_figures(metrics: StationMetrics) -> None:
    assert value(metrics, "station_state", state="running") == 1
    assert value(metrics, "station_state", state="paused") == 0
    assert value(metrics, "part_state", part="camera side", state="reconnecting") == 1
    assert value(metrics, "camera_queue_frames", camera="top") == 2
    assert value(metrics, "camera_reconnects_total", camera="side") == 7
    assert value(metrics, "engine_restarts_total") == 1
    assert value(metrics, "history_backlog_records") == 12
    assert value(metrics, "part_fact", part="camera top", fact="exposure") == 250
    assert value(metrics, "threshold") == pytest.approx(0.7)


def test_a_state_is_seen_at_once(station: Any, metrics: StationMetrics) -> None:
    station.change(StationState.DEGRADED)
    assert value(metrics, "station_state", state="degraded") == 1
    assert value(metrics, "station_state", state="running") == 0


def test_names_that_would_break_a_line_do_not(
    station: Any, metrics: StationMetrics, decided: Callable[..., Decided]
) -> None:
    odd = 'a"b\\c\nnand_edge_frames_total 99'
    station.hub.publish(decided(camera=odd))
    assert value(metrics, "verdicts_total", camera=odd, verdict="pass", reason="inspected") == 1


def test_two_stations_in_a_process_do_not_meet(station: Any, metrics: StationMetrics, frame: CameraFrame) -> None:
    other = metrics_of(type(station)())
    station.hub.publish(Entered(frame))
    assert ("nand_edge_frames_total", frozenset({("camera", "top")})) not in samples(other)
    assert value(metrics, "frames_total", camera="top") == 1


def test_nothing_is_lost_between_threads(
    station: Any, metrics: StationMetrics, decided: Callable[..., Decided]
) -> None:
    event = decided()
    threads = [threading.Thread(target=lambda: [station.hub.publish(event) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(metrics, "verdicts_total", camera="top", verdict="pass", reason="inspected") == 2000


def names(station: Any, metrics: StationMetrics, frame: CameraFrame, decided: Callable[..., Decided]) -> set[str]:
    """Every name that a station's metrics can have."""
    for event in (Entered(frame), Dropped("top"), Changed("anna", "x"), decided(clip_ran=True, suppressed=True)):
        station.hub.publish(event)
    own = {f"nand_edge_{figure.metric}{'_total' if figure.counts else ''}" for figure in FIGURES.values()}
    return own | {name for name, _ in samples(metrics)}


@pytest.mark.parametrize("path", [DASHBOARD, ALERTS, DOCUMENT], ids=lambda path: path.name)
def test_dashboard_alerts_and_document_name_only_metrics_that_there_are(
    station: Any, metrics: StationMetrics, frame: CameraFrame, decided: Callable[..., Decided], path: Path
) -> None:
    known = names(station, metrics, frame, decided)
    named = set(re.findall(r"\b(?:nand_edge|process)_[a-z_]+[a-z]\b", path.read_text(encoding="utf-8")))
    assert named, f"{path.name} names no metric"
    assert named - known - {name.removesuffix("_bucket") for name in known} == set()


def test_the_document_tells_of_every_metric(
    station: Any, metrics: StationMetrics, frame: CameraFrame, decided: Callable[..., Decided]
) -> None:
    known = {name for name in names(station, metrics, frame, decided) if name.startswith("nand_edge_")}
    known = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in known}
    told = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in sorted(known) if f"`{name}" not in told] == []


def test_every_panel_of_the_dashboard_asks_for_something() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel["targets"] and all(target["expr"] for target in panel["targets"]) for panel in panels)
