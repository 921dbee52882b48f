"""What the first bytes of an image file say: its size in pixels, before anything is decoded, and whether it is whole.

Only the formats of `nand_edge.images.SUFFIXES` are known, told by content and never by name.
"""

from __future__ import annotations

import struct

_PNG, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_JPEG, _JPEG_SCAN, _JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
_JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TIFF = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MAX_TAGS = 4096

HEAD_BYTES, TAIL_BYTES = 32, 16
"""How much of a file's beginning and end `is_whole` wants to see."""


def image_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels as the header says; None where it is none of the known formats or cut short."""
    try:
        if content.startswith(_PNG):
            width, height = struct.unpack_from(">II", content, 16)
            return width, height
        if content.startswith(_JPEG):
            return _jpeg_size(content)
        if content.startswith(b"BM"):
            return _bmp_size(content)
        if content[:4] in _TIFF:
            return _tiff_size(content)
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _webp_size(content)
    except (struct.error, IndexError):
        pass
    return None


def is_whole(head: bytes, tail: bytes, size: int) -> bool | None:
    """Whether a file was written to its end.

    Args:
        head: Its first `HEAD_BYTES`.
        tail: Its last `TAIL_BYTES`.
        size: Its size in bytes.

    Returns:
        None where its format does not tell.
    """
    if head.startswith(_PNG):
        return tail.endswith(_PNG_END)
    if head.startswith(_JPEG):
        return tail.endswith(_JPEG_END)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return int.from_bytes(head[4:8], "little") + 8 <= size
    if head.startswith(b"BM") and len(head) >= 6:
        announced = int.from_bytes(head[2:6], "little")
        return announced <= size if announced else None
    return None


def is_cut(content: bytes) -> bool:
    """Whether an image file's content ends too early; what other programs append behind its end is no matter."""
    if content.startswith(_JPEG):
        return content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN)
    if content.startswith(_PNG):
        return _PNG_END not in content
    return is_whole(content[:HEAD_BYTES], content[-TAIL_BYTES:], len(content)) is False


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    place = 2
    while True:
        while content[place] != 0xFF:
            return None
        while content[place] == 0xFF:
            place += 1
        marker = content[place]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", content, place + 4)
            return width, height
        if marker == 0xDA:
            return None
        place += 1 + struct.unpack_from(">H", content, place + 1)[0]


def _bmp_size(content: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", content, 18)
    return abs(width), abs(height)


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind = content[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        width, height = content[24:27], content[27:30]
        return int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1
    return None


def _tiff_size(content: bytes) -> tuple[int, int] | None:
    order = _TIFF[content[:4]]
    is_big = content[2:4].strip(b"\0") == b"+"
    (place,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", content, 8 if is_big else 4)
    (tags,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}H", content, place)
    place += 8 if is_big else 2
    found: dict[int, int] = {}
    for _ in range(min(tags, _MAX_TAGS)):
        tag, kind = struct.unpack_from(f"{order}HH", content, place)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and kind in _TIFF_INTEGERS:
            value = place + (12 if is_big else 8)
            (found[tag],) = struct.unpack_from(order + _TIFF_INTEGERS[kind], content, value)
        place += 20 if is_big else 12
    if _TIFF_WIDTH in found and _TIFF_HEIGHT in found:
        return found[_TIFF_WIDTH], found[_TIFF_HEIGHT]
    return None
