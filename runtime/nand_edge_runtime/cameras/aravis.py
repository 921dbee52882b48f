"""GigE Vision and USB3 Vision cameras, read by Aravis."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections import deque
from typing import Any

from nand_edge_runtime.cameras.aravis_setup import Driver, load_aravis, set_up
from nand_edge_runtime.cameras.genicam_numbers import FrameNumbers, faulty, never_came
from nand_edge_runtime.cameras.genicam_pixels import format_names, format_of, to_image
from nand_edge_runtime.cameras.genicam_trigger import SOFTWARE, SoftwareTrigger
from nand_edge_runtime.cameras.protocol import Camera, CameraError, Taken
from nand_edge_runtime.cameras.settings import CameraSettings

_LOG = logging.getLogger(__name__)

FIRST = "first"
"""The source that means whichever camera is found first."""

_LOOK_S = 0.1
"""How long a read waits before it looks whether the camera is still ours."""

_CLOSE_S = 0.5
"""A camera that answers is closed in a tenth of this; one that does not takes Aravis seven seconds."""

_BYTES_A_PIXEL = 8
"""No pixel format has more; what a camera says above that is nonsense."""

_LIST_COMMAND = "`arv-tool-0.8` lists the cameras"


class AravisCamera(Camera):
    """A camera by its id, its name, its serial number or its IP address, or `first` for the first that is found.

    A frame of which packets are missing, and one that the camera took and that never came, has a `fault`.
    """

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings)
        self._driver: Driver = load_aravis(f"camera {settings.name!r}")
        self._trigger = SoftwareTrigger(settings) if settings.trigger.lower() == SOFTWARE else None
        self._camera: Any = None
        self._stream: Any = None
        self._chunks: Any = None
        self._lost = threading.Event()
        self._numbers = FrameNumbers()
        self._waiting: deque[Taken] = deque()

    def open(self) -> None:
        """Find the camera, take control of it, set it up and start it."""
        self.close()
        self._lost, self._numbers = threading.Event(), FrameNumbers()
        if self._trigger is not None:
            self._trigger.came()
        camera = self._found()
        self._camera = camera
        lost = self._lost
        # In Aravis's own thread; it must not hold on to this object.
        camera.get_device().connect("control-lost", lambda _device: lost.set())
        set_up(self._driver, camera, self.settings)
        with self._driver.saying("starting the stream"):
            if self.settings.position_feature is not None:
                self._chunks = camera.create_chunk_parser()
            self._choose_packet_size(camera)
            self._stream = self._started(camera)
            camera.set_acquisition_mode(self._driver.aravis.AcquisitionMode.CONTINUOUS)
            camera.start_acquisition()

    def read(self, timeout_s: float) -> Taken | None:
        """The next frame; see `Camera.read`."""
        if self._stream is None:
            raise CameraError("it is not open")
        until = time.monotonic() + timeout_s
        while not self._waiting:
            if self._lost.is_set():
                raise CameraError("the camera is gone, or another program took control of it")
            now = time.monotonic()
            self._pull_trigger(now)
            wait_s = min(until - now, _LOOK_S)
            if self._trigger is not None:
                wait_s = min(wait_s, self._trigger.wait_s(now))
            buffer = self._stream.timeout_pop_buffer(max(int(wait_s * 1e6), 0))
            if buffer is not None:
                self._take(buffer)
            elif time.monotonic() >= until:
                return None
        return self._waiting.popleft()

    def close(self) -> None:
        """Stop the camera and give its control back; one that hangs is left to a thread of its own."""
        camera, stream = self._camera, self._stream
        self._camera = self._stream = self._chunks = None
        self._waiting.clear()
        if camera is None:
            return
        held = [stream, camera]
        closing = threading.Thread(
            target=self._give_back, args=(held, self._lost), name=f"closing camera {self.settings.name}", daemon=True
        )
        # With the last reference Aravis gives a camera back, which must happen in that thread.
        del camera, stream
        closing.start()
        closing.join(_CLOSE_S)

    def _give_back(self, held: list[Any], lost: threading.Event) -> None:
        try:
            if held[0] is not None and not lost.is_set():
                held[1].stop_acquisition()
        except self._driver.error as error:
            _LOG.debug("camera %s: %s", self.settings.name, error)
        # The stream ends before the camera.
        while held:
            del held[0]

    def _found(self) -> Any:
        aravis, source = self._driver.aravis, self.settings.source
        try:
            camera = aravis.Camera.new(None if source == FIRST else source)
        except self._driver.error as error:
            if _is_ip_address(source) or source == FIRST:
                raise CameraError(f"no camera answers ({getattr(error, 'message', error)}); {_LIST_COMMAND}") from None
            camera = self._by_serial_number(source)
        if camera is None:
            raise CameraError(f"no camera answers; {_LIST_COMMAND}")
        return camera

    def _by_serial_number(self, source: str) -> Any:
        """Aravis knows ids, names and addresses; the number on the camera's sticker is looked for here."""
        aravis = self._driver.aravis
        aravis.update_device_list()
        places = range(aravis.get_n_devices())
        found = [aravis.get_device_id(place) for place in places]
        same = [found[place] for place in places if aravis.get_device_serial_nbr(place) == source]
        if len(same) != 1:
            seen = ", ".join(name for name in found if name) or "none"
            raise CameraError(f"no camera {source!r} answers; found {seen}")
        with self._driver.saying(f"camera {source!r}"):
            return aravis.Camera.new(same[0])

    def _choose_packet_size(self, camera: Any) -> None:
        """The settings' packet size, or the largest that gets through to here."""
        if not camera.is_gv_device():
            return
        if self.settings.packet_size is None:
            camera.gv_auto_packet_size()
        else:
            camera.gv_set_packet_size_adjustment(self._driver.aravis.GvPacketSizeAdjustment.NEVER)
            camera.gv_set_packet_size(self.settings.packet_size)

    def _started(self, camera: Any) -> Any:
        """A stream with its buffers."""
        pixels = format_of(camera.get_pixel_format())
        if pixels is None:
            named = camera.get_pixel_format_as_string()
            raise CameraError(f"pixel format {named} cannot be inspected, needed one of {format_names()}")
        region = camera.get_region()
        megapixels = region.width * region.height / 1e6
        payload = camera.get_payload()
        if megapixels > self.settings.max_megapixels or payload > megapixels * 1e6 * _BYTES_A_PIXEL + (1 << 20):
            raise CameraError(
                f"{region.width} x {region.height} pixels in {payload} bytes, "
                f"needed at most max_megapixels = {self.settings.max_megapixels:g}"
            )
        stream = camera.create_stream(None, None)
        if stream is None:
            raise CameraError("the camera gives no stream")
        if camera.is_gv_device():
            # Room for a whole frame, as far as the system allows: see net.core.rmem_max in docs/cameras.md.
            stream.set_property("socket-buffer", self._driver.aravis.GvStreamSocketBuffer.AUTO)
            stream.set_property("frame-retention", int(self.settings.frame_retention_ms * 1e3))
        for _ in range(self.settings.buffers):
            stream.push_buffer(self._driver.aravis.Buffer.new_allocate(payload))
        name = self.settings.name
        _LOG.info("camera %s: %s, %d x %d, %s", name, _described(camera), region.width, region.height, pixels.name)
        return stream

    def _pull_trigger(self, now: float) -> None:
        if self._trigger is None:
            return
        if self._trigger.gave_up(now):
            self._waiting.append(faulty("", "no frame came of the station's trigger"))
        elif self._trigger.is_due(now):
            with self._driver.saying("software trigger"):
                self._camera.software_trigger()
            self._trigger.pulled(now)

    def _take(self, buffer: Any) -> None:
        """Put what a buffer holds, and before it what never came, where `read` finds it; the buffer goes back."""
        try:
            if self._trigger is not None:
                self._trigger.came()
            status = buffer.get_status()
            if status != self._driver.aravis.BufferStatus.SUCCESS:
                # Its number and time are those of the frame that was in the buffer before, if the first packet is lost.
                self._numbers.came_unnumbered()
                self._waiting.append(faulty("", f"it came incomplete ({status.value_nick})"))
                return
            number = int(buffer.get_frame_id())
            self._waiting.extend(never_came("", self._numbers.missing_before(number)))
            self._waiting.append(self._taken(buffer, f"{self.settings.name}, its frame {number}"))
        finally:
            self._stream.push_buffer(buffer)

    def _taken(self, buffer: Any, name: str) -> Taken:
        kinds = self._driver.aravis.BufferPayloadType
        device_ns = int(buffer.get_timestamp()) or None
        if buffer.get_payload_type() not in (kinds.IMAGE, kinds.EXTENDED_CHUNK_DATA):
            return faulty(name, f"it is no image ({buffer.get_payload_type().value_nick})", device_ns)
        pixels = format_of(buffer.get_image_pixel_format())
        if pixels is None:
            return faulty(name, f"its pixel format cannot be inspected, needed one of {format_names()}", device_ns)
        taken, timestamp = time.monotonic(), time.time()
        try:
            image = to_image(
                buffer.get_data(), pixels, buffer.get_image_width(), buffer.get_image_height(), _line_padding(buffer)
            )
        except ValueError as error:
            return faulty(name, f"it is cut short: {error}", device_ns)
        return Taken(image, name, taken, timestamp, device_ns, self._position(buffer))

    def _position(self, buffer: Any) -> float | None:
        """The place that the camera sent with a frame, in the unit of the station."""
        if self._chunks is None:
            return None
        try:
            value = self._chunks.get_integer_value(buffer, self.settings.position_feature)
            return float(value) * self.settings.position_step
        except self._driver.error:
            return None


def _line_padding(buffer: Any) -> int:
    """Bytes after each line; Aravis before 0.8.23 does not tell them."""
    if not hasattr(buffer, "get_image_padding"):
        return 0
    return int(buffer.get_image_padding()[0])


def _is_ip_address(source: str) -> bool:
    try:
        ipaddress.ip_address(source)
    except ValueError:
        return False
    return True


def _described(camera: Any) -> str:
    return f"{camera.get_vendor_name()} {camera.get_model_name()} {camera.get_device_serial_number()}"
