"""Stands in for a GPU where there is none: CUDA's memory calls on the host, TensorRT's on ONNX Runtime.

It has CUDA's order of things: what is put on the stream while it is recorded happens when the recording is played, with
what the memory holds then; waiting for the device spoils a recording; memory comes to an end. So it shows that buffers,
shapes, limits and recordings are handled right; that real engines run, only a device can show. A test holds every name
here against the real packages.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from nand_edge.signature import FRAMES, NORMALITY_BIAS, NORMALITY_FEATURES, THRESHOLD

SUCCESS, OUT_OF_MEMORY, NO_DEVICE, CAPTURE_SPOILED = 0, 2, 100, 901
STREAM = 7
GIB = 1 << 30
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_, "tensor(int32)": np.int32}
LARGEST = {FRAMES: (2, 512, 512, 3), NORMALITY_FEATURES: (4, 1, 2, 8, 4), NORMALITY_BIAS: (4, 1, 2, 8)}
SMALLEST = {FRAMES: (1, 16, 16, 3), NORMALITY_FEATURES: (1, 1, 2, 1, 4), NORMALITY_BIAS: (1, 1, 2, 1)}

PLAIN, WAITS, BRANCH_STAYS, STRIPPED, HUGE = b"plain!", b"waits!", b"stays!", b"bare!!", b"huge!!"
"""What an engine's control flow is like: recordable, waiting for the device to decide, or recorded as it went; further
an engine without its weights, and one that the GPU has no room for."""


def engine_file(graph: bytes, version: tuple[int, int, int, int] = (10, 3, 0, 26), kind: bytes = PLAIN) -> bytes:
    """A serialised engine: a head as TensorRT writes it, what it is like, and the graph that does the work."""
    return b"ftrt" + bytes(20) + bytes(version) + kind + graph


class Cudart:
    """`cuda.bindings.runtime` with one device; each side's memory is a block of its own on the host."""

    cudaError_t = SimpleNamespace(cudaSuccess=SUCCESS, cudaErrorMemoryAllocation=OUT_OF_MEMORY)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaDeviceAttr = SimpleNamespace(cudaDevAttrComputeCapabilityMajor=8, cudaDevAttrComputeCapabilityMinor=6)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self) -> None:
        self._blocks: dict[int, Any] = {}
        self._free = 8 * GIB
        self._allocations = 0
        self._recording: list[Callable[[], None]] | None = None
        self._spoiled = False
        self._recordings = 0
        self._launches = 0
        self._streams = 0

    def _put(self, work: Callable[[], None]) -> None:
        """On the stream: done now, or recorded."""
        if self._recording is None:
            work()
        else:
            self._recording.append(work)

    def cudaGetDeviceCount(self) -> tuple[int, int]:
        return SUCCESS, 1

    def cudaSetDevice(self, _device: int) -> tuple[int]:
        return (SUCCESS,)

    def cudaDeviceGetAttribute(self, attribute: int, _device: int) -> tuple[int, int]:
        return SUCCESS, attribute

    def cudaGetErrorString(self, status: int) -> tuple[int, bytes]:
        return SUCCESS, f"error {status}".encode()

    def cudaMemGetInfo(self) -> tuple[int, int, int]:
        return SUCCESS, self._free, 8 * GIB

    def cudaStreamCreate(self) -> tuple[int, int]:
        self._streams += 1
        return SUCCESS, STREAM

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:
        assert stream == STREAM
        self._spoiled = self._recording is not None
        return (CAPTURE_SPOILED if self._spoiled else SUCCESS,)

    def cudaStreamDestroy(self, stream: int) -> tuple[int]:
        self._streams -= 1
        return self.cudaStreamSynchronize(stream)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[int]:
        assert (stream, mode, self._recording) == (STREAM, 1, None)
        self._recording = []
        return (SUCCESS,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[int, Any]:
        assert stream == STREAM
        recording, spoiled, self._recording, self._spoiled = self._recording, self._spoiled, None, False
        return (CAPTURE_SPOILED, None) if spoiled or recording is None else (SUCCESS, recording)

    def cudaGraphInstantiate(self, graph: list[Callable[[], None]], _flags: int) -> tuple[int, Any]:
        self._recordings += 1
        return SUCCESS, list(graph)

    def cudaGraphLaunch(self, recording: list[Callable[[], None]], stream: int) -> tuple[int]:
        assert stream == STREAM
        self._launches += 1
        for work in recording:
            work()
        return (SUCCESS,)

    def cudaGraphDestroy(self, graph: list[Callable[[], None]]) -> tuple[int]:
        graph.clear()
        return (SUCCESS,)

    def cudaGraphExecDestroy(self, _recording: Any) -> tuple[int]:
        self._recordings -= 1
        return (SUCCESS,)

    def cudaMalloc(self, size: int) -> tuple[int, int]:
        if size > self._free:
            return OUT_OF_MEMORY, 0
        assert self._recording is None, "memory must not be had while a run is recorded"
        block = (ctypes.c_uint8 * size)()
        self._blocks[ctypes.addressof(block)] = block
        self._allocations += 1
        return SUCCESS, ctypes.addressof(block)

    cudaMallocHost = cudaMalloc

    def cudaFree(self, address: int) -> tuple[int]:
        del self._blocks[address]
        return (SUCCESS,)

    cudaFreeHost = cudaFree

    def cudaMemcpyAsync(self, target: int, source: int, size: int, _kind: int, stream: int) -> tuple[int]:
        assert stream == STREAM
        assert size <= min(len(self._blocks[target]), len(self._blocks[source]))
        self._put(lambda: ctypes.memmove(target, source, size))
        return (SUCCESS,)


class Engine:
    """`ICudaEngine` over an ONNX Runtime session."""

    streamable_weights_size = 0

    def __init__(self, cudart: Cudart, kind: bytes, graph: bytes) -> None:
        self._cudart, self._kind = cudart, kind
        self._session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self._bare = kind == STRIPPED
        ports = (*self._session.get_inputs(), *self._session.get_overridable_initializers())
        self._names = [port.name for port in (*ports, *self._session.get_outputs())]

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, index: int) -> str:
        return self._names[index]

    def get_tensor_location(self, _name: str) -> str:
        return TensorLocation.DEVICE

    def get_tensor_profile_shape(self, name: str, _profile: int) -> list[tuple[int, ...]]:
        return [SMALLEST.get(name, ()), SMALLEST.get(name, ()), LARGEST.get(name, ())]

    def get_engine_stat(self, _kind: int) -> int:
        """Bytes of weights that are missing; -1 from an engine that has them."""
        return 1000 if self._kind == STRIPPED else -1

    def create_runtime_config(self) -> RuntimeConfig:
        return RuntimeConfig()

    def create_execution_context(self, config: RuntimeConfig | None = None) -> Context:
        assert not self._bare, "an engine without weights must not run"
        return Context(self._cudart, self._session, self._kind, config)


