"""A camera's feed: its frames, numbered, timed and placed, on their way into the station."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable

from nand_edge.errors import NandEdgeError
from nand_edge.images import as_frame
from nand_edge_runtime.cameras.addresses import credentials_of, without_credentials
from nand_edge_runtime.cameras.host import Host
from nand_edge_runtime.cameras.hosts import host_of
from nand_edge_runtime.cameras.lines import lines_of
from nand_edge_runtime.cameras.positions import Positions
from nand_edge_runtime.cameras.protocol import (
    BLACK_PIXEL,
    CameraError,
    EndOfSourceError,
    Recorded,
    Taken,
    showable,
    within_limit,
)
from nand_edge_runtime.cameras.settings import FILES, CameraKind, CameraSettings, Policy
from nand_edge_runtime.cameras.waiting import Rate, Waiting
from nand_edge_runtime.engine_process.shared_pool import SharedPool
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.hub import Dropped, Entered, Event, Hub, PartChanged
from nand_edge_runtime.station.states import PartState, PartStatus
from nand_edge_runtime.watch import Watch

_LOG = logging.getLogger(__name__)

_POLL_S = 0.05
_STOP_S = 0.4
_ENDED = (PartState.FINISHED, PartState.FAILED, PartState.STOPPED)


class CameraFeed:
    """Reads a camera for as long as the station runs, opens it again whenever it is lost, and can always be stopped.

    Args:
        camera: Where the frames come from.
        run: The station's run, for the frames' identity.
        hub: Told of the camera's state and of dropped frames; tells which frames are on record.
        on_frame: Called when a frame is there.
        recorded: The last frames of this camera that were put on record before the start, for a hot folder.
        memory: Where frames are best put; see `Engine.frame_memory`.

    Raises:
        NandEdgeError: The references of a line-scan camera cannot be read.
    """

    def __init__(
        self,
        camera: CameraSettings,
        run: str,
        *,
        hub: Hub,
        on_frame: Callable[[], None],
        recorded: Collection[Recorded] = (),
        memory: SharedPool | None = None,
    ) -> None:
        self._recorded = recorded
        self._camera, self._run, self._hub, self._on_frame = camera, run, hub, on_frame
        # Asked once: the answers may lie on a drive that hangs later.
        self._kind, self._is_timeless, self._is_free = camera.source_kind, camera.is_timeless, camera.is_free_running
        self._lines = lines_of(camera)
        # Lines are put together to tiles first.
        self._memory = memory if self._lines is None else None
        policy = camera.queue_policy if self._lines is None else Policy.EVERY
        self._waits_for_room = policy is Policy.EVERY and self._kind in FILES
        self._waiting = Waiting(policy, camera.queue)
        self._rate = Rate()
        self._positions = Positions(camera, time.monotonic())
        self._host: Host | None = None
        self._given = self._read = self._dropped = self._reconnects = self._read_errors = 0
        self._state, self._why, self._since = PartState.STARTING, "", time.time()
        self._stopping, self._handed_over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._forever, name=f"camera {camera.name}", daemon=True)
        _hide_credentials(camera)

    def start(self) -> None:
        """Begin to read."""
        self._hub.publish(PartChanged(self.status()))
        if self._kind is CameraKind.HOT_FOLDER:
            self._hub.listen(self._on_record)
        self._thread.start()

    def stop(self) -> None:
        """Read no more, within half a second whatever the driver does; frames that wait can still be taken."""
        self._stopping.set()
        self._waiting.wake()
        if self._thread.ident is not None:
            self._handed_over.wait(_STOP_S)
        self._change(PartState.STOPPED)

    def take(self) -> CameraFrame | None:
        """The next frame, or None."""
        frame = self._waiting.take()
        if frame is not None and self._is_timeless:
            frame = dataclasses.replace(frame, taken=time.monotonic(), timestamp=time.time())
        return frame

    def overdue(self) -> list[CameraFrame]:
        """Frames that found the queue full."""
        return self._waiting.take_overdue()

    def peek_deadline(self) -> float | None:
        """When the oldest waiting frame's deadline is, seconds of `time.monotonic()`; None without a frame."""
        taken = self._waiting.oldest_taken()
        if taken is None:
            return None
        return (time.monotonic() if self._is_timeless else taken) + self._camera.deadline_ms / 1e3

    def status(self) -> PartStatus:
        """The camera as it is now."""
        waiting = len(self._waiting)
        state = PartState.RUNNING if self._state is PartState.FINISHED and waiting else self._state
        facts = {
            "queue": waiting, "reconnects": self._reconnects, "read_errors": self._read_errors, "frames": self._given,
            "dropped": self._dropped, "frames_per_second": round(self._rate.per_second(), 2),
        }  # fmt: skip
        return PartStatus(f"camera {self._camera.name}", state, self._why, self._since, facts)

    def _forever(self) -> None:
        try:
            pause_s = self._camera.reconnect_first_s
            while not self._stopping.is_set():
                given = self._given
                ended = self._once()
                if ended is not None:
                    self._change(*ended)
                    break
                pause_s = self._camera.reconnect_first_s if self._given > given else pause_s
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, self._camera.reconnect_longest_s)
            self._enter_all(self._lines.end() if self._lines is not None else (), may_wait=not self._stopping.is_set())
        finally:
            self._handed_over.set()
            if self._host is not None:
                self._host.close()

    def _once(self) -> tuple[PartState, str] | None:
        """Open the camera and read it until it is lost; the state that it ends in, where it ends for good."""
        given = self._given
        try:
            if self._host is None:
                self._host = host_of(self._camera, self._memory)
                self._host.recorded(self._recorded)
            self._host.open()
            self._read_on(self._host)
        except EndOfSourceError:
            return PartState.FINISHED, ""
        except CameraError as error:
            self._lost(str(error))
        except NandEdgeError as error:
            return PartState.FAILED, _shown(str(error))
        except Exception as error:  # noqa: BLE001 - what nobody foresaw must not end the camera: it is opened again
            _LOG.error("camera %s failed in a way that was not foreseen: %s", self._camera.name, type(error).__name__)
            self._lost(f"it failed: {type(error).__name__}")
        if self._kind is CameraKind.VIDEO and self._given > given and not self._stopping.is_set():
            # Read again from its beginning, it would give the same frames twice, and fail again at the same place.
            now, wall = time.monotonic(), time.time()
            self._enter_all([Taken(BLACK_PIXEL, f"{self._camera.source}#{self._given}", now, wall, fault=self._why)])
            return PartState.FINISHED, self._why
        return None

    def _read_on(self, host: Host) -> None:
        """Take the camera's frames until the station stops."""
        camera = self._camera
        waits_since, watch = time.monotonic(), Watch()
        while not self._stopping.is_set():
            taken = host.read(_POLL_S)
            if taken is not None:
                self._runs()
                self._enter_taken(taken)
                waits_since = time.monotonic()
            elif not host.is_open:
                waits_since = time.monotonic()
            elif not self._is_free:
                self._runs()
            elif watch.silent_s(waits_since) > camera.read_timeout_s:
                raise CameraError(f"no frame for {camera.read_timeout_s:g} s")

    def _enter_taken(self, taken: Taken) -> None:
        taken = dataclasses.replace(taken, position=self._positions.of(taken, self._read))
        self._read += 1
        self._enter_all([taken] if self._lines is None else self._lines.push(taken))

    def _enter_all(self, frames: Iterable[Taken], *, may_wait: bool = True) -> None:
        for taken in frames:
            if may_wait and self._waits_for_room:
                while not self._waiting.wait_for_room(_POLL_S):
                    pass
                if self._stopping.is_set():
                    # Not taken: a hot folder's file is still there at the next start.
                    return
            self._enter(taken)

    def _enter(self, taken: Taken) -> None:
        number = self._given
        self._given += 1
        taken = within_limit(taken, self._camera.max_megapixels)
        image, fault = taken.image, taken.fault
        if not fault:
            try:
                image = as_frame(image)
            except NandEdgeError as error:
                image, fault = BLACK_PIXEL, f"found {error.found}, needed {error.needed}"
        self._read_errors += bool(fault)
        frame = CameraFrame(
            key=FrameKey(self._run, self._camera.name, number),
            image=image,
            name=showable(taken.name) or f"{self._camera.name}#{number}",
            taken=taken.taken,
            timestamp=taken.timestamp,
            device_timestamp_ns=taken.device_timestamp_ns,
            position=taken.position,
            fault=_shown(fault),
        )
        dropped = self._waiting.put(frame)
        self._rate.count()
        if dropped is not None:
            self._dropped += 1
            self._hub.publish(Dropped(self._camera.name))
            if self._host is not None:
                self._host.entered(dropped.name)
        self._on_frame()

    def _runs(self) -> None:
        if self._state is not PartState.RUNNING:
            self._reconnects += self._state is PartState.RECONNECTING
            self._change(PartState.RUNNING)

    def _lost(self, why: str) -> None:
        if self._stopping.is_set():
            return
        self._read_errors += 1
        self._change(PartState.RECONNECTING, _shown(why))
        if self._lines is not None:
            self._enter_all(self._lines.interrupted(self._why))

    def _change(self, state: PartState, why: str = "") -> None:
        if (state, why) == (self._state, self._why) or (self._state in _ENDED and state is not PartState.STOPPED):
            return
        if state is not self._state:
            self._since = time.time()
        self._state, self._why = state, why
        # A folder that was read has finished, even while its last frames wait.
        self._hub.publish(PartChanged(dataclasses.replace(self.status(), state=state)))

    def _on_record(self, event: Event) -> None:
        if isinstance(event, Entered) and event.frame.key.camera == self._camera.name and self._host is not None:
            self._host.entered(event.frame.name)


def _shown(text: str) -> str:
    """A text as it may be shown."""
    # Imported here because the drivers' processes, which start while a line waits, have no use for what comes with it.
    from nand_edge_runtime.observability.redaction import REDACTOR

    return REDACTOR.clean(without_credentials(text)) if text else text


def _hide_credentials(camera: CameraSettings) -> None:
    from nand_edge_runtime.observability.redaction import REDACTOR

    REDACTOR.hide(credentials_of(camera.source)[1])
    # Not the user's name: it is an ordinary word, which would be taken out of everything that is said.
    if camera.password_env is not None:
        REDACTOR.hide_variable(camera.password_env)
