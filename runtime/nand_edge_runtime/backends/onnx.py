"""ONNX Runtime: the portable engine, on the CPU by default, on CUDA or TensorRT when they are asked for by name."""

from __future__ import annotations

from typing import Any, ClassVar

from nand_edge.bundle import GRAPH, GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.signature import FRAMES, OUTPUTS
from nand_edge_runtime.backends.onnx_binding import GpuBinding
from nand_edge_runtime.backends.onnx_faults import first_line, is_about_memory, memory_fault
from nand_edge_runtime.backends.onnx_placement import Placement
from nand_edge_runtime.backends.onnx_session import CPU, TENSORRT, open_session
from nand_edge_runtime.backends.protocol import FP32, BackendOptions, Inputs, Outputs, TargetUnavailableError


class OnnxBackend:
    """Runs the bundle's graph, or the engine of another precision, in an ONNX Runtime session."""

    target: ClassVar[Target] = Target.ONNX

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:
        """Create the session.

        Raises:
            TargetUnavailableError: ONNX Runtime, the provider or an engine of the precision is missing, or the memory
                for it; there is no silent change of provider.
            NandEdgeError: The provider is unknown or the graph cannot be loaded.
        """
        self._file = _file(bundle, options)
        self._session: Any = open_session(bundle, self._file, options)
        given = {output.name for output in self._session.get_outputs()}
        self._outputs = [name for name in OUTPUTS if name in given]
        self._binding: Any = None
        if options.provider != CPU:
            self._binding = GpuBinding(self._session, bundle, self._outputs)
        # What ran elsewhere than it was meant to is part of what the engine runs on.
        placement = Placement.of(self._session, options.provider)
        placement.check()
        words = [placement.device, "" if options.precision == FP32 else options.precision]
        self._device = ", ".join(word for word in words if word)

    @property
    def device(self) -> str:
        """The provider, the precision where it is not fp32, and what runs on the CPU though it should not."""
        return self._device

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once; see `Backend.run`."""
        try:
            if self._binding is not None:
                return dict(self._binding.run(inputs))
            # On a CPU, bound buffers save nothing: inputs are read where they lie, and outputs are copied either way.
            return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            shape = list(inputs[FRAMES].shape)
            if is_about_memory(error):
                raise memory_fault(self._file, f"frames {shape}", error) from error
            raise NandEdgeError(
                f"engine {self._file!r} in ONNX Runtime",
                found=f"an error with frames {shape}: {first_line(error)}",
                needed="a graph that runs on these frames",
                do="run `nand-edge verify` on the bundle",
            ) from error

    def close(self) -> None:
        """Free the session."""
        self._binding = None
        self._session = None


def _file(bundle: Bundle, options: BackendOptions) -> str:
    """The graph of a precision; TensorRT lowers its own, and reads the graph that is laid out for it."""
    if options.provider == TENSORRT and options.precision != "int8":
        return GRAPH_FOR_TENSORRT
    if options.precision == FP32:
        return GRAPH
    built = [engine for engine in bundle.manifest.engines if engine.target is Target.ONNX]
    for engine in built:
        if engine.precision == options.precision:
            return engine.file
    frames = " --frames DIR" if options.precision == "int8" else ""
    raise TargetUnavailableError(
        f"target 'onnx' of bundle {bundle.name!r} in {options.precision}",
        found=f"engines in {', '.join(sorted({FP32, *(engine.precision for engine in built)}))}",
        needed=f"one in {options.precision}",
        do=f"nand-edge build {bundle.folder} --target onnx --precision {options.precision}{frames}",
    )
