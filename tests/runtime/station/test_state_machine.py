"""The station's state follows from its parts."""

from __future__ import annotations

import logging

import pytest

from nand_edge_runtime.station.hub import Event, Hub, PartChanged, StateChanged
from nand_edge_runtime.station.state_machine import StateMachine
from nand_edge_runtime.station.states import PartState, PartStatus, StationState


def tell(hub: Hub, name: str, state: PartState, why: str = "") -> None:
    hub.publish(PartChanged(PartStatus(name, state, why, 0.0)))


@pytest.fixture
def station() -> tuple[Hub, StateMachine, list[Event]]:
    hub = Hub()
    machine = StateMachine(hub)
    events: list[Event] = []
    hub.listen(lambda event: events.append(event) if isinstance(event, StateChanged) else None)
    return hub, machine, events


def test_it_runs_when_all_parts_run(station: tuple[Hub, StateMachine, list[Event]]) -> None:
    hub, machine, events = station
    assert machine.now.state is StationState.STARTING
    machine.started()
    tell(hub, "engine", PartState.STARTING)
    tell(hub, "engine", PartState.RUNNING)
    assert machine.now.state is StationState.RUNNING
    assert [event.state for event in events if isinstance(event, StateChanged)][-1] is StationState.RUNNING


def test_a_part_that_fails_degrades_it_and_says_which(
    station: tuple[Hub, StateMachine, list[Event]], caplog: pytest.LogCaptureFixture
) -> None:
    hub, machine, _ = station
    machine.started()
    tell(hub, "engine", PartState.RUNNING)
    with caplog.at_level(logging.WARNING):
        tell(hub, "output plc", PartState.RECONNECTING, "connection refused")
    assert machine.now.state is StationState.DEGRADED
    assert machine.now.why == "output plc is reconnecting (connection refused)"
    assert "output plc: reconnecting, connection refused" in caplog.text
    tell(hub, "output plc", PartState.RUNNING)
    assert machine.now.state is StationState.RUNNING


def test_a_folder_read_to_its_end_is_no_fault(station: tuple[Hub, StateMachine, list[Event]]) -> None:
    hub, machine, _ = station
    machine.started()
    tell(hub, "camera top", PartState.FINISHED)
    assert machine.now.state is StationState.RUNNING


def test_a_pause_outlives_faults_and_a_stop_outlives_all(station: tuple[Hub, StateMachine, list[Event]]) -> None:
    hub, machine, _ = station
    machine.started()
    machine.paused("by anna")
    tell(hub, "engine", PartState.FAILED, "killed")
    assert (machine.now.state, machine.now.why) == (StationState.PAUSED, "by anna")
    machine.resumed()
    assert machine.now.state is StationState.DEGRADED
    machine.stopped()
    tell(hub, "engine", PartState.RUNNING)
    machine.resumed()
    assert machine.now.state is StationState.STOPPED


def test_the_same_again_is_told_once(station: tuple[Hub, StateMachine, list[Event]]) -> None:
    hub, machine, events = station
    machine.started()
    tell(hub, "camera top", PartState.RUNNING)
    before = len(events)
    tell(hub, "camera top", PartState.RUNNING)
    assert len(events) == before
