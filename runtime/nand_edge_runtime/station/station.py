"""A running station: its parts put together, started, changed and stopped."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras import CameraFeed
from nand_edge_runtime.engine_process import open_engine_process
from nand_edge_runtime.engine_process.rehearsal import rehearse
from nand_edge_runtime.history import History
from nand_edge_runtime.line_scan import RollBook, judge_trusted
from nand_edge_runtime.outputs import RejectGate
from nand_edge_runtime.station.accounts import Accounts
from nand_edge_runtime.station.control import InForce, NormalityEntry, Rehearsal, Status
from nand_edge_runtime.station.dispatcher import Dispatcher
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Changed, Decided, Entered, Event, Hub, PartChanged, StateChanged
from nand_edge_runtime.station.loading import Loading
from nand_edge_runtime.station.lock import FolderLock
from nand_edge_runtime.station.pinned_bundle import pin, swapped
from nand_edge_runtime.station.recent import Recent
from nand_edge_runtime.station.settings import StationSettings
from nand_edge_runtime.station.state_machine import StateMachine
from nand_edge_runtime.station.states import PartState, PartStatus
from nand_edge_runtime.station.words import Words
from nand_edge_runtime.text_encoder import TextEncoder

_LOG = logging.getLogger(__name__)

_ENGINE_START_S = 120.0
_LOOK_S = 2.0
"""How often the station looks whether its bundle was changed on the disk."""


class Station:
    """Cameras, one engine, reject gate and history; what the live page asks is `StationControl`.

    Args:
        settings: What it is made of.
        beat: Called while the dispatcher turns: the sign of life for a watchdog.

    Raises:
        NandEdgeError: The bundle, a normality or the state folder cannot be used.
    """

    def __init__(self, settings: StationSettings, *, beat: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.hub = Hub()
        self.run = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
        with ExitStack() as undo:
            self._lock = FolderLock(settings.state_folder)
            undo.callback(self._lock.release)
            self._bundle = pin(settings.bundle, settings.state_folder)
            self._words = Words(self._bundle, settings.normalities, settings.threshold, settings.state_folder)
            self._text_encoder = TextEncoder.open(self._bundle)
            self._states = StateMachine(self.hub)
            self.history = History(
                settings.history, folder=settings.state_folder, hub=self.hub, station=settings.name, run=self.run
            )
            self.hub.listen(self._write_down)
            self._gate = RejectGate(settings.gate, settings.output, hub=self.hub)
            self._accounts = Accounts(self.history, self._gate, self.hub)
            self._recent = Recent(self.hub, settings.recent_megabytes << 20)
            self._engine = open_engine_process(
                self._bundle.folder,
                settings.engine,
                normalities=self._words.choices(self._words.in_force),
                threshold=self._words.in_force.threshold,
                on_change=lambda status: self.hub.publish(PartChanged(status)),
            )
            self._feeds = {
                camera.name: CameraFeed(
                    camera,
                    self.run,
                    hub=self.hub,
                    on_frame=self._wake,
                    recorded=self.history.lately_entered(camera.name),
                    memory=self._engine.frame_memory,
                )
                for camera in settings.camera
            }
            line_scans = {camera.name: camera.line_scan for camera in settings.camera if camera.line_scan}
            self._judges = dict.fromkeys(line_scans, judge_trusted)
            self._rolls = RollBook(line_scans, settings.state_folder, self.hub) if line_scans else None
            self._told_alive = beat
            self._dispatcher = Dispatcher(
                {camera.name: (self._feeds[camera.name], camera.deadline_ms) for camera in settings.camera},
                self._engine,
                self._accounts,
                normalities_sha256=self._words.sha256,
                beat=self._beat,
                batches={name: line_scan.batch for name, line_scan in line_scans.items()},
                judges=self._judges,
            )
            self._changing, self._rehearsing = threading.Lock(), threading.Lock()
            self._stopping = threading.Event()
            self._watch = threading.Thread(target=self._look_after_bundle, name="bundle", daemon=True)
            undo.pop_all()

    def start(self, stop: threading.Event | None = None) -> None:
        """Start the parts, the engine before the cameras, so that no frame comes before it can be inspected.

        Args:
            stop: Ends the wait for an engine that takes long to load.

        Raises:
            NandEdgeError: The engine or the history cannot be used at all, or it was stopped.
        """
        # The engine takes longest, so it loads while all else starts.
        loading = Loading(lambda: self._engine.start(_ENGINE_START_S, stop=stop))
        self.history.start()
        self._gate.start()
        if self._rolls is not None:
            self._rolls.start()
        loading.wait()
        self._dispatcher.start()
        for feed in self._feeds.values():
            feed.start()
        self._watch.start()
        self._states.started()

    def stop(self) -> None:
        """Stop within a second: every frame that was taken gets its verdict, and all of it is on record."""
        self._stopping.set()
        self._states.stopped()
        with ThreadPoolExecutor(len(self._feeds)) as pool:
            list(pool.map(lambda feed: feed.stop(), self._feeds.values()))
        self._dispatcher.stop()
        self._gate.stop()
        self._engine.close()
        if self._rolls is not None:
            self._rolls.stop()
        self.history.stop(0.3)
        self._lock.release()

    def status(self) -> Status:
        """The station as it is now."""
        changed = self._states.now
        return Status(
            name=self.settings.name,
            state=changed.state,
            why=changed.why,
            since=changed.at,
            run=self.run,
            bundle=self._bundle.name,
            bundle_sha256=self._bundle.sha256,
            target=self._engine.device,
            in_force=self._words.in_force,
            parts=self._parts(),
            counts=self._accounts.counts().to_json(),
        )

    def cameras(self) -> Sequence[str]:
        """The cameras' names."""
        return tuple(self._feeds)

    def latest(self, camera: str) -> Decided | None:
        """The last frame of a camera that got its verdict."""
        return self._recent.latest(camera)

    def recent(self, key: FrameKey) -> Decided | None:
        """One of the last frames, if it is still kept."""
        return self._recent.get(key)

    def normalities(self) -> tuple[NormalityEntry, ...]:
        """All normalities that can be switched on."""
        return self._words.entries()

    def put_in_force(self, proposed: InForce, *, who: str) -> None:
        """Judge frames by this from the next one on.

        Raises:
            NandEdgeError: A normality is unknown or the threshold is not finite; then nothing changes.
        """
        with self._changing:
            before = self._words.in_force
            choices = self._words.choices(proposed)
            self._words.put_in_force(proposed)
            self._engine.put_in_force(choices, proposed.threshold)
        detail = {"before": _in_words(before), "after": _in_words(proposed)}
        self.hub.publish(Changed(who, _difference(before, proposed), detail))

    def rehearse(
        self, proposed: InForce, *, frames: int, on_progress: Callable[[int, int], None] | None = None
    ) -> Rehearsal:
        """Judge the last frames again without changing anything.

        Raises:
            NandEdgeError: A normality is unknown, there is no frame yet, or another rehearsal runs.
        """
        if not self._rehearsing.acquire(blocking=False):
            raise NandEdgeError(
                "rehearsal", found="another one that runs", needed="one at a time", do="wait until it is done"
            )
        try:
            now = self._words.in_force
            return rehearse(
                self._bundle.folder,
                self._recent.newest(frames),
                now=now,
                now_normalities=self._words.choices(now),
                proposed=proposed,
                proposed_normalities=self._words.choices(proposed),
                settings=self.settings.engine,
                judges=self._judges,
                on_progress=on_progress,
                stop=self._stopping,
            )
        finally:
            self._rehearsing.release()

    def can_add_normality(self) -> bool:
        """Whether the bundle has a text encoder."""
        return self._text_encoder is not None

    def add_normality(self, text: str, *, name: str, object_name: str, who: str) -> NormalityEntry:
        """Make a normality of a sentence; it is not in force until it is put in force.

        Raises:
            NandEdgeError: The bundle has no text encoder, or the name is taken or no name.
        """
        if self._text_encoder is None:
            raise NandEdgeError(
                f"bundle {self._bundle.name!r}",
                found="no text encoder",
                needed="one, so that sentences can be read on the device",
                do="export it again with --text-encoder, or make the normality with `nand-edge normality`",
            )
        entry = self._words.add(self._text_encoder.normality_of(text, name=name, object_name=object_name))
        self.hub.publish(Changed(who, f"added normality {entry.name!r}", {"text": text, "object": object_name}))
        return entry

    def pause(self, *, who: str) -> None:
        """Inspect no more frames: each that comes is a reject until `resume`."""
        self._dispatcher.pause()
        self._states.paused(f"by {who}")
        self.hub.publish(Changed(who, "paused the station"))

    def resume(self, *, who: str) -> None:
        """Inspect again."""
        self._dispatcher.resume()
        self._states.resumed()
        self.hub.publish(Changed(who, "resumed the station"))

    def begin_roll(self, camera: str, name: str, *, who: str) -> None:
        """End a line-scan camera's roll and begin another one.

        Raises:
            NandEdgeError: It is no line-scan camera, the name cannot be printed, or the disk takes no file.
        """
        if self._rolls is None:
            raise NandEdgeError(
                f"camera {camera[:80]!r}",
                found="no line-scan camera in this station",
                needed="a camera with a table line_scan",
                do="rolls are of webs: other cameras have none",
            )
        self._rolls.begin_roll(camera, name)
        self.hub.publish(Changed(who, f"began roll {name!r}", {"camera": camera}))

    def finished(self) -> bool:
        """Whether no camera gives anything more, and every frame has its verdict."""
        over = (PartState.FINISHED, PartState.FAILED)
        return all(feed.status().state in over for feed in self._feeds.values()) and self._accounts.settled()

    def _beat(self) -> None:
        """The dispatcher turns: the service manager and the outputs' heartbeat are told."""
        self._gate.alive()
        self._told_alive()

    def _wake(self) -> None:
        self._dispatcher.wake()

    def _parts(self) -> tuple[PartStatus, ...]:
        feeds = (feed.status() for feed in self._feeds.values())
        rolls = () if self._rolls is None else (self._rolls.status(),)
        return (*feeds, self._engine.status(), *self._gate.statuses(), self.history.status(), *rolls)

    def _write_down(self, event: Event) -> None:
        if isinstance(event, Changed):
            self.history.audit(event)
        elif isinstance(event, StateChanged):
            self.history.state(event)
        elif isinstance(event, Entered) and event.frame.position is not None:
            self._gate.position(event.frame.position)

    def _look_after_bundle(self) -> None:
        """Tell when the bundle on the disk is no longer the one that is in use."""
        said = ""
        while not self._stopping.wait(_LOOK_S):
            why = swapped(self.settings.bundle, self._bundle)
            if why != said:
                state = PartState.FAILED if why else PartState.RUNNING
                self.hub.publish(PartChanged(PartStatus("bundle", state, why, time.time())))
                said = why


def _in_words(in_force: InForce) -> dict[str, object]:
    return {"normalities": list(in_force.normalities), "threshold": in_force.threshold}


def _difference(before: InForce, after: InForce) -> str:
    """What changed, in words."""
    switched = [f"switched normality {name!r} on" for name in after.normalities if name not in before.normalities]
    switched += [f"switched normality {name!r} off" for name in before.normalities if name not in after.normalities]
    if after.threshold != before.threshold:
        switched.append(f"moved the threshold from {before.threshold:.4g} to {after.threshold:.4g}")
    return ", ".join(switched) or "put the same in force again"
