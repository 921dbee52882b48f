"""Running a serialised TensorRT engine, by TensorRT or TensorRT-RTX: both have one Python API.

Built, not run: written against the API of TensorRT 10.3 to 11 and TensorRT-RTX 1.7 on machines without a GPU.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.signature import CLIP_RAN, FRAMES, THRESHOLD
from nand_edge_runtime.backends.cuda_graphs import RecordedRun, Shapes
from nand_edge_runtime.backends.cuda_limits import check_limits
from nand_edge_runtime.backends.cuda_loading import choose_engine, import_tensorrt, load_engine
from nand_edge_runtime.backends.cuda_memory import Buffer, Cuda
from nand_edge_runtime.backends.protocol import BackendOptions, Inputs, Outputs

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

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:
        """Load the engine; see `Backend`."""
        self._trt = import_tensorrt(self.target, self.modules, self.package, self.extra)
        self._cuda = Cuda(self.target)
        try:
            self._load(bundle, options)
        except NandEdgeError:
            self._cuda.close()
            raise

    def _load(self, bundle: Bundle, options: BackendOptions) -> None:
        self._capability = self._cuda.compute_capability
        self._record = choose_engine(bundle, self.target, self._capability, options.precision)
        self._loaded = load_engine(self._trt, self._cuda, bundle, self._record)
        graph = bundle.manifest.graph
        self._inputs, self._outputs = tuple(graph.inputs), tuple(graph.outputs)
        self._dtypes = {name: np.dtype(tensor.dtype) for name, tensor in (graph.inputs | graph.outputs).items()}
        self._shapes = {name: tensor.shape for name, tensor in graph.outputs.items()}
        self._engine = self._loaded.engine
        self._check_tensors()
        self._on_host = {name: self._is_on_host(name) for name in (*self._inputs, *self._outputs)}
        self._limits = {name: self._limits_of(name) for name in self._inputs}
        self._context = self._loaded.context_of(lambda: self._create_context(bundle, options), self._cuda)
        self._buffers = {name: Buffer(self._cuda) for name in (*self._inputs, *self._outputs)}
        self._recorded = RecordedRun(self._cuda, self._record.file) if self._records(options) else None
        # What the execution context was told last, and what follows from it.
        self._prepared: Shapes = ()
        self._current: dict[str, tuple[int, ...]] = {}
        self._sizes: dict[str, int] = {}

    @property
    def device(self) -> str:
        """The GPU's compute capability: "CUDA 8.6"."""
        return f"CUDA {self._capability}"

    def run(self, inputs: Inputs) -> Outputs:
        """Run the engine once; see `Backend.run`."""
        self._cuda.make_current()
        for name in self._inputs:
            check_limits(self._record.file, self._limits, name, inputs[name].shape)
        shapes: Shapes = tuple((name, inputs[name].shape) for name in self._inputs)
        for name in self._inputs:
            self._fill(name, inputs[name])
        if self._recorded is not None and self._recorded.play(shapes):
            self._cuda.synchronise()
        else:
            if shapes != self._prepared:
                self._prepare(shapes)
            self._queue()
            self._cuda.synchronise()
            if self._recorded is not None:
                self._recorded.ran(shapes, self._queue, self._follows_the_threshold)
            self._after_run()
        # The buffers are used again for the next frame, so the caller gets copies.
        return {name: self._result(name).copy() for name in self._outputs}

    def close(self) -> None:
        """Free the engine and its buffers."""
        if self._engine is None:
            return
        self._cuda.make_current()
        if self._recorded is not None:
            self._recorded.forget()
        self._before_close()
        for buffer in self._buffers.values():
            buffer.close()
        # The context must go before its engine, both before TensorRT's runtime, and all before the stream.
        self._context = None
        self._engine = None
        self._loaded.close()
        self._cuda.close()

    def _create_context(self, bundle: Bundle, options: BackendOptions) -> Any:  # noqa: ARG002 - for subclasses
        return self._engine.create_execution_context()

    def _records(self, options: BackendOptions) -> bool:
        """Whether runs are to be recorded here; a subclass whose engine records itself says no."""
        return options.cuda_graphs

    def _after_run(self) -> None:
        """For subclasses: a run that was not played from a recording has ended."""

    def _before_close(self) -> None:
        """For subclasses: the engine is about to be freed."""

    def _check_tensors(self) -> None:
        names = {self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)}
        if names != {*self._inputs, *self._outputs}:
            raise self._fault(f"tensors {', '.join(sorted(names))}")

    def _limits_of(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        smallest, _, largest = self._engine.get_tensor_profile_shape(name, _PROFILE)
        return tuple(smallest), tuple(largest)

    def _is_on_host(self, name: str) -> bool:
        return bool(self._engine.get_tensor_location(name) == self._trt.TensorLocation.HOST)

    def _fill(self, name: str, array: NDArray[Any]) -> None:
        self._reserve(name, array.nbytes)
        np.copyto(self._buffers[name].view(array.shape, array.dtype), array)

    def _reserve(self, name: str, size: int) -> None:
        if not self._buffers[name].reserve(size):
            return
        self._prepared = ()
        if self._recorded is not None:
            self._recorded.forget()

    def _prepare(self, shapes: Shapes) -> None:
        """Tell the execution context the shapes of the inputs and the place of all tensors."""
        for name, shape in shapes:
            self._bind(name)
            if not self._context.set_input_shape(name, shape):
                raise self._fault(f"a refusal of {name} of shape {list(shape)}")
        batch = dict(shapes)[FRAMES][0]
        for name in self._outputs:
            # TensorRT may know an output of the gate's branches only as dynamic; the first dimension is the batch.
            known = tuple(self._context.get_tensor_shape(name))
            self._current[name] = known if all(side >= 0 for side in known) else (batch, *self._shapes[name][1:])
            self._reserve(name, _size(self._current[name], self._dtypes[name]))
            self._bind(name)
        self._sizes = {name: _size(shape, self._dtypes[name]) for name, shape in (*shapes, *self._current.items())}
        self._prepared = shapes

    def _queue(self) -> None:
        """Put copies in, execution and copies out on the stream."""
        for name in self._inputs:
            if not self._on_host[name]:
                self._buffers[name].upload(self._sizes[name])
        self._loaded.messages.clear()
        if not self._context.execute_async_v3(self._cuda.stream):
            raise self._loaded.execution_fault(self._cuda, dict(self._prepared)[FRAMES])
        for name in self._outputs:
            if not self._on_host[name]:
                self._buffers[name].download(self._sizes[name])

    def _result(self, name: str) -> NDArray[Any]:
        return self._buffers[name].view(self._current[name], self._dtypes[name])

    def _follows_the_threshold(self) -> bool:
        """Whether a recording still lets the threshold decide: a branch that was recorded as it went would not.

        Played twice, with a threshold that shuts the gate for every frame and with one that opens it for every frame.
        """
        if self._on_host[THRESHOLD]:
            return False
        threshold = self._buffers[THRESHOLD].view((), self._dtypes[THRESHOLD])
        before, results = threshold.copy(), {name: self._result(name).copy() for name in self._outputs}
        answers = []
        for gate in (np.inf, np.nan):
            threshold[...] = gate
            self._play_again()
            answers.append(self._result(CLIP_RAN).copy())
        threshold[...] = before
        for name, result in results.items():
            self._result(name)[...] = result
        shut, opened = answers
        return not shut.any() and bool(opened.all())

    def _play_again(self) -> None:
        if self._recorded is not None:
            self._recorded.play(self._prepared)
        self._cuda.synchronise()

    def _bind(self, name: str) -> None:
        buffer = self._buffers[name]
        self._context.set_tensor_address(name, buffer.host if self._on_host[name] else buffer.device)

    def _fault(self, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"engine {self._record.file!r}",
            found=found,
            needed="an engine with the signature of the bundle's graph that runs on this GPU",
            do="build the engine again on this device with `nand-edge build`",
        )


def _size(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
