"""A folder of images, or one image, as a camera: in the order of their names, once or again and again."""

from __future__ import annotations

import logging
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images
from nand_edge_runtime.cameras.image_files import take_file
from nand_edge_runtime.cameras.pace import Pace
from nand_edge_runtime.cameras.protocol import Camera, CameraError, EndOfSourceError, Taken
from nand_edge_runtime.cameras.settings import CameraSettings

_LOG = logging.getLogger(__name__)


class FolderCamera(Camera):
    """Reads image files; one that cannot be read is a frame with a fault.

    Links that lead out of the folder are left out.

    Args:
        settings: `source` is the folder or the image.
    """

    def __init__(self, settings: CameraSettings) -> None:
        super().__init__(settings)
        self._paths: list[Path] = []
        self._next = 0
        self._pace = Pace(settings.frames_per_second)

    def open(self) -> None:
        """List the images.

        Raises:
            CameraError: There are none.
        """
        source = Path(self.settings.source)
        try:
            self._paths = [source] if source.is_file() else _within(source)
        except (NandEdgeError, OSError) as error:
            raise CameraError(str(error)) from None
        self._next = 0

    def read(self, timeout_s: float) -> Taken | None:
        """The next image, at its time; see `Camera`."""
        if self._next == len(self._paths):
            if not self.settings.loop:
                raise EndOfSourceError
            self.open()
        if not self._pace.wait(timeout_s):
            return None
        path = self._paths[self._next]
        self._next += 1
        return take_file(path, self.settings.max_megapixels)

    def close(self) -> None:
        """Nothing is held open."""


def _within(folder: Path) -> list[Path]:
    """The folder's images, each by the path that its links lead to."""
    root = folder.resolve()
    paths = []
    for path in list_images(folder):
        place = path.resolve() if path.is_symlink() else path
        if path.is_symlink() and not place.is_relative_to(root):
            _LOG.warning("%r in folder %r leads out of it and is left out", path.name, str(folder))
        else:
            paths.append(place)
    if not paths:
        raise CameraError(f"folder {str(folder)!r} has only links that lead out of it")
    return paths
