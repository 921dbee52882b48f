"""The region of interest: where a frame is inspected, whatever its size.

A region lies on the grid of the maps, M x M over the whole frame, and a cell of it is inspected when its centre is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.signature import MAP_SIZE

REGION_FILE = "region.png"

FrameSize = tuple[int, int]
"""Width and height, pixels."""

_ASPECT_TOLERANCE = 0.02
"""What the proportions of a frame may differ by from those of a mask: sizes are rounded to pixels."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_MAX_BYTES = 64 << 20
_PIXELS_OR_FRACTIONS = "four numbers with commas between: whole pixels, or fractions of the frame from 0 to 1"


@dataclass(frozen=True)
class Region:
    """Where a frame is inspected.

    Attributes:
        map: The graph's input, float32 [M, M], 1 where frames are inspected and 0 where they are not.
        given_as: How it was given, in words.
        aspect: Width over height of the frames that it was drawn for; None when it fits any.
    """

    map: NDArray[np.float32]
    given_as: str
    aspect: float | None = None

    @property
    def share(self) -> float:
        """Inspected share of a frame, in (0, 1]."""
        return float(self.map.mean())

    def require_aspect(self, width: int, height: int) -> None:
        """Refuse frames that the region would fall on in the wrong place.

        Raises:
            NandEdgeError: Their proportions are not those that the region was drawn for.
        """
        if self.aspect is not None and not _same_aspect(self.aspect, width / height):
            raise NandEdgeError(
                f"region ({self.given_as})",
                found=f"a frame of {width}x{height} pixels, {width / height:.3f} times as wide as high",
                needed=f"the proportions that the region was drawn for, {self.aspect:.3f} times as wide as high",
                do="draw it for these frames, or give the rectangle as fractions",
            )


def whole_frame(map_size: int = MAP_SIZE) -> Region:
    """The region that leaves nothing out."""
    return Region(np.ones((map_size, map_size), dtype=np.float32), "the whole frame")


def make_region(
    *,
    rectangle: str | None = None,
    region_mask: Path | None = None,
    ignore_mask: Path | None = None,
    frame_size: FrameSize | None = None,
    map_size: int = MAP_SIZE,
) -> Region | None:
    """The region that a user describes: what lies in the rectangle and in the mask, less what is ignored.

    Args:
        rectangle: `x,y,width,height` in pixels of `frame_size`, or in fractions of the frame.
        region_mask: A PNG of the frame's proportions, not zero where frames are inspected.
        ignore_mask: The same, not zero where they are not.
        frame_size: Width and height of the frames, if known.
        map_size: Side M of the maps.

    Returns:
        The region; None when nothing was given.

    Raises:
        NandEdgeError: A rectangle that is none or leaves the frame, a mask that cannot be read or has other
            proportions than the frames, or nothing is left to inspect.
    """
    parts: list[Region] = []
    if rectangle is not None:
        parts.append(_rectangle(rectangle, frame_size, map_size))
    if region_mask is not None:
        parts.append(_mask(region_mask, frame_size, map_size, "inspected"))
    if ignore_mask is not None:
        drawn = _mask(ignore_mask, frame_size, map_size, "ignored")
        parts.append(Region(1 - drawn.map, drawn.given_as, drawn.aspect))
    if not parts:
        return None
    return _joined(parts)


