"""How a camera is set through Aravis: pixel format, region, trigger, further features, pace, exposure and gain."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.genicam_trigger import OFF, SOFTWARE
from nand_edge_runtime.cameras.protocol import CameraError
from nand_edge_runtime.cameras.settings import CameraSettings

_LOG = logging.getLogger(__name__)

FeatureValue = bool | int | float | str

_INSTALL = (
    "`sudo apt-get install -y gir1.2-aravis-0.8 libgirepository1.0-dev libcairo2-dev pkg-config gcc python3-dev`, "
    'then `pip install "nand-edge[aravis]"`'
)
_VERSION = "0.8"

_CLOSE = 0.05
"""Share by which a camera may round an exposure before it is worth a warning."""


@dataclass(frozen=True)
class Driver:
    """Aravis as its Python binding gives it.

    Attributes:
        aravis: The namespace with `Camera`, `Buffer` and the rest.
        error: What its calls raise; `message` says why.
    """

    aravis: Any
    error: type[Exception]

    @contextmanager
    def saying(self, doing: str) -> Iterator[None]:
        """Whatever the camera refuses within becomes a `CameraError` that says during what."""
        try:
            yield
        except self.error as error:
            raise CameraError(f"{doing}: {getattr(error, 'message', error)}") from None


def load_aravis(needed_by: str) -> Driver:
    """Import Aravis.

    Raises:
        NandEdgeError: Aravis or its binding is not installed.
    """
    try:
        import gi

        gi.require_version("Aravis", _VERSION)
        from gi.repository import Aravis, GLib
    except (ImportError, ValueError) as error:
        # PyGObject raises ValueError for a library whose description (gir1.2-...) is not installed.
        found = "no Python package 'gi'" if getattr(error, "name", "") == "gi" else f"no Aravis {_VERSION} ({error})"
        raise NandEdgeError(
            needed_by, found=found, needed="Aravis with its Python binding", do=f"install them with {_INSTALL}"
        ) from None
    return Driver(Aravis, GLib.Error)


def set_up(driver: Driver, camera: Any, settings: CameraSettings) -> None:
    """Set an opened camera as the settings say.

    What selects or enables other features (`GainSelector`, `OffsetX`) belongs into `features`: these are set after the
    pixel format, the region and the trigger, in their order, and before pace, exposure and gain.

    Raises:
        CameraError: It has no such feature, or refuses the value.
    """
    # Without this, Aravis writes values to the camera that are out of its range, and the camera takes what it likes.
    camera.set_range_check_policy(driver.aravis.RangeCheckPolicy.ENABLE)
    camera.set_access_check_policy(driver.aravis.AccessCheckPolicy.ENABLE)
    if settings.pixel_format is not None:
        with driver.saying(f"pixel format {settings.pixel_format}"):
            offered = camera.dup_available_pixel_formats_as_strings()
            if settings.pixel_format not in offered:
                raise CameraError(f"no pixel format {settings.pixel_format}, but {', '.join(offered)}")
            camera.set_pixel_format_from_string(settings.pixel_format)
    _set_region(driver, camera, settings)
    _set_trigger(driver, camera, settings)
    for name, value in settings.features.items():
        with driver.saying(f"feature {name} = {value}"):
            _set_feature(driver.aravis, camera, name, value)
    if settings.frames_per_second is not None and settings.trigger.lower() == OFF:
        with driver.saying(f"{settings.frames_per_second} frames per second"):
            camera.set_frame_rate(settings.frames_per_second)
    _set_exposure_and_gain(driver, camera, settings)
    if settings.position_feature is not None:
        with driver.saying(f"position by {settings.position_feature}"):
            camera.set_chunks(settings.position_feature.removeprefix("Chunk"))


def _set_region(driver: Driver, camera: Any, settings: CameraSettings) -> None:
    for name, value in (("Width", settings.width), ("Height", settings.height)):
        if value is not None:
            with driver.saying(f"{name.lower()} {value}"):
                camera.set_integer(name, value)


def _set_trigger(driver: Driver, camera: Any, settings: CameraSettings) -> None:
    """Switch all triggers off, then that of the frame's start on, if wanted."""
    with driver.saying(f"trigger {settings.trigger}"):
        # A camera keeps what another program set, so "off" is set too.
        if camera.is_feature_available("TriggerSelector"):
            camera.clear_triggers()
        elif camera.is_feature_available("TriggerMode"):
            camera.set_string("TriggerMode", "Off")
        if settings.trigger.lower() == OFF:
            return
        source = "Software" if settings.trigger.lower() == SOFTWARE else settings.trigger
        offered = camera.dup_available_trigger_sources()
        if source not in offered:
            raise CameraError(f"no trigger {source}, but {', '.join(offered) or 'none at all'}")
        if camera.is_feature_available("TriggerSelector"):
            camera.set_string("TriggerSelector", "FrameStart")
        camera.set_string("TriggerSource", source)
        camera.set_string("TriggerMode", "On")


def _set_feature(aravis: Any, camera: Any, name: str, value: FeatureValue) -> None:
    node = camera.get_device().get_feature(name)
    if node is None:
        raise CameraError(f"the camera has no feature {name}")
    if isinstance(node, aravis.GcCommand):
        if value:
            camera.execute_command(name)
    elif isinstance(node, aravis.GcBoolean):
        camera.set_boolean(name, bool(value))
    elif isinstance(node, aravis.GcString) and isinstance(value, str):
        camera.set_string(name, value)
    elif isinstance(value, str):
        raise CameraError(f"feature {name}: found the text {value!r}, needed a number")
    elif isinstance(node, aravis.GcFloat):
        camera.set_float(name, float(value))
    elif value != int(value):
        raise CameraError(f"feature {name}: found {value}, needed a whole number")
    else:
        camera.set_integer(name, int(value))


def _set_exposure_and_gain(driver: Driver, camera: Any, settings: CameraSettings) -> None:
    off = driver.aravis.Auto.OFF
    if settings.exposure_us is not None:
        with driver.saying(f"exposure {settings.exposure_us} microseconds"):
            if camera.is_exposure_auto_available():
                camera.set_exposure_time_auto(off)
            camera.set_exposure_time(settings.exposure_us)
            _warn_if_rounded(settings, "exposure", settings.exposure_us, camera.get_exposure_time())
    if settings.gain is not None:
        with driver.saying(f"gain {settings.gain}"):
            if camera.is_gain_auto_available():
                camera.set_gain_auto(off)
            camera.set_gain(settings.gain)
            _warn_if_rounded(settings, "gain", settings.gain, camera.get_gain())


def _warn_if_rounded(settings: CameraSettings, what: str, wanted: float, got: float) -> None:
    if abs(got - wanted) > _CLOSE * abs(wanted):
        _LOG.warning("camera %s: %s %s was asked for, and it took %s", settings.name, what, wanted, got)
