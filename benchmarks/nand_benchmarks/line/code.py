"""A code in a picture that tells its part and number: the truth of a stream, whose frames have no names."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from nand_benchmarks.line.parts import SIZE, Part, picture

_PARTS = tuple(Part)
_NUMBER_BITS, _PART_BITS, _CHECK_BITS = 24, 2, 6
_BITS = _NUMBER_BITS + _PART_BITS + _CHECK_BITS
_WIDTH, _HEIGHT = SIZE[1] // _BITS, 16
_DARK, _LIGHT = 10, 110
"""Far apart for a JPEG, and both far below the detector's threshold."""


def coded_picture(part: Part, number: int, *, of: int = 16) -> NDArray[np.uint8]:
    """A part's picture with its code in the uppermost rows.

    Args:
        part: What it is.
        number: Below 2 ** 24.
        of: How many different pictures there are beneath the codes.
    """
    image: NDArray[np.uint8] = _drawn(part, number % of).copy()
    bits = _bits(part, number)
    image[:_HEIGHT] = np.where(bits, _LIGHT, _DARK).repeat(_WIDTH)[np.newaxis, :, np.newaxis]
    return image


def read_code(image: NDArray[np.uint8]) -> tuple[Part, int] | None:
    """The part and number of a picture; None where there is no whole code in it.

    Args:
        image: uint8 [`SIZE`, 3] BGR.
    """
    if image.shape[:2] != SIZE:
        return None
    grey = image[_HEIGHT // 4 : _HEIGHT * 3 // 4].mean(axis=(0, 2)).reshape(_BITS, _WIDTH)
    bits = grey[:, _WIDTH // 4 : _WIDTH * 3 // 4].mean(axis=1) > (_DARK + _LIGHT) / 2
    value = int("".join("1" if bit else "0" for bit in bits[: _NUMBER_BITS + _PART_BITS]), 2)
    part, number = _PARTS[value >> _NUMBER_BITS], value & ((1 << _NUMBER_BITS) - 1)
    return (part, number) if np.array_equal(bits, _bits(part, number)) else None


def jpeg(image: NDArray[np.uint8]) -> bytes:
    """A baseline JPEG with the standard's Huffman tables, which RTP leaves out."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_OPTIMIZE, 0])
    return encoded.tobytes()


_pictures: dict[tuple[Part, int], NDArray[np.uint8]] = {}


def _drawn(part: Part, number: int) -> NDArray[np.uint8]:
    if (part, number) not in _pictures:
        _pictures[part, number] = picture(part, number)
    return _pictures[part, number]


def _bits(part: Part, number: int) -> NDArray[np.bool_]:
    value = _PARTS.index(part) << _NUMBER_BITS | number
    check = zlib.crc32(value.to_bytes(4, "big")) & ((1 << _CHECK_BITS) - 1)
    whole = value << _CHECK_BITS | check
    return np.array([bool(whole >> place & 1) for place in reversed(range(_BITS))])
