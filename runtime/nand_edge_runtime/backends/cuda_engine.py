"""Running a serialised TensorRT engine, by TensorRT or TensorRT-RTX: both have one Python API.

Built, not run: written against the API of TensorRT 10.3 to 11 and TensorRT-RTX 1.7 on machines without a GPU.
"""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge.signature import FRAMES, INPUTS, OUTPUTS
from nand_edge_runtime.backends.cuda_memory import Buffer, Cuda
from nand_edge_runtime.backends.protocol import BackendOptions, Inputs, Outputs, TargetUnavailableError

_PROFILE = 0


class CudaEngineBackend:
    """Deserialises the engine that was built for this GPU and runs it on one stream.

    A subclass names its target, the modules to import (the first that exists is used), the package they come from
    and the extra of `nand-edge` that brings it.
    """

    target: ClassVar[Target]
    modules: ClassVar[tuple[str, ...]]
    package: ClassVar[str]
    extra: ClassVar[str]

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:  # noqa: ARG002 - a GPU needs no CPU options
        """Load the engine; see `Backend`."""
        self._trt = self._import_tensorrt()
        self._cuda = Cuda(self.target)
        self._capability = self._cuda.compute_capability
        self._record = self._fitting_engine(bundle)
        self._dtypes = {name: np.dtype(record.dtype) for name, record in _tensors(bundle).items()}
        self._shapes = {name: record.shape for name, record in bundle.manifest.graph.outputs.items()}
        self._logger = self._trt.Logger(self._trt.Logger.ERROR)
        self._engine = self._deserialise(bundle)
        self._context = self._engine.create_execution_context()
        self._check_tensors()
        self._buffers = {name: Buffer(self._cuda) for name in (*INPUTS, *OUTPUTS)}

    @property
    def device(self) -> str:
        """The GPU's compute capability: "CUDA 8.6"."""
        return f"CUDA {self._capability}"

    def run(self, inputs: Inputs) -> Outputs:
        """Run the engine once; see `Backend.run`."""
        self._cuda.make_current()
        for name, array in inputs.items():
            self._check_limits(name, array.shape)
            self._feed(name, array)
        shapes = {name: self._prepare_output(name, len(inputs[FRAMES])) for name in OUTPUTS}
        if not self._context.execute_async_v3(self._cuda.stream):
            raise self._fault(f"an execution that failed with frames {list(inputs[FRAMES].shape)}")
        for name, shape in shapes.items():
            if not self._on_host(name):
                self._buffers[name].download(_size(shape, self._dtypes[name]))
        self._cuda.synchronise()
        # The buffers are used again for the next frame, so the caller gets copies.
        return {name: self._buffers[name].view(shape, self._dtypes[name]).copy() for name, shape in shapes.items()}

    def close(self) -> None:
        """Free the engine and its buffers."""
        if self._engine is None:
            return
        self._cuda.make_current()
        for buffer in self._buffers.values():
            buffer.close()
        # The context must go before its engine, and both before the stream.
        self._context = None
        self._engine = None
        self._cuda.close()

    def _import_tensorrt(self) -> Any:
        reasons = []
        for module in self.modules:
            try:
                return importlib.import_module(module)
            except ImportError as error:
                reasons.append(str(error))
        raise TargetUnavailableError(
            f"target {self.target.value!r}",
            found=f"no module {self.modules[0]} that can be imported ({reasons[0]})",
            needed=f"the package {self.package}",
            do=f"pip install 'nand-edge[{self.extra}]', or install NVIDIA's packages for this device",
        )

    def _fitting_engine(self, bundle: Bundle) -> EngineRecord:
        built = [engine for engine in bundle.manifest.engines if engine.target is self.target]
        for engine in built:
            if engine.compute_capability in ("", self._capability):
                return engine
        capabilities = ", ".join(engine.compute_capability for engine in built) or "none"
        raise TargetUnavailableError(
            f"target {self.target.value!r} of bundle {bundle.name!r}",
            found=f"engines for compute capability: {capabilities}",
            needed=f"one for this GPU, {self._capability}",
            do=f"nand-edge build {bundle.folder} --target {self.target.value} --compute-capability {self._capability}",
        )

    def _deserialise(self, bundle: Bundle) -> Any:
        engine = self._trt.Runtime(self._logger).deserialize_cuda_engine(bundle.path(self._record.file).read_bytes())
        if engine is None:
            raise NandEdgeError(
                f"engine {self._record.file!r} of bundle {bundle.name!r}",
                found=f"an engine that {self.target.value} {self._trt.__version__} refuses",
                needed=f"the version that built it: {self._record.built_with or 'unknown'}",
                do="build the engine again on this device with `nand-edge build`",
            )
        return engine

    def _check_tensors(self) -> None:
        names = {self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)}
        if names != {*INPUTS, *OUTPUTS}:
            raise self._fault(f"tensors {', '.join(sorted(names))}")

    def _check_limits(self, name: str, shape: tuple[int, ...]) -> None:
        smallest, _, largest = (tuple(limit) for limit in self._engine.get_tensor_profile_shape(name, _PROFILE))
        # A tensor with no free dimension has no profile: its limits are empty.
        if not shape or len(smallest) != len(shape):
            return
        if any(not low <= value <= high for value, low, high in zip(shape, smallest, largest, strict=True)):
            raise NandEdgeError(
                f"engine {self._record.file!r}",
                found=f"{name} of shape {list(shape)}",
                needed=f"a shape from {list(smallest)} to {list(largest)}",
                do="build the engine with wider limits, or give frames or normalities within them",
            )

    def _feed(self, name: str, array: NDArray[Any]) -> None:
        buffer = self._buffers[name]
        buffer.reserve(array.nbytes)
        np.copyto(buffer.view(array.shape, array.dtype), array)
        if not self._context.set_input_shape(name, array.shape):
            raise self._fault(f"a refusal of {name} of shape {list(array.shape)}")
        self._bind(name, buffer)
        if not self._on_host(name):
            buffer.upload(array.nbytes)

    def _prepare_output(self, name: str, frames: int) -> tuple[int, ...]:
        # TensorRT may know an output of the gate's two branches only as dynamic; the first dimension is the batch.
        known = tuple(self._context.get_tensor_shape(name))
        shape = known if all(side >= 0 for side in known) else (frames, *self._shapes[name][1:])
        self._buffers[name].reserve(_size(shape, self._dtypes[name]))
        self._bind(name, self._buffers[name])
        return shape

    def _bind(self, name: str, buffer: Buffer) -> None:
        self._context.set_tensor_address(name, buffer.host if self._on_host(name) else buffer.device)

    def _on_host(self, name: str) -> bool:
        return bool(self._engine.get_tensor_location(name) == self._trt.TensorLocation.HOST)

    def _fault(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"engine {self._record.file!r}",
            found=found,
            needed="an engine with the signature of the bundle's graph that runs on this GPU",
            do="build the engine again on this device with `nand-edge build`",
        )


def _tensors(bundle: Bundle) -> dict[str, Any]:
    return {**bundle.manifest.graph.inputs, **bundle.manifest.graph.outputs}


def _size(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
