"""How a camera of a GenTL producer is found and set, through the package harvesters."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge.installation import explain_import_error
from nand_edge_runtime.cameras.genicam_trigger import OFF, SOFTWARE
from nand_edge_runtime.cameras.protocol import CameraError
from nand_edge_runtime.cameras.settings import CameraSettings

EXTRA = "gentl"

FIRST = "first"
"""The source that means whichever camera the producer names first."""

FeatureValue = bool | int | float | str

_SAID_BY = ("serial_number", "id_", "user_defined_name", "display_name", "model")
"""What a camera may be called by, in the order in which a source is looked up."""

_WHERE = re.compile(r"\s*:\s*\w*Exception thrown in node .*", re.DOTALL)

_EXPOSURE = ("ExposureTime", "ExposureTimeAbs")
_GAIN = ("Gain", "GainRaw")
_RATE = ("AcquisitionFrameRate", "AcquisitionFrameRateAbs")


@dataclass(frozen=True)
class Driver:
    """harvesters and GenICam's own packages.

    Attributes:
        core: The module `harvesters.core`.
        errors: What calls into a producer or a camera raise.
    """

    core: Any
    errors: tuple[type[Exception], ...]

    @contextmanager
    def saying(self, doing: str) -> Iterator[None]:
        """Whatever producer or camera refuse within becomes a `CameraError` that says during what."""
        try:
            yield
        except self.errors as error:
            raise CameraError(f"{doing}: {one_line(error)}") from None


class LastWords(logging.Handler):
    """Keeps the last complaint of harvesters, which logs what a producer says instead of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, in one line."""
        self.said = one_line(record.getMessage())


def one_line(said: object) -> str:
    """What an error says, without where in the producer's sources it says so, and short enough for a status."""
    return " ".join(_WHERE.sub("", str(said)).split())[:300]


def load_harvesters(needed_by: str) -> Driver:
    """Import harvesters.

    Raises:
        NandEdgeError: It is not installed.
    """
    try:
        from genicam import genapi, gentl
        from harvesters import core
    except ImportError as error:
        explained = explain_import_error(error, needed_by, EXTRA)
        if explained is None:
            raise
        raise explained from error
    return Driver(core, (genapi.GenericException, gentl.GenericException))


def require_producer(settings: CameraSettings) -> Path:
    """The producer's file.

    Raises:
        NandEdgeError: The settings name none, or it is not there.
    """
    cti = settings.cti
    if cti is None or not cti.is_file():
        raise NandEdgeError(
            f"camera {settings.name!r}",
            found="no GenTL producer" if cti is None else f"no file {str(cti)!r}",
            needed="the GenTL producer (*.cti) of the camera's vendor",
            do="install the vendor's software and name its file in cti (`find / -name '*.cti'`)",
        )
    return cti


def chosen(cameras: Sequence[Any], source: str, complaint: str) -> Any:
    """The camera that a source means: by serial number, id, the name that it was given, or model.

    Raises:
        CameraError: There is none, or there are several.
    """
    if not cameras:
        raise CameraError("the producer finds no camera" + (f" ({complaint})" if complaint else ""))
    if source == FIRST:
        return cameras[0]
    for key in _SAID_BY:
        named = [camera for camera in cameras if _property(camera, key) == source]
        if len(named) == 1:
            return named[0]
        if named:
            break
    seen = ", ".join(f"{_property(camera, 'model')} {_property(camera, 'serial_number')}" for camera in cameras)
    raise CameraError(f"no one camera is called {source!r}; the producer finds {seen}")


def set_up(driver: Driver, nodes: Any, settings: CameraSettings) -> None:
    """Set an opened camera as the settings say, in the order in which Aravis's cameras are set.

    Args:
        driver: What was loaded.
        nodes: The camera's node map.
        settings: What to set.

    Raises:
        CameraError: It has no such feature, or refuses the value.
    """
    if settings.pixel_format is not None:
        put(driver, nodes, "PixelFormat", settings.pixel_format)
    for name, size in (("Width", settings.width), ("Height", settings.height)):
        if size is not None:
            put(driver, nodes, name, size)
    _set_trigger(driver, nodes, settings)
    for name, value in settings.features.items():
        put(driver, nodes, name, value)
    if settings.frames_per_second is not None and settings.trigger.lower() == OFF:
        put_if_there(driver, nodes, "AcquisitionFrameRateEnable", value=True)
        put(driver, nodes, _first_there(nodes, _RATE), settings.frames_per_second)
    if settings.exposure_us is not None:
        put_if_there(driver, nodes, "ExposureAuto", value="Off")
        put(driver, nodes, _first_there(nodes, _EXPOSURE), settings.exposure_us)
    if settings.gain is not None:
        put_if_there(driver, nodes, "GainAuto", value="Off")
        put(driver, nodes, _first_there(nodes, _GAIN), settings.gain)
    if settings.position_feature is not None:
        put(driver, nodes, "ChunkModeActive", value=True)
        put(driver, nodes, "ChunkSelector", settings.position_feature.removeprefix("Chunk"))
        put(driver, nodes, "ChunkEnable", value=True)


def put(driver: Driver, nodes: Any, name: str, value: FeatureValue) -> None:
    """Set a feature, or execute a command.

    Raises:
        CameraError: The camera has none of this name, or refuses the value.
    """
    node = getattr(nodes, name, None)
    if node is None:
        raise CameraError(f"the camera has no feature {name}")
    with driver.saying(f"feature {name} = {value}"):
        if hasattr(node, "execute"):
            if value:
                node.execute()
            return
        try:
            node.value = value
        except TypeError:
            if not isinstance(value, float) or not value.is_integer():
                raise CameraError(f"feature {name}: found {value!r}, needed a value of another type") from None
            # The binding takes no 3.0 for an integer, and a camera's gain may be one.
            node.value = int(value)


def put_if_there(driver: Driver, nodes: Any, name: str, *, value: FeatureValue) -> None:
    """Set a feature that not every camera has, nor lets be set."""
    if getattr(nodes, name, None) is not None:
        with suppress(CameraError):
            put(driver, nodes, name, value)


def _set_trigger(driver: Driver, nodes: Any, settings: CameraSettings) -> None:
    """Switch all triggers off, then that of the frame's start on, if wanted."""
    selector = getattr(nodes, "TriggerSelector", None)
    if getattr(nodes, "TriggerMode", None) is not None:
        # A camera keeps what another program set, so "off" is set too.
        for entry in () if selector is None else selector.symbolics:
            # Cameras list triggers that they do not have; one that stays on shows by frames that do not come.
            with suppress(CameraError):
                put(driver, nodes, "TriggerSelector", entry)
                put(driver, nodes, "TriggerMode", "Off")
        if selector is None:
            put(driver, nodes, "TriggerMode", "Off")
    if settings.trigger.lower() == OFF:
        return
    if selector is not None:
        put(driver, nodes, "TriggerSelector", "FrameStart")
    put(driver, nodes, "TriggerSource", "Software" if settings.trigger.lower() == SOFTWARE else settings.trigger)
    put(driver, nodes, "TriggerMode", "On")


def _first_there(nodes: Any, names: tuple[str, ...]) -> str:
    """The camera's own name for a feature that had another one in earlier standards."""
    return next((name for name in names if getattr(nodes, name, None) is not None), names[0])


def _property(camera: Any, key: str) -> str:
    """What a producer says of a camera; not every producer says everything."""
    try:
        return str(getattr(camera, key) or "")
    except Exception:  # noqa: BLE001 - the binding raises a class of its own for each thing that is not there
        return ""
