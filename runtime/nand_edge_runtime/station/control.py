"""What the live page and other ways in may ask of a running station."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from nand_edge.inspection import Verdict
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.hub import Decided, Hub
from nand_edge_runtime.station.states import PartStatus, StationState


@dataclass(frozen=True)
class InForce:
    """What frames are judged by.

    Attributes:
        normalities: Names of the active normalities.
        threshold: What scores are compared with.
    """

    normalities: tuple[str, ...]
    threshold: float


@dataclass(frozen=True)
class NormalityEntry:
    """A normality that the station knows.

    Attributes:
        name: Its name, unique in the station.
        text: What the person said.
        object_name: What is inspected.
        active: Whether it is in force.
        added: Whether it was added on this station, not with the bundle.
    """

    name: str
    text: str
    object_name: str
    active: bool
    added: bool


@dataclass(frozen=True)
class Status:
    """The station as it is now.

    Attributes:
        name: The station's name.
        state: Its state.
        why: Why it is in this state; empty when all is well.
        since: Seconds since 1970 when the state began.
        run: This run's identity.
        bundle: The bundle's name.
        bundle_sha256: Its hash.
        target: The engine's target and device, in words.
        in_force: What frames are judged by.
        parts: Cameras, engine, outputs, history, page.
        counts: Since the start: `frames`, `pass`, `reject`, `suppressed`, `dropped`, and each reason's value.
    """

    name: str
    state: StationState
    why: str
    since: float
    run: str
    bundle: str
    bundle_sha256: str
    target: str
    in_force: InForce
    parts: tuple[PartStatus, ...]
    counts: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "name": self.name,
            "state": self.state.value,
            "why": self.why,
            "since": self.since,
            "run": self.run,
            "bundle": self.bundle,
            "bundle_sha256": self.bundle_sha256,
            "target": self.target,
            "normalities": list(self.in_force.normalities),
            "threshold": self.in_force.threshold,
            "parts": [part.to_json() for part in self.parts],
            "counts": dict(self.counts),
        }


@dataclass(frozen=True)
class Rehearsed:
    """One frame of a rehearsal.

    Attributes:
        key: The frame.
        before: Its verdict as it is on record for what was in force then.
        now: Its verdict by what is in force now.
        proposed: Its verdict by what is proposed.
        score: The score by what is proposed.
        base_score: The base detector's.
    """

    key: FrameKey
    before: Verdict
    now: Verdict
    proposed: Verdict
    score: float
    base_score: float


@dataclass(frozen=True)
class Rehearsal:
    """What a change would have done to the last frames.

    Attributes:
        proposed: What was tried.
        frames: Every frame that was tried, newest first.
    """

    proposed: InForce
    frames: tuple[Rehearsed, ...]

    @property
    def changed(self) -> tuple[Rehearsed, ...]:
        """The frames whose verdict would change."""
        return tuple(frame for frame in self.frames if frame.proposed is not frame.now)


class StationControl(Protocol):
    """A running station. Every method is safe from any thread; who is a user's name, for the audit log."""

    hub: Hub

    def status(self) -> Status:
        """The station as it is now."""

    def latest(self, camera: str) -> Decided | None:
        """The last frame of a camera that got its verdict, with its picture and maps."""

    def recent(self, key: FrameKey) -> Decided | None:
        """One of the last frames, picture and maps included, if it is still kept."""

    def normalities(self) -> tuple[NormalityEntry, ...]:
        """All normalities that can be switched on."""

    def put_in_force(self, proposed: InForce, *, who: str) -> None:
        """Judge frames by this from the next one on.

        Raises:
            NandEdgeError: A normality is unknown or the threshold is not finite; then nothing changes.
        """

    def rehearse(
        self, proposed: InForce, *, frames: int, on_progress: Callable[[int, int], None] | None = None
    ) -> Rehearsal:
        """Judge the last frames again, at low priority and in a process of its own, without changing anything.

        `on_progress` is told how many are done, and of how many.

        Raises:
            NandEdgeError: A normality is unknown, there is no frame yet, or another rehearsal runs.
        """

    def can_add_normality(self) -> bool:
        """Whether the bundle has a text encoder."""

    def add_normality(self, text: str, *, name: str, object_name: str, who: str) -> NormalityEntry:
        """Make a normality of a sentence; it is not in force until it is put in force.

        Raises:
            NandEdgeError: The bundle has no text encoder, or the name is taken or no name.
        """

    def begin_roll(self, camera: str, name: str, *, who: str) -> None:
        """End a line-scan camera's roll and begin another one.

        Raises:
            NandEdgeError: It is no line-scan camera, the name cannot be printed, or the disk takes no file.
        """

    def pause(self, *, who: str) -> None:
        """Inspect no more frames: each that comes is a reject until `resume`."""

    def resume(self, *, who: str) -> None:
        """Inspect again."""

    def cameras(self) -> Sequence[str]:
        """The cameras' names."""
