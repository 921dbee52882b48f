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
        self._left_out: list[str] = []
        self._next = 0
        self._pace = Pace(settings.frames_per_second)

    def open(self) -> None:
        """List the images.

        Raises:
            CameraError: There are none.
        """
        source = Path(self.settings.source)
        try:
            self._paths, left_out = ([source], []) if source.is_file() else _within(source)
        except (NandEdgeError, OSError) as error:
            raise CameraError(str(error)) from None
        self._tell(left_out)
        if not self._paths:
            raise CameraError(f"folder {str(source)!r} has only links that lead out of it")
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

    def _tell(self, left_out: list[str]) -> None:
        """Say once what is left out: a folder is listed at every round."""
        if left_out and left_out != self._left_out:
            _LOG.warning(
                "folder %r: %d links lead out of it and are left out, the first is %r",
                self.settings.source, len(left_out), left_out[0],
            )  # fmt: skip
        self._left_out = left_out


def _within(folder: Path) -> tuple[list[Path], list[str]]:
    """The folder's images, each by the path that its links lead to, and the names of links that lead out of it."""
    root = folder.resolve()
    paths, left_out = [], []
    for path in list_images(folder):
        place = path.resolve() if path.is_symlink() else path
        if path.is_symlink() and not place.is_relative_to(root):
            left_out.append(path.name)
        else:
            paths.append(place)
    return paths, left_out
