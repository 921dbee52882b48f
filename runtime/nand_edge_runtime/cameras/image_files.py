"""Image files as frames: one that cannot be read, or is too large to be decoded, is a frame with the fault."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.images import as_frame
from nand_edge_runtime.cameras.image_header import HEAD_BYTES, TAIL_BYTES, image_size, is_cut, is_whole
from nand_edge_runtime.cameras.protocol import BLACK_PIXEL, Taken

_BYTES_A_PIXEL = 8
"""Four channels of 16 bits: an image file that takes more a pixel holds something else."""

_BESIDE_PIXELS = 4 << 20

# A link is not followed and a pipe does not make us wait, even if one takes the file's place after the look at it.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def take_file(path: Path, max_megapixels: float, taken: float | None = None) -> Taken:
    """Read an image file, whatever it holds.

    Args:
        path: The file; a link is not followed.
        max_megapixels: What is larger is not decoded.
        taken: When it counts as taken, seconds of `time.monotonic()`; now if not given.
    """
    image, fault, changed = BLACK_PIXEL, "", None
    try:
        changed = path.lstat().st_mtime_ns
        image = read_image(path, max_megapixels)
    except OSError as error:
        fault = f"found {error.strerror or type(error).__name__}, needed a file that can be read"
    except NandEdgeError as error:
        fault = f"found {error.found}, needed {error.needed}"
    now = time.monotonic()
    return Taken(image, str(path), now if taken is None else taken, time.time(), changed, fault=fault)


def read_image(path: Path, max_megapixels: float) -> NDArray[np.uint8]:
    """Read an image file as a frame, uint8 [H, W, 3] BGR; see `nand_edge.images.read_frame`.

    Raises:
        NandEdgeError: It cannot be read, is no whole image, or is too large.
    """
    name = f"image {str(path)!r}"
    return decode_image(_read(path, name, most_bytes(max_megapixels)), name, max_megapixels)


def most_bytes(max_megapixels: float) -> int:
    """How large a file of so many pixels can be."""
    return int(max_megapixels * 1e6 * _BYTES_A_PIXEL) + _BESIDE_PIXELS


def decode_image(content: bytes, name: str, max_megapixels: float) -> NDArray[np.uint8]:
    """Decode an image file's content; see `read_image`.

    Raises:
        NandEdgeError: It is no whole image, or is too large.
    """
    size = image_size(content)
    if size is None:
        found = "an empty file" if not content else f"{len(content)} bytes that are no image"
        raise _refused(name, found, "a PNG, JPEG, BMP, TIFF or WebP")
    width, height = size
    if width * height > max_megapixels * 1e6:
        raise _refused(name, f"{width} x {height} pixels", f"at most {max_megapixels:g} megapixels")
    if is_cut(content):
        raise _refused(name, "a file that was cut short", "a whole image")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        image = None
    if image is None:
        raise _refused(name, f"{len(content)} bytes that cannot be decoded", "a whole image")
    return as_frame(image, name)


def whole_on_disk(path: Path) -> bool | None:
    """Whether a file's end is there; None where its format does not tell.

    Raises:
        OSError: It cannot be read.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        size = os.fstat(descriptor).st_size
        head = os.read(descriptor, HEAD_BYTES)
        os.lseek(descriptor, max(size - TAIL_BYTES, 0), os.SEEK_SET)
        return is_whole(head, os.read(descriptor, TAIL_BYTES), size)
    finally:
        os.close(descriptor)


def _read(path: Path, name: str, max_bytes: int) -> bytes:
    try:
        descriptor = os.open(path, _FLAGS)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise _refused(name, "something that is no file", "an image file")
            if found.st_size > max_bytes:
                raise _refused(name, f"{found.st_size} bytes", f"at most {max_bytes} bytes")
            return stream.read(max_bytes + 1)
    except OSError as error:
        raise _refused(name, error.strerror or type(error).__name__, "a file that can be read") from None


def _refused(name: str, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(name, found=found, needed=needed, do="write the file again")
