"""TensorRT's timing cache: how fast each kernel was on this GPU, kept so that a second build need not measure again."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from nand_edge.cache_folder import cache_folder
from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent, whole_file

_log = logging.getLogger(__name__)


class TimingCache:
    """The timings of one file, read into a builder's configuration and written back after the build.

    The file is never part of a bundle: timings help the machine that builds, not the one that runs.

    Args:
        trt: The module `tensorrt`.
        config: The builder's configuration.
        named: The file that a person chose; None takes one in the user's cache folder, a version and a GPU each.
        compute_capability: Of the GPU of this machine.

    Raises:
        NandEdgeError: The named file cannot be read or its folder cannot be written.
    """

    def __init__(self, trt: Any, config: Any, named: Path | None, compute_capability: str) -> None:
        self._config, self._named = config, named
        name = f"timing-{trt.__version__}-sm{compute_capability.replace('.', '')}.cache"
        self.path = named or cache_folder() / "tensorrt" / name
        if named is not None:
            require_writable_parent(named)
        # Kept: TensorRT wants it alive until the engine is built.
        self._cache = config.create_timing_cache(self._read())
        if self._cache is None or not config.set_timing_cache(self._cache, ignore_mismatch=False):
            _log.warning("timings of another TensorRT or GPU in %s: measured anew", self.path)
            self._cache = config.create_timing_cache(b"")
            config.set_timing_cache(self._cache, ignore_mismatch=False)

    def write(self) -> None:
        """Write what is known now. A file that a person named must be written; of the other a warning is enough."""
        content = bytes(self._config.get_timing_cache().serialize())
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.path) as temporary:
                temporary.write_bytes(content)
        except (OSError, NandEdgeError) as error:
            if self._named is not None:
                raise
            _log.warning("timings not kept: %s", error)

    def _read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            if self._named is None:
                _log.warning("timings not read: %s", error)
                return b""
            raise NandEdgeError(
                f"timing cache {str(self.path)!r}",
                found=f"that it cannot be read ({error.strerror})",
                needed="a file that this user may read, or none yet",
                do="choose another file",
            ) from None
