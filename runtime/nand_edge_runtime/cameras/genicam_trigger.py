"""The software trigger: the station itself says when a camera takes a frame, and misses none that does not come."""

from __future__ import annotations

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.settings import CameraSettings

OFF, SOFTWARE = "off", "software"


class SoftwareTrigger:
    """When the next frame is to be taken, and whether the last one came. All times are of `time.monotonic()`.

    Args:
        settings: With the pace in `frames_per_second`, and in `read_timeout_s` how long a frame may be on its way.

    Raises:
        NandEdgeError: The settings give no pace.
    """

    def __init__(self, settings: CameraSettings) -> None:
        if settings.frames_per_second is None:
            raise NandEdgeError(
                f"camera {settings.name!r}",
                found='trigger = "software" without a pace',
                needed="how often the station is to trigger it",
                do='give frames_per_second, or the line that triggers the camera (trigger = "Line0")',
            )
        self._period_s = 1.0 / settings.frames_per_second
        self._patience_s = settings.read_timeout_s
        self._next = 0.0
        self._awaited_since: float | None = None

    def is_due(self, now: float) -> bool:
        """Whether the camera is to be triggered now; one frame is on its way at a time."""
        return self._awaited_since is None and now >= self._next

    def pulled(self, now: float) -> None:
        """The camera was triggered."""
        self._awaited_since = now
        is_late = now - self._next >= self._period_s
        self._next = (now if is_late else self._next) + self._period_s

    def came(self) -> None:
        """A frame came."""
        self._awaited_since = None

    def gave_up(self, now: float) -> bool:
        """Whether the frame of the last trigger must be given up: it is a reject, and the next may be triggered."""
        if self._awaited_since is None or now - self._awaited_since < self._patience_s:
            return False
        self._awaited_since = None
        return True

    def wait_s(self, now: float) -> float:
        """Seconds until something is to be done."""
        if self._awaited_since is None:
            return max(self._next - now, 0.0)
        return max(self._awaited_since + self._patience_s - now, 0.0)