class Context:
    """`IExecutionContext`: reads and writes the addresses that it was given."""

    def __init__(
        self, cudart: Cudart, session: onnxruntime.InferenceSession, kind: bytes, config: RuntimeConfig | None
    ) -> None:
        self._cudart, self._session, self._kind, self._config = cudart, session, kind, config
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = tuple(shape)
        return True

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """What a gate's output may be to TensorRT: dynamic."""
        return (-1, 256, 256) if name.endswith("map") else (self._shapes[FRAMES][0],)

    def is_stream_capturable(self, _stream: int) -> bool:
        return self._kind == PLAIN

    def execute_async_v3(self, _stream: int) -> bool:
        if self._kind == WAITS and self._cudart.cudaStreamSynchronize(STREAM) != (SUCCESS,):
            return False
        if self._config is not None:
            self._config.compile_for(self._shapes[FRAMES])
        shapes, addresses = dict(self._shapes), dict(self._addresses)
        branch = self._memory(THRESHOLD, (), np.float32).copy() if self._kind == BRANCH_STAYS else None
        self._cudart._put(lambda: self._work(shapes, addresses, branch))
        return True

    def _work(self, shapes: dict[str, tuple[int, ...]], addresses: dict[str, int], branch: Any) -> None:
        ports = self._session.get_inputs() + self._session.get_overridable_initializers()
        feed = {port.name: _array(addresses[port.name], shapes[port.name], TYPES[port.type]).copy() for port in ports}
        if branch is not None:
            feed[THRESHOLD] = branch
        names = [port.name for port in self._session.get_outputs()]
        for name, result in zip(names, self._session.run(names, feed), strict=True):
            _array(addresses[name], result.shape, result.dtype)[...] = result

    def _memory(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return _array(self._addresses[name], shape, dtype)


def _array(address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * size).from_address(address), dtype).reshape(shape)


