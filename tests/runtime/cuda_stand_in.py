"""Stands in for a GPU where there is none: CUDA's memory calls on the host, TensorRT's on ONNX Runtime.

It shows that buffers, shapes and limits are handled right; that real engines run, only a device can show. A test holds
every name here against the real packages.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

from nand_edge.signature import FRAMES, INPUTS, NORMALITY_BIAS, NORMALITY_FEATURES, OUTPUTS

SUCCESS, NO_DEVICE = 0, 100
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(bool)": np.bool_}
LARGEST = {FRAMES: (2, 512, 512, 3), NORMALITY_FEATURES: (4, 1, 2, 8, 4), NORMALITY_BIAS: (4, 1, 2, 8)}
SMALLEST = {FRAMES: (1, 16, 16, 3), NORMALITY_FEATURES: (1, 1, 2, 1, 4), NORMALITY_BIAS: (1, 1, 2, 1)}


class Cudart:
    """`cuda.bindings.runtime` with one device; each side's memory is a block of its own on the host."""

    cudaError_t = SimpleNamespace(cudaSuccess=SUCCESS)
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaDeviceAttr = SimpleNamespace(cudaDevAttrComputeCapabilityMajor=8, cudaDevAttrComputeCapabilityMinor=6)

    def __init__(self) -> None:
        self.blocks: dict[int, Any] = {}
        self.allocations = 0

    def cudaGetDeviceCount(self) -> tuple[int, int]:
        return SUCCESS, 1

    def cudaSetDevice(self, _device: int) -> tuple[int]:
        return (SUCCESS,)

    def cudaDeviceGetAttribute(self, attribute: int, _device: int) -> tuple[int, int]:
        return SUCCESS, attribute

    def cudaGetErrorString(self, _status: int) -> tuple[int, bytes]:
        return SUCCESS, b"an error"

    def cudaStreamCreate(self) -> tuple[int, int]:
        return SUCCESS, 7

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:
        assert stream == 7
        return (SUCCESS,)

    def cudaStreamDestroy(self, stream: int) -> tuple[int]:
        return self.cudaStreamSynchronize(stream)

    def cudaMalloc(self, size: int) -> tuple[int, int]:
        block = (ctypes.c_uint8 * size)()
        self.blocks[ctypes.addressof(block)] = block
        self.allocations += 1
        return SUCCESS, ctypes.addressof(block)

    cudaMallocHost = cudaMalloc

    def cudaFree(self, address: int) -> tuple[int]:
        del self.blocks[address]
        return (SUCCESS,)

    cudaFreeHost = cudaFree

    def cudaMemcpyAsync(self, target: int, source: int, size: int, _kind: int, stream: int) -> tuple[int]:
        assert stream == 7
        assert size <= min(len(self.blocks[target]), len(self.blocks[source]))
        ctypes.memmove(target, source, size)
        return (SUCCESS,)


class Engine:
    """`ICudaEngine` over an ONNX Runtime session."""

    num_io_tensors = len(INPUTS) + len(OUTPUTS)

    def __init__(self, graph: bytes) -> None:
        self.session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def get_tensor_name(self, index: int) -> str:
        return (*INPUTS, *OUTPUTS)[index]

    def get_tensor_location(self, _name: str) -> str:
        return TensorLocation.DEVICE

    def get_tensor_profile_shape(self, name: str, _profile: int) -> list[tuple[int, ...]]:
        return [SMALLEST.get(name, ()), SMALLEST.get(name, ()), LARGEST.get(name, ())]

    def create_execution_context(self) -> Context:
        return Context(self.session)


class Context:
    """`IExecutionContext`: reads and writes the addresses that it was given."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
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

    def execute_async_v3(self, _stream: int) -> bool:
        feed = {
            port.name: self._memory(port.name, self._shapes[port.name], TYPES[port.type]).copy()
            for port in self._session.get_inputs() + self._session.get_overridable_initializers()
        }
        for name, result in zip(OUTPUTS, self._session.run(OUTPUTS, feed), strict=True):
            self._memory(name, result.shape, result.dtype)[...] = result
        return True

    def _memory(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        return np.frombuffer((ctypes.c_uint8 * size).from_address(self._addresses[name]), dtype).reshape(shape)


class Logger:
    """`Logger`."""

    ERROR = 1

    def __init__(self, _severity: int) -> None:
        """Take the severity."""


class Runtime:
    """`Runtime`: an engine is a graph; anything else it refuses as TensorRT does, with None."""

    def __init__(self, _logger: Logger) -> None:
        """Take the logger."""

    def deserialize_cuda_engine(self, content: bytes) -> Engine | None:
        return None if content.startswith(b"foreign") else Engine(content)


class TensorLocation:
    """`TensorLocation`."""

    DEVICE, HOST = "device", "host"


TENSORRT = SimpleNamespace(
    Logger=Logger, Runtime=Runtime, TensorLocation=TensorLocation, __version__="10.3", __name__="tensorrt"
)
