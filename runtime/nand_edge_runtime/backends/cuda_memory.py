"""CUDA's runtime through cuda-python: the device, a stream, and buffers that exist on both sides."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_runtime.backends.protocol import TargetUnavailableError

_FIRST_DEVICE = 0
_LAYOUTS = ("cuda.bindings.runtime", "cuda.cudart")
"""Where cuda-python has CUDA's runtime: from 12.8 on, and before."""
_GIB = 1 << 30


class Cuda:
    """The first CUDA device and one stream on it.

    Args:
        target: The target that needs it, for messages.

    Raises:
        TargetUnavailableError: cuda-python, the driver or the device is missing.
    """

    def __init__(self, target: Target) -> None:
        self._cudart = _import_cudart(target)
        status, count = self._cudart.cudaGetDeviceCount()
        if status != self._cudart.cudaError_t.cudaSuccess or not count:
            raise TargetUnavailableError(
                f"target {target.value!r}",
                found=f"no CUDA device ({self._words(status)})",
                needed="an NVIDIA GPU with its driver",
                do="install the driver, or use the target onnx",
            )
        self.call("cudaSetDevice", _FIRST_DEVICE)
        self.stream = int(self.call("cudaStreamCreate"))

    @property
    def compute_capability(self) -> str:
        """The device's compute capability, such as "8.6"."""
        attributes = self._cudart.cudaDeviceAttr
        major = self.call("cudaDeviceGetAttribute", attributes.cudaDevAttrComputeCapabilityMajor, _FIRST_DEVICE)
        minor = self.call("cudaDeviceGetAttribute", attributes.cudaDevAttrComputeCapabilityMinor, _FIRST_DEVICE)
        return f"{major}.{minor}"

    def free_memory(self) -> str:
        """What is free of the device's memory, in words: "0.4 of 8.0 GiB free"."""
        free, total = self.call("cudaMemGetInfo")
        return f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free"

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of the CUDA runtime and give its result; a tuple where it has several.

        Raises:
            NandEdgeError: CUDA reports an error.
        """
        status, *results = getattr(self._cudart, function)(*arguments)
        if status == self._cudart.cudaError_t.cudaSuccess:
            return results[0] if len(results) == 1 else tuple(results) or None
        if status == self._cudart.cudaError_t.cudaErrorMemoryAllocation:
            raise NandEdgeError(
                "the GPU's memory",
                found=f"not enough for CUDA's {function} ({self.free_memory()})",
                needed="room for the engine and for its frames and maps",
                do="end other programs on the GPU, or give smaller frames and batches",
            )
        raise NandEdgeError(
            f"CUDA's {function}",
            found=self._words(status),
            needed="a call that succeeds",
            do="check the GPU's free memory and state with nvidia-smi (tegrastats on a Jetson)",
        )

    def make_current(self) -> None:
        """Choose the device for the calling thread, which may be another one than loaded the engine."""
        self.call("cudaSetDevice", _FIRST_DEVICE)

    def copy(self, target: int, source: int, size: int, *, to_device: bool) -> None:
        """Queue a copy of `size` bytes on the stream."""
        kinds = self._cudart.cudaMemcpyKind
        kind = kinds.cudaMemcpyHostToDevice if to_device else kinds.cudaMemcpyDeviceToHost
        self.call("cudaMemcpyAsync", target, source, size, kind, self.stream)

    def synchronise(self) -> None:
        """Wait until all that was queued on the stream is done."""
        self.call("cudaStreamSynchronize", self.stream)

    def record(self, queue: Callable[[], None]) -> Any:
        """Record what `queue` puts on the stream, without doing it, and give the recording: a CUDA graph to launch.

        Raises:
            NandEdgeError: Something in it cannot be recorded, such as waiting for the device.
        """
        # What other threads do with CUDA meanwhile is their own.
        mode = self._cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self.call("cudaStreamBeginCapture", self.stream, mode)
        try:
            queue()
        except NandEdgeError:
            # Ends the capture, which a fault has spoiled: CUDA says so again, and the stream is free.
            self._cudart.cudaStreamEndCapture(self.stream)
            raise
        graph = self.call("cudaStreamEndCapture", self.stream)
        try:
            return self.call("cudaGraphInstantiate", graph, 0)
        finally:
            self.call("cudaGraphDestroy", graph)

    def launch(self, recording: Any) -> None:
        """Queue a recording on the stream."""
        self.call("cudaGraphLaunch", recording, self.stream)

    def forget(self, recording: Any) -> None:
        """Free a recording."""
        self.call("cudaGraphExecDestroy", recording)

    def close(self) -> None:
        """Free the stream."""
        self.call("cudaStreamDestroy", self.stream)

    def _words(self, status: Any) -> str:
        _, text = self._cudart.cudaGetErrorString(status)
        return bytes(text).decode()


class Buffer:
    """Memory for one tensor, pinned on the host and on the device; it grows when a larger tensor comes."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._capacity = 0
        self._host = 0
        self.device = 0

    @property
    def host(self) -> int:
        """Address of the host's side."""
        return self._host

    def reserve(self, size: int) -> bool:
        """Make room for `size` bytes; gives whether the buffer grew, and so moved."""
        if size <= self._capacity:
            return False
        self.close()
        self._host = int(self._cuda.call("cudaMallocHost", size))
        self.device = int(self._cuda.call("cudaMalloc", size))
        self._capacity = size
        return True

    def view(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """The host's side as an array; valid until the buffer grows or closes."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        memory = (ctypes.c_uint8 * size).from_address(self._host)
        array: NDArray[Any] = np.ndarray(shape, dtype=dtype, buffer=memoryview(memory))
        return array

    def upload(self, size: int) -> None:
        """Queue the copy from the host to the device."""
        self._cuda.copy(self.device, self._host, size, to_device=True)

    def download(self, size: int) -> None:
        """Queue the copy from the device to the host."""
        self._cuda.copy(self._host, self.device, size, to_device=False)

    def close(self) -> None:
        """Free both sides; calling it again does nothing."""
        host, device, self._host, self.device, self._capacity = self._host, self.device, 0, 0, 0
        if host:
            self._cuda.call("cudaFreeHost", host)
        if device:
            self._cuda.call("cudaFree", device)


def _import_cudart(target: Target) -> Any:
    reasons = []
    for layout in _LAYOUTS:
        try:
            return importlib.import_module(layout)
        except ImportError as error:
            reasons.append(str(error))
    raise TargetUnavailableError(
        f"target {target.value!r}",
        found=f"no cuda-python that can be imported ({reasons[0]})",
        needed="the package cuda-python, of the major version of the driver's CUDA",
        do="pip install cuda-python",
    )