class RuntimeCache:
    """`IRuntimeCache`: the shapes that were compiled for, on this GPU only."""

    _MARK = b"kernels of sm86:"

    def __init__(self) -> None:
        self._compiled: list[tuple[int, ...]] = []

    def serialize(self) -> bytes:
        return self._MARK + b"".join(struct.pack("4q", *shape) for shape in self._compiled)

    def deserialize(self, blob: bytes) -> bool:
        if not blob.startswith(self._MARK):
            return False
        self._compiled = list(struct.iter_unpack("4q", blob[len(self._MARK) :]))
        return True


class RuntimeConfig:
    """`IRuntimeConfig`."""

    cuda_graph_strategy = "disabled"

    def __init__(self) -> None:
        self._cache: RuntimeCache | None = None
        self._compilations = 0

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache()

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self._cache = cache
        return True

    def compile_for(self, shape: tuple[int, ...]) -> None:
        """Not of the real one, which does it inside."""
        if self._cache is not None and shape not in self._cache._compiled:
            self._cache._compiled.append(shape)


class ILogger:
    """`ILogger`."""

    Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1)

    def __init__(self) -> None:
        """Nothing to do."""


class TensorLocation:
    """`TensorLocation`."""

    DEVICE, HOST = "device", "host"


class OnnxParserRefitter:
    """`OnnxParserRefitter`."""

    def __init__(self, refitter: Any, _logger: ILogger) -> None:
        self._refitter = refitter

    def refit_from_file(self, path: str) -> bool:
        self._refitter._weights = path
        return path.endswith("graph.tensorrt.onnx")


class Refitter:
    """`Refitter`."""

    def __init__(self, engine: Engine, _logger: ILogger) -> None:
        self._engine = engine
        self._weights = ""

    def refit_cuda_engine(self) -> bool:
        self._engine._bare = not self._weights
        return True


def tensorrt(cudart: Cudart, version: str = "10.3.0.26") -> SimpleNamespace:
    """The module `tensorrt` or `tensorrt_rtx`, on that device."""

    class Runtime:
        """`Runtime`: anything that is no engine it refuses as TensorRT does, with None."""

        engine_host_code_allowed = False

        def __init__(self, logger: ILogger) -> None:
            self._logger = logger

        def deserialize_cuda_engine(self, content: bytes) -> Engine | None:
            kind, graph = content[28:34], content[34:]
            if kind not in (PLAIN, WAITS, BRANCH_STAYS, STRIPPED):
                out_of_memory = kind == HUGE
                message = "Error Code 2: OutOfMemory (Requested size was 9 bytes.)" if out_of_memory else "bad\nmagic"
                self._logger.log(ILogger.Severity.ERROR, message)
                return None
            return Engine(cudart, kind, graph)

    return SimpleNamespace(
        ILogger=ILogger,
        Runtime=Runtime,
        TensorLocation=TensorLocation,
        Refitter=Refitter,
        OnnxParserRefitter=OnnxParserRefitter,
        EngineStat=SimpleNamespace(STRIPPED_WEIGHTS_SIZE=1),
        CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole"),
        __version__=version,
        __name__="tensorrt",
    )
