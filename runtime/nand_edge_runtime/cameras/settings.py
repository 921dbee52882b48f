"""The settings of a camera: where its frames come from, which of them are inspected, and by when."""

from __future__ import annotations

import re
import sys
from enum import Enum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from nand_edge.images import SUFFIXES
from nand_edge_runtime.cameras.addresses import is_address, without_credentials
from nand_edge_runtime.station.settings_base import Settings

_Camera = TypeVar("_Camera", bound="CameraSettings")

_NAMED = r"[A-Za-z0-9][A-Za-z0-9 _-]{0,63}"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_DEVICE = re.compile(r"\d{1,4}|/dev/.+")
_PIPELINE = " ! "
_FEATURES = 64


class CameraKind(str, Enum):
    """What gives the frames."""

    OPENCV = "opencv"
    """A camera that OpenCV reads: an index, /dev/video*, rtsp://, http://, or a GStreamer pipeline."""
    VIDEO = "video"
    """A video file, from its first frame to its last."""
    FOLDER = "folder"
    """A folder's images, or one image, in the order of their names."""
    HOT_FOLDER = "hot-folder"
    """A folder into which another program lays images, each taken once."""
    ARAVIS = "aravis"
    """GigE Vision and USB3 Vision."""
    HARVESTERS = "harvesters"
    """A camera vendor's GenTL producer."""


FILES = (CameraKind.VIDEO, CameraKind.FOLDER, CameraKind.HOT_FOLDER)
"""The kinds that can wait while nobody takes their frames."""

MACHINE_VISION = (CameraKind.ARAVIS, CameraKind.HARVESTERS)


class Policy(str, Enum):
    """Which frames enter the station."""

    LATEST = "latest"
    """The newest: an older one that was not taken yet is dropped, and counted."""
    EVERY = "every"
    """Each: a file waits until there is room; a camera's frame that finds none is a reject."""


class PositionFrom(str, Enum):
    """What tells a frame's place on the line."""

    CAMERA = "camera"
    """The camera, such as its encoder counter; no place where it tells none."""
    FRAMES = "frames"
    """The frame's number times `position_step`."""
    SPEED = "speed"
    """The seconds since the start times `position_step`."""
    NAME = "name"
    """The last number in the file's name times `position_step`."""


class WhenTaken(str, Enum):
    """What becomes of a file of a hot folder when its frame is on record."""

    MOVE = "move"
    """It goes into the folder `done` within the hot folder."""
    REMEMBER = "remember"
    """It stays, and a hidden file in the hot folder remembers it."""
    DELETE = "delete"


class DeadlineFrom(str, Enum):
    """When a hot folder's file counts as taken."""

    READY = "ready"
    """When it lay there whole: one that waits longer than the deadline is a reject, as on a line."""
    READ = "read"
    """When its turn came: files may wait as long as they like."""