def parse_frame_size(text: str) -> FrameSize:
    """`WIDTHxHEIGHT` in pixels, such as 1920x1080.

    Raises:
        NandEdgeError: It is something else.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise NandEdgeError("--frame-size", found=repr(text), needed="WIDTHxHEIGHT in pixels", do="give 1920x1080, say")
    return int(width), int(height)


def size_of_frames(frames: Iterable[NDArray[np.uint8]]) -> FrameSize | None:
    """Width and height of frames [H, W, 3] when all have the same, else None."""
    sizes = {(frame.shape[1], frame.shape[0]) for frame in frames}
    return sizes.pop() if len(sizes) == 1 else None


def write_region(region: Region, path: Path) -> None:
    """Write a region as a PNG of the map's size, white where frames are inspected; whole or not at all."""
    import cv2

    _, encoded = cv2.imencode(".png", (region.map * 255).astype(np.uint8))
    with whole_file(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def read_region_map(path: Path, map_size: int) -> NDArray[np.float32]:
    """The map that `write_region` wrote, float32 [M, M].

    Raises:
        NandEdgeError: The file is no such PNG.
    """
    drawn = _read_png(path)
    if drawn.shape != (map_size, map_size) or not drawn.any():
        raise NandEdgeError(
            f"region {str(path)!r}",
            found=f"{drawn.shape[1]}x{drawn.shape[0]} pixels, {int(drawn.sum())} of them inspected",
            needed=f"{map_size}x{map_size} pixels, white where frames are inspected",
            do="export the bundle again",
        )
    return drawn.astype(np.float32)


def _rectangle(text: str, frame_size: FrameSize | None, map_size: int) -> Region:
    """`x,y,width,height`: fractions when no number is over 1, for a rectangle of one pixel is never meant."""
    x, y, width, height = _four_numbers(text)
    fractions = max(x, y, width, height) <= 1
    if not fractions and frame_size is None:
        raise _unsuitable(
            text,
            "pixels of frames whose size is not known",
            "the frames' size beside it, or fractions",
            "add --frame-size WIDTHxHEIGHT",
        )
    across, down = (1.0, 1.0) if fractions or frame_size is None else frame_size
    # Fractions such as 0.1 + 0.9 may be a rounding error beyond 1.
    if min(x, y) < 0 or min(width, height) <= 0 or x + width > across + 1e-9 or y + height > down + 1e-9:
        frame = "the frame" if fractions else f"the frame of {across:g}x{down:g} pixels"
        raise _unsuitable(text, f"a rectangle that is empty or leaves {frame}", f"one inside {frame}", "correct it")
    centres = (np.arange(map_size) + 0.5) / map_size
    columns = (centres >= x / across) & (centres < (x + width) / across)
    rows = (centres >= y / down) & (centres < (y + height) / down)
    given_as = f"rectangle {text}" + ("" if fractions else f" of {across:g}x{down:g} pixels")
    return Region((rows[:, None] & columns).astype(np.float32), given_as, None if fractions else across / down)


def _four_numbers(text: str) -> tuple[float, float, float, float]:
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise _unsuitable(
            text, "something else", _PIXELS_OR_FRACTIONS, "give x,y,width,height: 100,50,800,600, or 0.1,0.1,0.8,0.8"
        ) from None
    numbers = (x, y, width, height)
    if not np.all(np.isfinite(numbers)) or (max(numbers) > 1 and any(number % 1 for number in numbers)):
        raise _unsuitable(text, "pixels and fractions mixed", _PIXELS_OR_FRACTIONS, "give one or the other")
    return numbers


def _mask(path: Path, frame_size: FrameSize | None, map_size: int, meaning: str) -> Region:
    drawn = _read_png(path)
    height, width = drawn.shape
    if frame_size is not None and not _same_aspect(width / height, frame_size[0] / frame_size[1]):
        raise NandEdgeError(
            f"mask {str(path)!r}",
            found=f"{width}x{height} pixels",
            needed=f"the proportions of the frames, {frame_size[0]}x{frame_size[1]}",
            do="draw it over a frame of the camera that is used",
        )
    rows, columns = (((np.arange(map_size) + 0.5) * side / map_size).astype(int) for side in (height, width))
    given_as = f"{meaning} where {path.name} ({width}x{height}) is not zero"
    return Region(drawn[rows][:, columns].astype(np.float32), given_as, width / height)


def _read_png(path: Path) -> NDArray[np.bool_]:
    """Where a PNG is not zero, bool [H, W]; what is transparent counts as zero."""
    import cv2

    image = None
    try:
        content = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else b""
        if content.startswith(_PNG_START):
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        found = "a file that is no PNG, is cut short or has over 64 MiB"
    except OSError as error:
        found = error.strerror or type(error).__name__
    except cv2.error:
        found = "a PNG that cannot be decoded"
    if image is None:
        raise NandEdgeError(
            f"mask {str(path)!r}",
            found=found,
            needed="a whole PNG, in which every pixel is what was drawn",
            do="check the path, or save the mask as PNG",
        )
    image = image[:, :, None] if image.ndim == 2 else image
    colours, alpha = (image[:, :, :-1], image[:, :, -1]) if image.shape[2] in (2, 4) else (image, None)
    drawn: NDArray[np.bool_] = np.any(colours != 0, axis=2)
    return drawn if alpha is None else drawn & (alpha != 0)


def _joined(parts: list[Region]) -> Region:
    aspects = [part.aspect for part in parts if part.aspect is not None]
    given_as = "; ".join(part.given_as for part in parts)
    if any(not _same_aspect(aspects[0], aspect) for aspect in aspects):
        raise NandEdgeError(
            f"region ({given_as})",
            found="parts of different proportions",
            needed="one size of frames for all",
            do="draw the masks over the same frame",
        )
    joint = np.prod([part.map for part in parts], axis=0, dtype=np.float32)
    if not joint.any():
        raise NandEdgeError(
            f"region ({given_as})",
            found="nothing that is left to inspect",
            needed="some part of the frame",
            do="check what is white: in an ignore mask what is not inspected, in a region mask what is",
        )
    return Region(joint, given_as, aspects[0] if aspects else None)


def _same_aspect(one: float, other: float) -> bool:
    return abs(one / other - 1) <= _ASPECT_TOLERANCE


def _unsuitable(text: str, found: str, needed: str, do: str) -> NandEdgeError:
    return NandEdgeError(f"--region {text}", found=found, needed=needed, do=do)
