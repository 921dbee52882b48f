"""Cameras of a vendor's GenTL producer (*.cti), read by harvesters; tried with the producer that genicam brings.

That producer simulates its cameras: it has no trigger, no exposure, no clock, and loses no packets, so these parts
follow the standards and were never run against a real camera.

GenICam's Python binding keeps the interpreter to itself while a call into the producer lasts. So nothing here waits
within such a call, and a camera should have a process of its own (`isolated`): a producer that hangs holds it up whole.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from contextlib import suppress
from typing import Any

from nand_edge_runtime.cameras.genicam_numbers import FrameNumbers, faulty, never_came
from nand_edge_runtime.cameras.genicam_pixels import format_names, format_of, to_image
from nand_edge_runtime.cameras.genicam_trigger import SOFTWARE, SoftwareTrigger
from nand_edge_runtime.cameras.harvesters_setup import (
    LastWords,
    chosen,
    load_harvesters,
    put,
    require_producer,
    set_up,
)
from nand_edge_runtime.cameras.protocol import Camera, CameraError, Taken
from nand_edge_runtime.cameras.settings import CameraSettings

_LOG = logging.getLogger(__name__)

_LOOK_S = 0.001
"""The pause between two looks for a frame; a look that finds none takes 10 microseconds."""

_AT_ONCE_S = 1e-9
"""harvesters takes 0 for "without end"; its clock may be set back while it waits, so it never waits."""


class HarvestersCamera(Camera):
    """A camera by its serial number, id, given name or model, or `first` for the producer's first.

    A frame that came incomplete, and one that the camera took and that never came, has a `fault`.
    """

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings)
        self._driver = load_harvesters(f"camera {settings.name!r}")
        self._cti = require_producer(settings)
        self._trigger = SoftwareTrigger(settings) if settings.trigger.lower() == SOFTWARE else None
        self._harvester: Any = None
        self._acquirer: Any = None
        self._numbers = FrameNumbers()
        self._incomplete = 0
        self._waiting: deque[Taken] = deque()

    def open(self) -> None:
        """Load the producer, find the camera, set it up and start it."""
        self.close()
        self._numbers, self._incomplete = FrameNumbers(), 0
        if self._trigger is not None:
            self._trigger.came()
        core = self._driver.core
        words = LastWords()
        self._harvester = core.Harvester(config=core.ParameterSet({core.ParameterKey.LOGGER: _quiet_logger(words)}))
        try:
            with self._driver.saying(f"producer {self._cti.name}"):
                self._harvester.add_file(str(self._cti), check_existence=True, check_validity=True)
                self._harvester.update()
        except OSError as error:
            raise CameraError(f"producer {self._cti.name} cannot be loaded: {error}") from None
        camera = chosen(self._harvester.device_info_list, self.settings.source, words.said)
        with self._driver.saying(f"camera {self.settings.source!r}"):
            self._acquirer = self._acquirer_of(camera)
            nodes = self._acquirer.remote_device.node_map
        set_up(self._driver, nodes, self.settings)
        self._require_size(nodes)
        with self._driver.saying("starting the stream"):
            self._acquirer.start()

    def read(self, timeout_s: float) -> Taken | None:
        """The next frame; see `Camera.read`."""
        if self._acquirer is None:
            raise CameraError("it is not open")
        until = time.monotonic() + timeout_s
        while not self._waiting:
            now = time.monotonic()
            self._pull_trigger(now)
            with self._driver.saying("waiting for a frame"):
                buffer = self._acquirer.try_fetch(timeout=_AT_ONCE_S, is_raw=True)
            if buffer is not None:
                self._take(buffer)
            elif self._incomplete:
                self._reject_incomplete()
            elif now >= until:
                return None
            else:
                time.sleep(_LOOK_S)
        return self._waiting.popleft()

    def close(self) -> None:
        """Stop the camera and let go of the producer."""
        acquirer, harvester = self._acquirer, self._harvester
        self._acquirer = self._harvester = None
        self._waiting.clear()
        for step in (
            *((acquirer.stop, acquirer.destroy) if acquirer is not None else ()),
            *((harvester.reset,) if harvester is not None else ()),
        ):
            with suppress(*self._driver.errors):
                step()

    def _acquirer_of(self, camera: Any) -> Any:
        core = self._driver.core
        # What nobody reads need not be taken apart with each frame.
        reads_chunks = self.settings.position_feature is not None
        config = core.ParameterSet({core.ParameterKey.ENABLE_AUTO_CHUNK_DATA_UPDATE: reads_chunks})
        acquirer = self._harvester.create(camera, config=config)
        acquirer.num_buffers = max(self.settings.buffers, acquirer.min_num_buffers)
        acquirer.timeout_period_on_update_event_data_call = 0
        # harvesters discards incomplete frames; this is its only way to say so.
        discarded = core.Callback()
        discarded.emit = self._count_incomplete
        acquirer.add_callback(acquirer.Events.INCOMPLETE_BUFFER, discarded)
        return acquirer

    def _require_size(self, nodes: Any) -> None:
        with self._driver.saying("size of the frames"):
            width, height = int(nodes.Width.value), int(nodes.Height.value)
            code, named = int(nodes.PixelFormat.get_int_value()), str(nodes.PixelFormat.value)
        if format_of(code) is None:
            raise CameraError(f"pixel format {named} cannot be inspected, needed one of {format_names()}")
        if width * height > self.settings.max_megapixels * 1e6:
            raise CameraError(
                f"{width} x {height} pixels, needed at most max_megapixels = {self.settings.max_megapixels:g}"
            )
        _LOG.info("camera %s: %s, %d x %d, %s", self.settings.name, self._cti.name, width, height, named)

    def _pull_trigger(self, now: float) -> None:
        if self._trigger is None:
            return
        if self._trigger.gave_up(now):
            self._waiting.append(faulty("", "no frame came of the station's trigger"))
        elif self._trigger.is_due(now):
            put(self._driver, self._acquirer.remote_device.node_map, "TriggerSoftware", value=True)
            self._trigger.pulled(now)

    def _take(self, buffer: Any) -> None:
        """Put what a buffer holds, and before it what never came, where `read` finds it; the buffer goes back."""
        try:
            if self._trigger is not None:
                self._trigger.came()
            number = self._told(buffer, "frame_id")
            missing = 0 if number is None else self._numbers.missing_before(number)
            self._waiting.extend(never_came("", missing))
            self._waiting.append(self._taken(buffer, f"{self.settings.name}, its frame {number}"))
        finally:
            with self._driver.saying("giving a buffer back"):
                buffer.parent.queue_buffer(buffer)

    def _count_incomplete(self, context: object | None = None) -> None:
        del context
        self._incomplete += 1

    def _reject_incomplete(self) -> None:
        """Make rejects of the frames that harvesters discarded."""
        count, self._incomplete = self._incomplete, 0
        if self._trigger is not None:
            self._trigger.came()
        for _ in range(count):
            self._numbers.came_unnumbered()
            self._waiting.append(faulty("", "it came incomplete"))

    def _taken(self, buffer: Any, name: str) -> Taken:
        nodes = self._acquirer.remote_device.node_map
        taken, timestamp = time.monotonic(), time.time()
        device_ns = self._told(buffer, "timestamp_ns") or None
        with self._driver.saying("reading a frame"):
            # What a producer does not say of a buffer holds for all: the camera was set up so.
            width = self._told(buffer, "width") or int(nodes.Width.value)
            height = self._told(buffer, "delivered_image_height") or self._told(buffer, "height")
            height = height or int(nodes.Height.value)
            code = self._told(buffer, "pixel_format") or int(nodes.PixelFormat.get_int_value())
            padding, offset = self._told(buffer, "padding_x") or 0, self._told(buffer, "image_offset") or 0
            pixels = format_of(code)
            if pixels is None:
                return faulty(name, f"its pixel format cannot be inspected, needed one of {format_names()}", device_ns)
            end = offset + (pixels.bytes_of(width, 1) + padding) * height
            # A copy: the producer writes the next frame into the same memory.
            data = bytes(memoryview(buffer.raw_buffer)[offset:end])
        try:
            image = to_image(data, pixels, width, height, padding)
        except ValueError as error:
            return faulty(name, f"it is cut short: {error}", device_ns)
        return Taken(image, name, taken, timestamp, device_ns, self._position(nodes))

    def _position(self, nodes: Any) -> float | None:
        """The place that the camera sent with the frame that was fetched last, in the unit of the station."""
        if self.settings.position_feature is None:
            return None
        try:
            return float(getattr(nodes, self.settings.position_feature).value) * self.settings.position_step
        except AttributeError:
            return None
        except self._driver.errors:
            return None

    def _told(self, buffer: Any, key: str) -> int | None:
        """What the producer says of a buffer, or None where it does not."""
        try:
            return int(getattr(buffer, key))
        except self._driver.errors:
            return None


def _quiet_logger(words: LastWords) -> logging.Logger:
    """A logger for harvesters, whose own prints to stderr: what it says comes as part of our sentences."""
    logger = logging.getLogger(f"{__name__}.package")
    logger.propagate = False
    logger.handlers = [words]
    return logger
