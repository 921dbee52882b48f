"""The parts of a station as metrics, made of its status when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nand_edge_runtime.station.control import Status
from nand_edge_runtime.station.states import PartState, PartStatus, StationState


class Figure(NamedTuple):
    """A fact of a part that has a metric of its own.

    Attributes:
        metric: Its name, after `nand_edge_`.
        told: What it says.
        counts: Whether it only grows, and is a counter.
    """

    metric: str
    told: str
    counts: bool = False


FIGURES = {
    ("camera", "queue"): Figure("camera_queue_frames", "Frames that wait for the engine."),
    ("camera", "reconnects"): Figure("camera_reconnects", "How often the camera was connected to again.", counts=True),
    ("camera", "read_errors"): Figure("camera_read_errors", "Reads that gave no frame.", counts=True),
    ("camera", "frames_per_second"): Figure("camera_frames_per_second", "Frames that the camera gives."),
    ("engine", "restarts"): Figure("engine_restarts", "How often the engine's process was started again.", counts=True),
    ("output", "queue"): Figure("output_queue_verdicts", "Verdicts that wait for the output."),
    ("output", "reconnects"): Figure("output_reconnects", "How often the output was connected to again.", counts=True),
    ("output", "sent"): Figure("output_sent", "Verdicts that the output took.", counts=True),
    ("output", "late"): Figure("output_late", "Verdicts that came after their time at the gate.", counts=True),
    ("output", "dropped"): Figure("output_dropped", "Verdicts that the output never got.", counts=True),
    ("history", "backlog"): Figure("history_backlog_records", "Records in the journal that the history lacks yet."),
    ("history", "pictures_dropped"): Figure("history_pictures_dropped", "Pictures that were not kept.", counts=True),
}
"""Which facts have a metric, by the part's kind (the first word of its name) and the fact; the rest is `part_fact`."""


class PartsCollector(Collector):
    """Asks the station for its status, and makes metrics of it.

    Args:
        status: Gives it.
    """

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        """Nothing beforehand: a station that still starts need not have a status yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The station's state and its parts'."""
        status = self._status()
        yield _info(status)
        yield _states("nand_edge_station_state", "1 for the state that the station is in.", StationState, status)
        yield GaugeMetricFamily("nand_edge_threshold", "What scores are compared with.", status.in_force.threshold)
        yield GaugeMetricFamily(
            "nand_edge_normalities_in_force", "How many normalities are in force.", len(status.in_force.normalities)
        )
        in_state = GaugeMetricFamily(
            "nand_edge_part_state", "1 for the state that a part is in.", labels=["part", "state"]
        )
        for part in status.parts:
            for state in PartState:
                in_state.add_metric([part.name, state.value], float(part.state is state))
        yield in_state
        yield from _facts(status.parts)


def _info(status: Status) -> Metric:
    told = {
        "station": status.name, "run": status.run, "bundle": status.bundle, "bundle_sha256": status.bundle_sha256,
        "target": status.target,
    }  # fmt: skip
    return InfoMetricFamily("nand_edge_station", "What the station is.", told)


def _states(name: str, told: str, states: type[StationState], status: Status) -> Metric:
    family = GaugeMetricFamily(name, told, labels=["state"])
    for state in states:
        family.add_metric([state.value], float(status.state is state))
    return family


def _facts(parts: tuple[PartStatus, ...]) -> Iterator[Metric]:
    families: dict[str, Metric] = {}
    rest = GaugeMetricFamily("nand_edge_part_fact", "Other figures of the parts.", labels=["part", "fact"])
    for part in parts:
        kind, _, name = part.name.partition(" ")
        for fact, value in part.facts.items():
            figure = FIGURES.get((kind, fact))
            if figure is None:
                rest.add_metric([part.name, fact], float(value))
                continue
            labels = {kind: name} if name else {}
            family = families.get(figure.metric) or _family(figure, list(labels))
            families[figure.metric] = family
            sample = f"{family.name}_total" if figure.counts else family.name
            family.add_sample(sample, labels, float(value))
    yield from families.values()
    yield rest


def _family(figure: Figure, labels: list[str]) -> Metric:
    family = CounterMetricFamily if figure.counts else GaugeMetricFamily
    return family(f"nand_edge_{figure.metric}", figure.told, labels=labels)
