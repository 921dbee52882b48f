"""Sources of frames: an image, a folder of images, a video file or a camera, told apart by what the user wrote."""

from __future__ import annotations

from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.images import SUFFIXES, list_images
from nand_edge_runtime.sources.images import ImageSource
from nand_edge_runtime.sources.protocol import Frame, Source
from nand_edge_runtime.sources.video import CameraSource, VideoSource

__all__ = ["CameraSource", "Frame", "ImageSource", "Source", "VideoSource", "open_source"]


def open_source(source: str | Path, *, skip_bad: bool = False) -> Source:
    """Open what the user wrote.

    Args:
        source: A camera's index ("0"), a folder of images, an image file or a video file.
        skip_bad: Pass over images that cannot be read, and count them.

    Raises:
        NandEdgeError: There is no such thing, the folder has no images, or the video or camera does not open.
    """
    if str(source).isdecimal() and not Path(source).exists():
        return CameraSource(int(str(source)))
    path = Path(source)
    if path.is_dir():
        return ImageSource(list_images(path), skip_bad=skip_bad)
    if not path.is_file():
        raise NandEdgeError(
            f"source {str(source)!r}",
            found="no such file or folder",
            needed="an image, a folder of images, a video file or a camera's index",
            do="check the path",
        )
    if path.suffix.lower() in SUFFIXES:
        return ImageSource([path], skip_bad=skip_bad)
    return VideoSource(path)
