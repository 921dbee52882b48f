"""Dark and flat-field correction: every column of the sensor gives the same grey for the same light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.line_scan.settings import LineScanSettings

_MAX_BYTES = 256 << 20
_MAX_COLUMNS = 1 << 17
_MAX_HEADER = 1 << 12
_LINES = 64
"""So many lines are corrected in one go: their references and results stay in the processor's cache."""
_LARGEST_GAIN = 32.0
_FULL = {np.dtype(np.uint8): 1.0, np.dtype(np.uint16): 257.0}
"""What a grey level is worth in a reference of 8 or 16 bit."""


class Correction:
    """Corrects lines: (line - dark) * level / (flat - dark), each column by itself.

    Args:
        dark: float32 [W] or [W, 3], grey values from 0 to 255 without light.
        flat: float32 [W] or [W, 3], grey values of an even, bright web.
        level: What the flat reference becomes.

    Raises:
        NandEdgeError: The references differ in size, or the flat one is hardly brighter than the dark one.
    """

    def __init__(self, dark: NDArray[np.float32], flat: NDArray[np.float32], level: float) -> None:
        if dark.shape != flat.shape:
            raise NandEdgeError(
                "dark and flat reference",
                found=f"{_size(dark)} and {_size(flat)}",
                needed="two of one size",
                do="take both with the camera as it is set now",
            )
        light = flat - dark
        weakest = float(light.min())
        if weakest * _LARGEST_GAIN < level:
            raise NandEdgeError(
                "flat reference",
                found=f"a column only {weakest:.1f} grey values brighter than the dark reference",
                needed=f"at least {level / _LARGEST_GAIN:.1f} in every column",
                do="clean the optics, put an even bright web under the camera, and take it again",
            )
        self.shape = dark.shape
        self._dark = np.repeat(dark[None], _LINES, axis=0)
        self._gain = np.repeat((level / light)[None].astype(np.float32), _LINES, axis=0)

    def apply(self, lines: NDArray[np.uint8]) -> None:
        """Correct lines in place: uint8 [N, W] or [N, W, 3], with results rounded and held within 0 to 255."""
        for start in range(0, len(lines), _LINES):
            some = lines[start : start + _LINES]
            lit = cv2.subtract(some, self._dark[: len(some)], dtype=cv2.CV_32F)
            cv2.multiply(lit, self._gain[: len(some)], dst=some, dtype=cv2.CV_8U)

    def fits(self, lines: NDArray[np.uint8]) -> bool:
        """Whether the references are of these lines' width and colours."""
        return lines.shape[1:] == self.shape


def read_correction(settings: LineScanSettings) -> Correction | None:
    """The correction that the settings want; None when they want none.

    Raises:
        NandEdgeError: A reference cannot be read, or cannot be one.
    """
    dark = None if settings.dark is None else read_reference(settings.dark)
    if settings.flat is not None:
        flat = read_reference(settings.flat)
        return Correction(np.zeros_like(flat) if dark is None else dark, flat, settings.flat_level)
    if dark is None:
        return None
    return Correction(dark, np.full_like(dark, 255.0), 255.0 - float(dark.mean()))


def read_reference(path: Path) -> NDArray[np.float32]:
    """A reference as one line, the mean of those in the file: float32 [W] or [W, 3], grey values from 0 to 255.

    Args:
        path: A .npy file (uint8, uint16, or floats from 0 to 255) or a PNG of 8 or 16 bit: [W], [N, W] or [N, W, 3].

    Raises:
        NandEdgeError: It cannot be read, is too large or is none.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _refused(path, f"more than {_MAX_BYTES >> 20} MiB")
        pixels = _pixels(path)
    except OSError as error:
        raise _refused(path, error.strerror or "a file that cannot be read") from None
    except (ValueError, EOFError, cv2.error):
        raise _refused(path, "no array and no image") from None
    if pixels is None or pixels.size == 0:
        raise _refused(path, "no array and no image")
    pixels = pixels[None] if pixels.ndim == 1 else pixels
    of_a_web = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    known = pixels.dtype in _FULL or pixels.dtype.kind == "f"
    if not (of_a_web and known and pixels.shape[1] <= _MAX_COLUMNS and np.isfinite(pixels).all()):
        raise _refused(path, f"{pixels.dtype} of shape {pixels.shape}")
    line = pixels.mean(axis=0, dtype=np.float64) / _FULL.get(pixels.dtype, 1.0)
    return np.asarray(line, np.float32)


def _pixels(path: Path) -> NDArray[Any] | None:
    if path.suffix.lower() == ".npy":
        stored: NDArray[Any] = np.load(path, allow_pickle=False, max_header_size=_MAX_HEADER)
        return stored
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if encoded.size else None


def _refused(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"reference {str(path)!r}",
        found=found,
        needed=".npy or PNG with lines of the web: uint8, uint16, or floats from 0 to 255",
        do="take the reference again, and see docs/line-scan.md",
    )


def _size(line: NDArray[np.float32]) -> str:
    return f"{line.shape[0]} columns" + (" in colour" if line.ndim == 2 else "")
