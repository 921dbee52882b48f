"""The settings of the reject gate: where it is, and what it does when something is not as it should be."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field, model_validator

from nand_edge_runtime.station.settings_base import Settings


class WhenLate(str, Enum):
    """What the gate is told when a verdict comes after its time."""

    REJECT = "reject"
    """A pass that comes late is told as a reject: the part it was meant for is no longer there."""
    TELL = "tell"
    """The verdict as it is, marked as late."""


class WhenDown(str, Enum):
    """What becomes of frames while a required output is down."""

    REJECT = "reject"
    """Every frame is a reject, with that reason."""
    GO_ON = "go-on"
    """Frames keep their verdicts, although the gate may not hear of them."""


class GateSettings(Settings):
    """The reject gate: where it is behind the cameras, and what it does when something is not as it should be."""

    delay_ms: float | None = Field(
        default=None, ge=0, le=3_600_000, allow_inf_nan=False, description="Milliseconds from the frame to the gate."
    )
    delay_ticks: float | None = Field(
        default=None, ge=0, le=1e12, allow_inf_nan=False, description="Encoder ticks from the camera to the gate."
    )
    delay_mm: float | None = Field(
        default=None, ge=0, le=1e9, allow_inf_nan=False, description="Millimetres from the camera to the gate."
    )
    camera_delays: dict[str, Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="Cameras that are at another distance: NAME = DELAY, in the unit of the gate's delay.",
    )
    minimum_distance: float = Field(
        default=0,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="A pass nearer than this to a reject is told as a reject; in the unit of the delay; 0 is off.",
    )
    pulse_ms: float = Field(
        default=100, ge=1, le=60_000, allow_inf_nan=False, description="How long a coil or line is energised."
    )
    late_after_ms: float = Field(
        default=50, ge=0, le=60_000, allow_inf_nan=False, description="A verdict told so long after its time is late."
    )
    when_late: WhenLate = Field(default=WhenLate.REJECT, description="reject: a late pass is told as a reject; tell.")
    when_down: WhenDown = Field(
        default=WhenDown.REJECT, description="reject: every frame is one while a required output is down; go-on."
    )
    heartbeat_timeout_ms: float = Field(
        default=2000,
        ge=200,
        le=600_000,
        allow_inf_nan=False,
        description="The heartbeat stops when the station inspects nothing for so long; above every deadline_ms.",
    )
    waiting: int = Field(
        default=10_000, ge=1, le=1_000_000, description="How many verdicts may be on their way to the gate."
    )
    counter_range: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="The encoder counts from 0 to below this, then again from 0.",
    )
    jump_back: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="The conveyor runs back no further: more is a new roll or a counter set anew; half the delay.",
    )
    estimate_ms: float = Field(
        default=0,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
        description="Between reports of the encoder, go on at the last speed for at most so long; 0 waits for reports.",
    )

    @model_validator(mode="after")
    def _one_delay(self) -> GateSettings:
        given = [name for name in ("delay_ms", "delay_ticks", "delay_mm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"found {' and '.join(given)}, needed one of them")
        if not given and (self.camera_delays or self.minimum_distance):
            raise ValueError("found camera_delays or minimum_distance without a delay, needed delay_ms or another")
        return self

    @property
    def by_place(self) -> bool:
        """Whether the delay is a distance along the line, not a time."""
        return self.delay_ticks is not None or self.delay_mm is not None

    def delay(self, camera: str) -> float | None:
        """Milliseconds, ticks or millimetres from a frame of this camera to the gate; None where it is told at once."""
        for delay in (self.delay_ms, self.delay_ticks, self.delay_mm):
            if delay is not None:
                return self.camera_delays.get(camera, delay)
        return None

    @property
    def largest_delay(self) -> float:
        """The longest of the cameras' delays; 0 where there is none."""
        return max(
            (delay for delay in (self.delay(""), *self.camera_delays.values()) if delay is not None), default=0.0
        )
