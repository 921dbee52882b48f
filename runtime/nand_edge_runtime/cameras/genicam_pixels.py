"""Pixel formats of GenICam cameras: what a camera sends, as grey or BGR with 8 bits."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_TO_BGR = {
    # GenICam names a mosaic by its first four pixels' first two, and so do these of OpenCV's names.
    "BayerRG": cv2.COLOR_BayerRGGB2BGR,
    "BayerGR": cv2.COLOR_BayerGRBG2BGR,
    "BayerGB": cv2.COLOR_BayerGBRG2BGR,
    "BayerBG": cv2.COLOR_BayerBGGR2BGR,
    "RGB": cv2.COLOR_RGB2BGR,
    "RGBa": cv2.COLOR_RGBA2BGR,
    "BGRa": cv2.COLOR_BGRA2BGR,
    "YUV422_8_UYVY": cv2.COLOR_YUV2BGR_UYVY,
    "YUV422_8": cv2.COLOR_YUV2BGR_YUY2,
}


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of one format lie in a buffer.

    Attributes:
        name: Its name in the Pixel Format Naming Convention, as a camera's `PixelFormat` feature has it.
        code: Its number there.
        colours: The key of `_TO_BGR`; empty for grey and for BGR itself.
        channels: Values a pixel.
        bits: Significant bits a value; more than 8 lie in 16-bit words, the least significant byte first.
    """

    name: str
    code: int
    colours: str
    channels: int = 1
    bits: int = 8

    def bytes_of(self, width: int, height: int) -> int:
        """Bytes of an image without padding."""
        return width * height * self.channels * (1 if self.bits == 8 else 2)


def _mono_and_bayer() -> list[PixelFormat]:
    mono = {8: 0x01080001, 10: 0x01100003, 12: 0x01100005, 14: 0x01100025, 16: 0x01100007}
    first_bayer = {8: 0x01080008, 10: 0x0110000C, 12: 0x01100010, 16: 0x0110002E}
    formats = [PixelFormat(f"Mono{bits}", code, "", bits=bits) for bits, code in mono.items()]
    for bits, code in first_bayer.items():
        formats += [
            PixelFormat(f"Bayer{order}{bits}", code + place, f"Bayer{order}", bits=bits)
            for place, order in enumerate(("GR", "RG", "GB", "BG"))
        ]
    return formats


FORMATS = (
    *_mono_and_bayer(),
    PixelFormat("RGB8", 0x02180014, "RGB", channels=3),
    PixelFormat("BGR8", 0x02180015, "", channels=3),
    PixelFormat("RGBa8", 0x02200016, "RGBa", channels=4),
    PixelFormat("BGRa8", 0x02200017, "BGRa", channels=4),
    PixelFormat("YUV422_8_UYVY", 0x0210001F, "YUV422_8_UYVY", channels=2),
    PixelFormat("YUV422_8", 0x02100032, "YUV422_8", channels=2),
)
"""What can be inspected. The packed formats (Mono12p and the like) cannot: a camera that has them has these too."""

_BY_CODE = {known.code: known for known in FORMATS}


def format_of(code: int) -> PixelFormat | None:
    """The format of this number of the Pixel Format Naming Convention, or None when it cannot be inspected."""
    # Aravis gives numbers as signed 32-bit integers.
    return _BY_CODE.get(code & 0xFFFFFFFF)


def format_names() -> str:
    """The formats that can be inspected, for a sentence."""
    return ", ".join(known.name for known in FORMATS)


def to_image(data: bytes, pixels: PixelFormat, width: int, height: int, line_padding: int = 0) -> NDArray[np.uint8]:
    """The image of a buffer's bytes.

    Args:
        data: The bytes that the camera sent; what follows the image (chunks, say) is left out.
        pixels: The format of its pixels.
        width: Pixels a line.
        height: Lines.
        line_padding: Bytes that follow each line.

    Returns:
        uint8 [height, width] grey or [height, width, 3] BGR; of values with more bits the most significant 8. It may
        share its memory with `data`, and cannot be written to then.

    Raises:
        ValueError: There are fewer bytes than the image has, or no pixels.
    """
    line_bytes = pixels.bytes_of(width, 1)
    needed = (line_bytes + line_padding) * height
    values = np.frombuffer(data, np.uint8)
    if height < 1 or width < 1 or values.size < needed:
        raise ValueError(f"{values.size} bytes for {width} x {height} pixels of {pixels.name}")
    lines = values[:needed].reshape(height, line_bytes + line_padding)[:, :line_bytes]
    if pixels.bits > 8:
        lines = (np.ascontiguousarray(lines).view("<u2") >> (pixels.bits - 8)).astype(np.uint8)
    image = lines.reshape(height, width, pixels.channels) if pixels.channels > 1 else lines
    if not pixels.colours:
        return image
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), _TO_BGR[pixels.colours]), np.uint8)
