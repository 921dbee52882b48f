"""Frames from files and arrays: whatever a camera or a disk gives becomes uint8 BGR, or is refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MAX_SIDE = 16384
_UINT16_TO_UINT8 = 257  # 65535 / 255, so white stays white
_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def list_images(folder: Path | str) -> list[Path]:
    """The images that lie directly in a folder, sorted by name.

    Hidden files and files with other suffixes than `SUFFIXES` are left out.

    Raises:
        NandEdgeError: The folder does not exist, is no folder, or has no image.
    """
    folder = Path(folder)
    kinds = "an image (" + ", ".join(suffix[1:] for suffix in SUFFIXES) + ")"
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise NandEdgeError(f"folder {str(folder)!r}", found=found, needed="a folder of images", do="check the path")
    files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    images = sorted(path for path in files if path.is_file())
    if not images:
        raise NandEdgeError(
            f"folder {str(folder)!r}",
            found="no image directly in it",
            needed=f"at least {kinds}",
            do="give the folder that holds the images themselves",
        )
    return images


def read_frame(path: Path | str) -> NDArray[np.uint8]:
    """Read an image file as a frame, uint8 [H, W, 3] BGR.

    Grey becomes three equal channels, 16-bit is divided by 257, an alpha channel is dropped, and the orientation in a
    photograph's EXIF data is applied.

    Raises:
        NandEdgeError: The file is missing, empty, cut short, no image, or holds what `as_frame` refuses.
    """
    path = Path(path)
    name = f"image {str(path)!r}"
    try:
        content = path.read_bytes()
    except OSError as error:
        found = error.strerror or "a file that cannot be read"
        raise NandEdgeError(name, found=found, needed="an image file", do="check the path") from None
    if not content:
        raise _unreadable(name, "an empty file")
    if _is_cut_jpeg(content):
        raise _unreadable(name, "a JPEG that was cut short")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:
        image = None
    if image is None:
        raise _unreadable(name, f"{len(content)} bytes that OpenCV cannot decode")
    return as_frame(image, name)


def as_frame(array: NDArray[Any], name: str = "frame") -> NDArray[np.uint8]:
    """Turn an image as a camera or OpenCV gives it into a frame, uint8 [H, W, 3] BGR.

    Args:
        array: uint8 or uint16; [H, W] or [H, W, 1] grey, [H, W, 3] BGR, or [H, W, 4] BGRA (alpha is dropped).
        name: What an error calls it.

    Returns:
        A contiguous array; `array` itself where nothing had to be changed.

    Raises:
        NandEdgeError: The array is empty, of another type or shape, or over 16,384 pixels on a side.
    """
    image = np.asarray(array)
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise _refused(name, f"an array of shape {list(array.shape)}", "[H, W], [H, W, 1], [H, W, 3] or [H, W, 4]")
    if image.dtype not in (np.uint8, np.uint16):
        raise _refused(name, f"{image.dtype} pixels", "uint8 or uint16 pixels")
    height, width, channels = image.shape
    if not 0 < min(height, width) <= max(height, width) <= MAX_SIDE:
        raise _refused(name, f"{width} x {height} pixels", f"1 to {MAX_SIDE} pixels a side")
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + _UINT16_TO_UINT8 // 2) // _UINT16_TO_UINT8).astype(np.uint8)
    image = np.repeat(image, 3, axis=2) if channels == 1 else image[:, :, :3]
    return np.ascontiguousarray(image, dtype=np.uint8)


def _is_cut_jpeg(content: bytes) -> bool:
    """Whether a JPEG's last scan has no end: older OpenCV decodes such a file and fills the rest with grey."""
    return content.startswith(_JPEG_START) and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN)


def _unreadable(name: str, found: str) -> NandEdgeError:
    return NandEdgeError(name, found=found, needed="a whole image file", do="copy it again or remove it")


def _refused(name: str, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(name, found=found, needed=needed, do="convert it before it is given to nand-edge")
