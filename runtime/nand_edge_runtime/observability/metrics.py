"""A station's metrics, for Prometheus: counted as it happens, and its parts' states when somebody asks."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from nand_edge_runtime.observability.parts import PartsCollector
from nand_edge_runtime.station.control import StationControl
from nand_edge_runtime.station.hub import Changed, Decided, Dropped, Entered, Event
from nand_edge_runtime.station.records import FrameRecord, Reason

SECONDS = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.5,
    1.0,
    2.5,
    5.0,
)
"""Upper ends of the latencies' buckets."""

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 3.0)
"""Upper ends of the buckets of score over threshold: at 1 begins the reject."""

_Child = TypeVar("_Child")


class StationMetrics:
    """The metrics of one station; it listens to the station's hub.

    Args:
        control: The station.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, control: StationControl) -> None:
        self._hub = control.hub
        self._registry = CollectorRegistry()
        self._registry.register(PartsCollector(control.status))
        ProcessCollector(registry=self._registry)
        self._entered = _counter(self._registry, "frames", "Frames that entered the station.", "camera")
        self._verdicts = _counter(self._registry, "verdicts", "Verdicts, by reason.", "camera", "verdict", "reason")
        self._suppressed = _counter(
            self._registry, "suppressed", "Frames that pass only because of a normality.", "camera"
        )
        self._clip_ran = _counter(
            self._registry, "clip_ran", "Inspected frames that the gate let into the CLIP branch.", "camera"
        )
        self._dropped = _counter(
            self._registry, "dropped_frames", "Frames for which a newer one came before they were wanted.", "camera"
        )
        self._changes = _counter(self._registry, "changes", "Changes by people: words, threshold, pause, resume.")()
        self._latency = _histogram(
            self._registry, "stage_seconds", "Time by stage; `total` is from the camera to the verdict.", SECONDS,
            "camera", "stage",
        )  # fmt: skip
        self._ratio = _histogram(
            self._registry, "score_ratio", "Score over threshold of inspected frames; from 1 on it is a reject.",
            RATIOS, "camera",
        )  # fmt: skip
        self._hub.listen(self._count)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self._registry)

    def close(self) -> None:
        """Count no more."""
        self._hub.forget(self._count)

    def _count(self, event: Event) -> None:
        if isinstance(event, Decided):
            self._decided(event.record)
        elif isinstance(event, Entered):
            self._entered(event.frame.key.camera).inc()
        elif isinstance(event, Dropped):
            self._dropped(event.camera).inc(event.count)
        elif isinstance(event, Changed):
            self._changes.inc()

    def _decided(self, record: FrameRecord) -> None:
        camera = record.key.camera
        self._verdicts(camera, record.verdict.value, record.reason.value).inc()
        for stage, milliseconds in record.latency_ms.items():
            self._latency(camera, stage).observe(milliseconds / 1e3)
        if record.suppressed:
            self._suppressed(camera).inc()
        if record.clip_ran:
            self._clip_ran(camera).inc()
        if record.reason is Reason.INSPECTED and record.score is not None and (record.threshold or 0.0) > 0.0:
            self._ratio(camera).observe(record.score / (record.threshold or 1.0))


def metrics_of(control: StationControl) -> StationMetrics:
    """The metrics of a station, from now on."""
    return StationMetrics(control)


def _counter(registry: CollectorRegistry, name: str, told: str, *labels: str) -> Callable[..., Counter]:
    """A counter's children by their labels' values, found again without the library's own lock and checks."""
    return _children(Counter(f"nand_edge_{name}", told, labels, registry=registry), labels)


def _histogram(
    registry: CollectorRegistry, name: str, told: str, buckets: tuple[float, ...], *labels: str
) -> Callable[..., Histogram]:
    return _children(Histogram(f"nand_edge_{name}", told, labels, registry=registry, buckets=buckets), labels)


def _children(metric: _Child, labels: tuple[str, ...]) -> Callable[..., _Child]:
    if not labels:
        return lambda: metric
    return lru_cache(maxsize=1024)(metric.labels)  # type: ignore[attr-defined]  # both kinds have it
