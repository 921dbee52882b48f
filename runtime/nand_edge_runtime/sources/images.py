"""Image files: one, or all of a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.images import read_frame
from nand_edge_runtime.sources.protocol import Frame


class ImageSource:
    """Reads image files in the order given.

    Args:
        paths: The files.
        skip_bad: Pass over files that cannot be read, and count them, instead of raising.
    """

    def __init__(self, paths: Sequence[Path], *, skip_bad: bool = False) -> None:
        self._paths = tuple(paths)
        self._skip_bad = skip_bad
        self._skipped = 0

    @property
    def length(self) -> int | None:
        """Number of files."""
        return len(self._paths)

    @property
    def skipped(self) -> int:
        """Number of unreadable files passed over so far."""
        return self._skipped

    def __iter__(self) -> Iterator[Frame]:
        """Read the files; see `Source`."""
        self._skipped = 0
        for index, path in enumerate(self._paths):
            try:
                image = read_frame(path)
            except NandEdgeError:
                if not self._skip_bad:
                    raise
                self._skipped += 1
                continue
            yield Frame(image, str(path), index, time.time())
