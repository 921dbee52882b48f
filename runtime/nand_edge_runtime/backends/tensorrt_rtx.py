"""TensorRT-RTX: GPUs in industrial PCs, with an engine built ahead on any machine. Built, not run."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any, ClassVar

from nand_edge.bundle import Bundle
from nand_edge.cache_folder import cache_folder
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.manifest import EngineRecord, Target
from nand_edge_runtime.backends.cuda_engine import CudaEngineBackend
from nand_edge_runtime.backends.protocol import BackendOptions

_log = logging.getLogger(__name__)


class TensorRTRTXBackend(CudaEngineBackend):
    """Runs an engine of TensorRT-RTX 1.7 or later.

    Its kernels are compiled for the GPU as they are needed and kept in the user's cache folder, so that the next start
    is a quick one. CUDA graphs are its own affair: it records them itself, for any number of shapes.
    """

    target: ClassVar[Target] = Target.TENSORRT_RTX
    modules: ClassVar[tuple[str, ...]] = ("tensorrt_rtx", "tensorrt_rtx_bindings")
    package: ClassVar[str] = "tensorrt_rtx"
    extra: ClassVar[str] = "rtx"

    def _create_context(self, bundle: Bundle, options: BackendOptions) -> Any:
        config = self._engine.create_runtime_config()
        self._kernels = KernelCache(config, _cache_file(bundle, self._record, str(self._trt.__version__)))
        self._asks_for_graphs = options.cuda_graphs
        if options.cuda_graphs:
            config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return self._engine.create_execution_context(config)

    def _records(self, options: BackendOptions) -> bool:  # noqa: ARG002 - TensorRT-RTX does it, see _create_context
        return False

    def _after_run(self) -> None:
        if self._kernels.written:
            return
        # By now the kernels of these shapes are compiled; a station that is switched off never gets to close().
        self._kernels.write()
        if self._asks_for_graphs and not self._context.is_stream_capturable(self._cuda.stream):
            _log.warning("engine %s runs without CUDA graphs: TensorRT-RTX cannot record it", self._record.file)

    def _before_close(self) -> None:
        self._kernels.write()


class KernelCache:
    """The kernels that TensorRT-RTX compiled for this GPU, in a file of the user's cache folder.

    A cache of another GPU, driver or version is refused by TensorRT-RTX itself, and then written anew.

    Args:
        config: TensorRT-RTX's runtime configuration, which takes the cache.
        path: The file.
    """

    def __init__(self, config: Any, path: Path) -> None:
        self._path = path
        self._cache = config.create_runtime_cache()
        self._content = self._read()
        if self._content and not self._cache.deserialize(self._content):
            _log.info("compiled kernels in %s are of another GPU, driver or version: compiled anew", path)
            self._content = b""
        config.set_runtime_cache(self._cache)
        self.written = False

    def write(self) -> None:
        """Keep what is compiled by now; a folder that cannot be written is a warning, since it only costs time."""
        self.written = True
        content = bytes(self._cache.serialize())
        if content == self._content:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self._path) as temporary:
                temporary.write_bytes(content)
        except (OSError, NandEdgeError) as error:
            _log.warning("compiled kernels not kept, so the next start is as slow: %s", error)
        self._content = content

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError:
            return b""


def _cache_file(bundle: Bundle, record: EngineRecord, version: str) -> Path:
    """A file for this engine and this version; the engine is known by its content."""
    content = bundle.manifest.files.get(record.file)
    identity = content.sha256 if content else hashlib.sha256(record.file.encode()).hexdigest()
    return cache_folder() / "tensorrt-rtx" / f"{identity[:16]}-{version}.kernels"
