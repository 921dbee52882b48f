"""What happens is told to everybody who listens, and who listens slowly holds nobody up."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pace import within

from nand_edge_runtime.station.hub import Changed, Dropped, Event, Hub, StateChanged
from nand_edge_runtime.station.states import StationState


def test_everybody_hears_everything_in_order() -> None:
    hub = Hub()
    first: list[Event] = []
    second: list[Event] = []
    hub.listen(first.append)
    hub.listen(second.append)
    events: list[Event] = [Dropped("top"), StateChanged(StationState.RUNNING, ""), Changed("mia", "paused the station")]
    for event in events:
        hub.publish(event)
    assert first == second == events


def test_who_was_forgotten_hears_no_more() -> None:
    hub = Hub()
    heard: list[Event] = []
    hub.listen(heard.append)
    hub.forget(heard.append)
    hub.forget(heard.append)
    hub.publish(Dropped("top"))
    assert heard == []


def test_a_listener_that_fails_takes_nothing_else_with_it(caplog: pytest.LogCaptureFixture) -> None:
    hub = Hub()
    heard: list[Event] = []

    def fail(_event: Event) -> None:
        raise ValueError("no idea")

    hub.listen(fail)
    hub.listen(heard.append)
    hub.publish(Dropped("top"))
    assert heard == [Dropped("top")]
    assert "a listener failed at Dropped" in caplog.text


def test_a_listener_may_come_and_go_while_events_flow() -> None:
    hub = Hub()
    heard: list[Event] = []

    def once(event: Event) -> None:
        heard.append(event)
        hub.forget(once)
        hub.listen(heard.append)

    hub.listen(once)
    hub.publish(Dropped("top", 1))
    hub.publish(Dropped("top", 2))
    assert heard == [Dropped("top", 1), Dropped("top", 2)]


def test_a_subscription_is_for_the_kinds_that_it_wants() -> None:
    hub = Hub()
    subscription = hub.subscribe(Dropped, Changed)
    hub.publish(StateChanged(StationState.RUNNING, ""))
    hub.publish(Dropped("top"))
    assert subscription.get(1.0) == Dropped("top")
    started = time.monotonic()
    with within(1.0):
        assert subscription.get(0.05) is None
    assert time.monotonic() - started > 0.04
    subscription.close()
    hub.publish(Dropped("top"))
    assert subscription.get(0.0) is None


@given(st.integers(1, 6), st.integers(0, 20))
def test_a_slow_one_loses_the_oldest_and_knows_how_many(size: int, events: int) -> None:
    hub = Hub()
    subscription = hub.subscribe(Dropped, size=size)
    for number in range(events):
        hub.publish(Dropped("top", number))
    kept = []
    while (event := subscription.get(0.0)) is not None:
        kept.append(event)
    assert kept == [Dropped("top", number) for number in range(events)][-size:]
    assert subscription.dropped == max(events - size, 0)


def test_of_many_that_publish_at_once_nothing_is_lost() -> None:
    hub = Hub()
    subscription = hub.subscribe(Dropped, size=10_000)
    together = threading.Barrier(4)

    def publish(camera: str) -> None:
        together.wait()
        for number in range(500):
            hub.publish(Dropped(camera, number))

    threads = [threading.Thread(target=publish, args=(f"camera {place}",)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = [subscription.get(0.0) for _ in range(2000)]
    assert {(event.camera, event.count) for event in events if isinstance(event, Dropped)} == {
        (f"camera {place}", number) for place in range(4) for number in range(500)
    }
