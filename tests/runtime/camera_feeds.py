"""A feed that runs while the test looks at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from nand_edge_runtime.cameras import CameraFeed, CameraSettings
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Dropped, Entered, Event, Hub, PartChanged
from nand_edge_runtime.station.states import PartState

LONGEST_S = 20.0
"""How long a test waits for what takes a fraction of a second on an idle machine."""


class RunningFeed:
    """A feed with everything that it said.

    Args:
        settings: The camera's, as in a settings file; its name is `top`.
        enters: Whether frames that are taken are put on record at once, as the station does.
        recorded: What was put on record before.
    """

    def __init__(
        self, settings: dict[str, Any], *, enters: bool = True, recorded: Collection[tuple[str, int | None]] = ()
    ) -> None:
        self.hub = Hub()
        self.events: list[Event] = []
        self.hub.listen(self._remember)
        self.woken = 0
        self._enters = enters
        camera = _settings({"name": "top", **settings})
        self.feed = CameraFeed(camera, "r1", hub=self.hub, on_frame=self._wake, recorded=recorded)
        self.feed.start()

    def take(self, count: int, timeout_s: float = LONGEST_S) -> list[CameraFrame]:
        """So many frames, or fewer at the end of the source."""
        frames: list[CameraFrame] = []
        until = time.monotonic() + timeout_s
        while len(frames) < count and time.monotonic() < until:
            frame = self.feed.take()
            if frame is not None:
                frames.append(frame)
                if self._enters:
                    self.hub.publish(Entered(frame))
            elif self.feed.status().state in (PartState.FINISHED, PartState.FAILED):
                break
            else:
                time.sleep(0.002)
        return frames

    def until(self, condition: Callable[[], bool], timeout_s: float = LONGEST_S) -> bool:
        """Wait for something, and say whether it came."""
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def until_state(self, state: PartState) -> bool:
        """Wait until the feed is in a state."""
        return self.until(lambda: self.feed.status().state is state)

    @property
    def states(self) -> list[PartState]:
        """The states that it went through."""
        return [event.status.state for event in self.events if isinstance(event, PartChanged)]

    @property
    def dropped(self) -> int:
        """Frames that it said it dropped."""
        return sum(event.count for event in self.events if isinstance(event, Dropped))

    def _remember(self, event: Event) -> None:
        # Without the frames, which would be all that a look at the memory finds.
        if not isinstance(event, Entered):
            self.events.append(event)

    def _wake(self) -> None:
        self.woken += 1


def _settings(settings: dict[str, Any]) -> CameraSettings:
    if "line_scan" not in settings:
        return CameraSettings.model_validate(settings)
    from nand_edge_runtime.station.settings import StationCamera

    return StationCamera.model_validate(settings)


FeedOf = Callable[..., RunningFeed]


def grey_of(frame: CameraFrame) -> int:
    """What a picture says: its grey value."""
    return int(frame.image[0, 0, 0])
