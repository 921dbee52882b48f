"""OpenVINO: Intel CPUs, from the bundle's built model, or for fp32 straight from its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nand_edge.bundle import GRAPH_FOR_OPENVINO, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.signature import FRAMES
from nand_edge_runtime.backends.openvino_cache import model_cache
from nand_edge_runtime.backends.protocol import BF16, FP32, BackendOptions, Inputs, Outputs, TargetUnavailableError

if TYPE_CHECKING:
    import openvino


_ONE_FRAME = [1, -1, -1, 3]
_OUT_OF_MEMORY = ("bad_alloc", "out of memory", "cannot allocate", "could not allocate", "failed to allocate")


class OpenVINOBackend:
    """Runs the graph in OpenVINO with the latency hint, the frames of a batch one after another.

    With a free batch size, OpenVINO 2026.4 gives wrong maps in the first run of every batch size, without any error;
    with one frame a run it does not. So the gate works frame by frame here; verdicts are the same.
    """

    target: ClassVar[Target] = Target.OPENVINO

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:
        """Compile the model for the CPU, or take it compiled from the cache.

        Raises:
            TargetUnavailableError: OpenVINO, the CPU's bf16, the memory or an engine of the precision is missing.
            NandEdgeError: OpenVINO cannot read or compile the graph.
        """
        self._file = _engine_file(bundle, options)
        self._outputs = tuple(bundle.manifest.graph.outputs)
        self._device = "CPU" if options.precision == FP32 else f"CPU, {options.precision}"
        self._request: Any = _compile(bundle, self._file, options).create_infer_request()

    @property
    def device(self) -> str:
        """The CPU, and the precision where it is not fp32."""
        return self._device

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once; see `Backend.run`."""
        results = [self._run_one({**inputs, FRAMES: frame[np.newaxis]}) for frame in inputs[FRAMES]]
        if len(results) == 1:
            return results[0]
        return {name: np.concatenate([result[name] for result in results]) for name in self._outputs}

    def _run_one(self, inputs: Inputs) -> Outputs:
        try:
            self._request.infer(inputs, share_inputs=True)
        except (RuntimeError, MemoryError) as error:
            shape = list(inputs[FRAMES].shape)
            if _is_about_memory(error):
                raise _memory_fault(self._file, f"a frame {shape}", error) from error
            raise NandEdgeError(
                f"engine {self._file!r} in OpenVINO",
                found=f"an error with a frame {shape}: {_last_line(error)}",
                needed="a graph that runs on this frame",
                do="run `nand-edge verify` on the bundle",
            ) from error
        # The request reuses its memory for the next frame, so the caller gets copies.
        return {name: self._request.get_tensor(name).data.copy() for name in self._outputs}

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None


def _engine_file(bundle: Bundle, options: BackendOptions) -> str:
    built = [engine for engine in bundle.manifest.engines if engine.target is Target.OPENVINO]
    for engine in built:
        if engine.precision == options.precision:
            return engine.file
    if options.precision == FP32:
        # Not the portable graph: OpenVINO's antialiased Resize is not Pillow's, and maps would be off by 0.05 and more.
        return GRAPH_FOR_OPENVINO
    # In bf16 the graph itself would compute the resize and the scores in bf16, with maps off by 0.3.
    frames = " --frames DIR" if options.precision == "int8" else ""
    raise TargetUnavailableError(
        f"target 'openvino' of bundle {bundle.name!r} in {options.precision}",
        found=f"engines in {', '.join(sorted({FP32, *(engine.precision for engine in built)}))}",
        needed=f"one in {options.precision}",
        do=f"nand-edge build {bundle.folder} --target openvino --precision {options.precision}{frames}",
    )


def _compile(bundle: Bundle, file: str, options: BackendOptions) -> openvino.CompiledModel:
    try:
        import openvino
    except ImportError as error:
        raise TargetUnavailableError(
            "target 'openvino'",
            found=f"no OpenVINO that can be imported ({_last_line(error)})",
            needed="the package openvino",
            do="pip install 'nand-edge[openvino]'",
        ) from None
    core = openvino.Core()
    _check_precision(core, options)
    try:
        if file == GRAPH_FOR_OPENVINO:
            model = core.read_model(str(bundle.path(file)))
            model.reshape({FRAMES: _ONE_FRAME})
            return core.compile_model(model, "CPU", _settings(options))
        settings = _settings(options) | _cache_settings(bundle, file, openvino.__version__)
        return core.compile_model(str(bundle.path(file)), "CPU", settings)
    except (RuntimeError, MemoryError) as error:
        if _is_about_memory(error):
            raise _memory_fault(file, "compiling the model", error) from error
        raise NandEdgeError(
            f"engine {file!r} of bundle {bundle.name!r}",
            found=f"a graph that OpenVINO {openvino.__version__} cannot compile: {_last_line(error)}",
            needed=f"a graph of opset {bundle.manifest.graph.opset}",
            do="update openvino or use the target onnx",
        ) from error


def _check_precision(core: openvino.Core, options: BackendOptions) -> None:
    known = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if options.precision == BF16 and "BF16" not in known:
        raise TargetUnavailableError(
            "target 'openvino' in bf16",
            found=f"a CPU with {', '.join(known)}",
            needed="one with AVX-512 bf16 or AMX",
            do="use fp32, or int8 where the bundle has such an engine",
        )


def _settings(options: BackendOptions) -> dict[str, Any]:
    # Without the precision hint OpenVINO runs in bf16 wherever the CPU has it.
    precision = "bf16" if options.precision == BF16 else "f32"
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    if options.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    return settings


def _cache_settings(bundle: Bundle, file: str, version: str) -> dict[str, Any]:
    folder = model_cache(bundle, file, version)
    # Weights are read from the bundle, so that the cache stays small.
    return {} if folder is None else {"CACHE_DIR": str(folder), "CACHE_MODE": "OPTIMIZE_SIZE"}


def _is_about_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _OUT_OF_MEMORY)


def _memory_fault(file: str, what: str, error: BaseException) -> TargetUnavailableError:
    return TargetUnavailableError(
        f"engine {file!r} in OpenVINO",
        found=f"too little memory for {what} ({_last_line(error)[-160:]})",
        needed="room for the weights and for what is between the layers",
        do="end other programs, give smaller frames, or choose a bundle with a smaller CLIP",
    )


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
