"""A camera that OpenCV reads: an index, a device, an RTSP or HTTP address, or a GStreamer pipeline."""

from __future__ import annotations

import math
import os
import time
from typing import Any

import cv2
import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras.addresses import credentials, is_address, with_credentials
from nand_edge_runtime.cameras.image_files import decode_image, most_bytes
from nand_edge_runtime.cameras.mjpeg import MjpegStream, open_mjpeg
from nand_edge_runtime.cameras.opencv_capture import open_capture
from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Camera, CameraError, Taken
from nand_edge_runtime.cameras.settings import CameraSettings, Policy

_DEVICE_FOLDER = "/dev/"
_HTTP = ("http://", "https://")
_OWN_TIMEOUT_SHARE = 0.8
"""FFmpeg gives up a little before we do: a stream that stalled is then closed in peace, not ended with its process."""

_SET_UP = {
    "width": cv2.CAP_PROP_FRAME_WIDTH,
    "height": cv2.CAP_PROP_FRAME_HEIGHT,
    "frames_per_second": cv2.CAP_PROP_FPS,
}


class OpenCvCamera(Camera):
    """Reads a live source by `cv2.VideoCapture`, whose calls may hang: it belongs into a process of its own.

    Args:
        settings: `source` is an index, /dev/video*, an address or a pipeline.
    """

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings)
        self._capture: cv2.VideoCapture | None = None
        self._stream: MjpegStream | None = None

    def open(self) -> None:
        """Connect.

        Raises:
            CameraError: There is no answer.
            NandEdgeError: This OpenCV cannot read such a source, or a variable with credentials is not set.
        """
        self.close()
        source = self.settings.source
        if source.lower().startswith(_HTTP):
            self._stream = self._open_http(source)
            if self._stream is not None:
                return
        if is_address(source):
            capture = self._open_address(source)
        elif source.isdecimal() or source.startswith(_DEVICE_FOLDER):
            capture = self._open_device(source)
        else:
            capture = self._open_pipeline(source)
        if not capture.isOpened():
            raise CameraError(f"{self.settings.shown_source} cannot be opened")
        self._capture = capture

    def read(self, timeout_s: float) -> Taken | None:  # noqa: ARG002 - OpenCV's reads take no time-out
        """The next frame; see `Camera`."""
        if self._stream is not None:
            return self._picture(self._stream.read())
        if self._capture is None or not self._capture.grab():
            raise CameraError(f"{self.settings.shown_source} gives no more frames")
        taken, timestamp = time.monotonic(), time.time()
        found, image = self._capture.retrieve()
        if not found or image is None:
            return Taken(BLACK_PIXEL, "", taken, timestamp, fault="it cannot be decoded")
        return Taken(np.asarray(image, dtype=np.uint8), "", taken, timestamp)

    def close(self) -> None:
        """Disconnect."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _picture(self, content: bytes) -> Taken:
        taken, timestamp = time.monotonic(), time.time()
        try:
            image = decode_image(content, "picture", self.settings.max_megapixels)
        except NandEdgeError as error:
            fault = f"found {error.found}, needed {error.needed}"
            return Taken(BLACK_PIXEL, "", taken, timestamp, fault=fault)
        return Taken(image, "", taken, timestamp)

    def _open_http(self, source: str) -> MjpegStream | None:
        """A stream of JPEG pictures; None where the address gives something else, for FFmpeg to read."""
        settings = self.settings
        username, password = credentials(source, settings.username_env, settings.password_env)
        return open_mjpeg(
            source, username, password,
            timeout_s=_OWN_TIMEOUT_SHARE * settings.read_timeout_s,
            max_bytes=most_bytes(settings.max_megapixels),
            verifies_tls=settings.verify_tls,
        )  # fmt: skip

    def _open_address(self, source: str) -> Any:
        settings = self.settings
        username, password = credentials(source, settings.username_env, settings.password_env)
        # Options of FFmpeg that OpenCV takes from the environment alone; with a process a camera it is each one's own.
        options = {
            "rtsp_transport": settings.rtsp_transport, "fflags": "nobuffer", "tls_verify": str(int(settings.verify_tls))
        }  # fmt: skip
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(f"{key};{value}" for key, value in options.items())
        own = 1e3 * _OWN_TIMEOUT_SHARE
        parameters = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, max(int(settings.open_timeout_s * own), 1),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC, max(int(settings.read_timeout_s * own), 1),
            cv2.CAP_PROP_N_THREADS, settings.decoder_threads,
        ]  # fmt: skip
        return open_capture(with_credentials(source, username, password), cv2.CAP_FFMPEG, parameters)

    def _open_device(self, source: str) -> Any:
        os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = str(math.ceil(self.settings.read_timeout_s))
        capture = open_capture(int(source) if source.isdecimal() else source)
        for key, setting in _SET_UP.items():
            value = getattr(self.settings, key)
            if value is not None:
                capture.set(setting, value)
        if self.settings.queue_policy is Policy.LATEST:
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture

    def _open_pipeline(self, source: str) -> Any:
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise NandEdgeError(
                f"camera {self.settings.name!r}",
                found="a GStreamer pipeline, and an OpenCV without GStreamer",
                needed="an OpenCV that was built with GStreamer, as Debian's python3-opencv and JetPack's are",
                do="install that one in the place of opencv-python, or give an address or a device instead",
            )
        return open_capture(source, cv2.CAP_GSTREAMER)