class CameraSettings(Settings):
    """One table `[[camera]]`."""

    name: str = Field(pattern=rf"^{_NAMED}$", description="Its name in records, logs, pages and metrics.")
    source: str = Field(
        min_length=1,
        max_length=4096,
        repr=False,
        description="Index, /dev/video0, rtsp:// or http:// address, GStreamer pipeline, video, folder, camera's id.",
    )
    kind: CameraKind | None = Field(
        default=None,
        description="opencv, video, folder, hot-folder, aravis or harvesters; seen by the source, unless given.",
    )
    policy: Policy | None = Field(
        default=None,
        description="latest or every; latest for free-running cameras, every for files and triggered cameras.",
    )
    queue: int = Field(default=4, ge=1, le=1024, description="How many frames wait for the engine, with every.")
    deadline_ms: float = Field(
        default=100.0, gt=0, le=3_600_000, description="Milliseconds from taken to verdict; later is a reject."
    )
    loop: bool = Field(default=False, description="Begin a folder or video again at its end.")
    frames_per_second: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="Pace of a folder or video, as fast as they are inspected if not given; what a camera is set to.",
    )
    read_timeout_s: float = Field(
        default=3.0, gt=0, le=3600, description="A free-running camera without a frame, or a hung driver, is reopened."
    )
    open_timeout_s: float = Field(default=10.0, gt=0, le=600, description="An opening that takes longer is given up.")
    reconnect_first_s: float = Field(default=0.1, gt=0, le=600, description="The pause before it is opened again.")
    reconnect_longest_s: float = Field(default=2.0, gt=0, le=3600, description="The pause doubles up to this.")
    isolated: bool = Field(
        default=sys.platform != "win32",
        description="Read a camera or video in a process of its own, which can be ended when its driver hangs.",
    )
    max_megapixels: float = Field(
        default=64.0, gt=0, le=268, description="Larger images are not decoded: such a frame is a reject."
    )
    position: PositionFrom = Field(
        default=PositionFrom.CAMERA, description="What tells a frame's place on the line: camera, frames, speed, name."
    )
    position_step: float = Field(
        default=1.0,
        allow_inf_nan=False,
        description="How far the line moves a frame, a second or a number, in the station's position_unit.",
    )
    username_env: str | None = Field(
        default=None, pattern=f"^{_VARIABLE}$", description="Environment variable with the user's name at the address."
    )
    password_env: str | None = Field(
        default=None, pattern=f"^{_VARIABLE}$", description="Environment variable with the password at the address."
    )
    rtsp_transport: str = Field(default="tcp", pattern="^(tcp|udp)$", description="How RTSP sends pictures: tcp, udp.")
    verify_tls: bool = Field(default=True, description="Refuse an https camera whose certificate nobody vouches for.")
    decoder_threads: int = Field(
        default=1, ge=1, le=64, description="Threads that decode a network stream; each more holds a frame back."
    )
    width: int | None = Field(default=None, ge=1, le=65536, description="Pixels that the camera is set to.")
    height: int | None = Field(default=None, ge=1, le=65536, description="Lines that the camera is set to.")

    when_taken: WhenTaken = Field(
        default=WhenTaken.MOVE, description="What becomes of a hot folder's file: move (to done/), remember or delete."
    )
    keep_done: int = Field(
        default=100_000, ge=0, le=10_000_000, description="Files kept in done/; the oldest beyond are removed."
    )
    settle_s: float = Field(
        default=0.2,
        ge=0,
        le=600,
        description="A hot folder's file whose end cannot be seen counts as written when it was unchanged so long.",
    )
    give_up_s: float = Field(
        default=5.0,
        gt=0,
        le=3600,
        description="A hot folder's file that is no whole image so long after its last change is a reject.",
    )
    deadline_from: DeadlineFrom = Field(
        default=DeadlineFrom.READY, description="A hot folder's deadlines count from when a file is ready, or is read."
    )

    exposure_us: float | None = Field(
        default=None, gt=0, le=1e8, description="Exposure of a machine-vision camera, microseconds."
    )
    gain: float | None = Field(default=None, ge=-100, le=10_000, description="Gain, in the camera's unit.")
    trigger: str = Field(
        default="off",
        pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$",
        description="off (free-running), software, or the camera's line, such as Line0.",
    )
    pixel_format: str | None = Field(
        default=None, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$", description="GenICam's name, such as Mono8 or BayerRG8."
    )
    packet_size: int | None = Field(
        default=None,
        ge=220,
        le=65535,
        description="Bytes of a GigE packet; the largest that gets through, if not given.",
    )
    frame_retention_ms: float = Field(
        default=100.0,
        ge=1,
        le=60_000,
        description="How long a GigE frame waits for its missing packets, before it is a reject (aravis).",
    )
    buffers: int = Field(default=8, ge=1, le=1024, description="Buffers that the driver may fill.")
    cti: Path | None = Field(default=None, description="The GenTL producer's file of the camera's vendor, *.cti.")
    features: dict[str, bool | int | float | str] = Field(
        default_factory=dict, description="Further features of the camera by their GenICam names."
    )
    position_feature: str | None = Field(
        default=None,
        pattern=r"^Chunk[A-Za-z0-9_]{1,64}$",
        description="What a camera sends with a frame that tells its place, such as ChunkEncoderValue.",
    )

    @field_validator("source")
    @classmethod
    def _one_line(cls, source: str) -> str:
        if any(ord(letter) < 32 for letter in source) or not source.strip():
            raise ValueError("found control characters or nothing, needed an index, an address or a path")
        if is_address(source):
            try:
                urlsplit(source).port  # noqa: B018 - urllib finds a wrong port only when it is asked for it
            except ValueError:
                raise ValueError("found an address that cannot be read, needed SCHEME://HOST:PORT/PATH") from None
        return source

    @field_validator("features")
    @classmethod
    def _not_too_many(cls, features: dict[str, bool | int | float | str]) -> dict[str, bool | int | float | str]:
        if len(features) > _FEATURES:
            raise ValueError(f"found {len(features)} features, needed at most {_FEATURES}")
        return features

    @model_validator(mode="after")
    def _fits_together(self) -> CameraSettings:
        if self.reconnect_first_s > self.reconnect_longest_s:
            raise ValueError(
                "found reconnect_first_s above reconnect_longest_s, needed the first pause to be the shorter"
            )
        if self.kind is CameraKind.HARVESTERS and self.cti is None:
            raise ValueError("found no cti, needed the GenTL producer's file (*.cti) of the camera's vendor")
        return self

    @property
    def source_kind(self) -> CameraKind:
        """What gives the frames: what the settings say, or what the source looks like."""
        return self.kind or guessed_kind(self.source)

    @property
    def shown_source(self) -> str:
        """The source as it may be shown: without user name and password."""
        return without_credentials(self.source)

    @property
    def is_free_running(self) -> bool:
        """Whether frames come by themselves, so that their absence is a fault."""
        return self.source_kind not in FILES and not self.is_triggered

    @property
    def is_triggered(self) -> bool:
        """Whether something on the line says when a frame is taken."""
        return self.source_kind in MACHINE_VISION and self.trigger.lower() != "off"

    @property
    def is_timeless(self) -> bool:
        """Whether its frames' deadlines begin when their turn comes: nothing on a line moves on meanwhile."""
        if self.source_kind is CameraKind.HOT_FOLDER:
            return self.deadline_from is DeadlineFrom.READ
        return self.source_kind in FILES and self.frames_per_second is None

    @property
    def queue_policy(self) -> Policy:
        """Which frames enter the station: what the settings say, or what suits the source."""
        return self.policy or (Policy.LATEST if self.is_free_running else Policy.EVERY)


def guessed_kind(source: str) -> CameraKind:
    """What a source without a kind is: a number, a device, an address or a pipeline is OpenCV's, the rest are files."""
    if _DEVICE.fullmatch(source) or is_address(source) or _PIPELINE in source:
        return CameraKind.OPENCV
    path = Path(source)
    if path.suffix.lower() in SUFFIXES or path.is_dir() or not path.suffix:
        return CameraKind.FOLDER
    return CameraKind.VIDEO


def camera_within(camera: _Camera, folder: Path) -> _Camera:
    """The same camera, with relative paths of files counting from a folder."""
    update: dict[str, object] = {} if camera.cti is None else {"cti": folder / camera.cti}
    if camera.source_kind in FILES:
        update["source"] = str(folder / camera.source)
    return camera.model_copy(update=update)
