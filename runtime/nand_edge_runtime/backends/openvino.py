"""OpenVINO: Intel CPUs, from the bundle's built model or straight from its graph for compiled engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.signature import FRAMES, OUTPUTS
from nand_edge_runtime.backends.protocol import BF16, BackendOptions, Inputs, Outputs, TargetUnavailableError

if TYPE_CHECKING:
    import openvino


_ONE_FRAME = [1, -1, -1, 3]


class OpenVINOBackend:
    """Runs the graph in OpenVINO with the latency hint, the frames of a batch one after another.

    With a free batch size, OpenVINO 2026.4 gives wrong maps in the first run of every batch size, without any error;
    with one frame a run it does not. So the gate works frame by frame here; verdicts are the same.
    """

    target: ClassVar[Target] = Target.OPENVINO

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:
        """Compile the model for the CPU.

        Raises:
            TargetUnavailableError: OpenVINO is missing.
            NandEdgeError: OpenVINO cannot read or compile the graph.
        """
        self._file = _engine_file(bundle)
        self._device = "CPU, bf16" if options.precision == BF16 else "CPU"
        self._request: Any = _compile(bundle, self._file, options).create_infer_request()

    @property
    def device(self) -> str:
        """The CPU, and the precision where it is not fp32."""
        return self._device

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once; see `Backend.run`."""
        results = [self._run_one({**inputs, FRAMES: frame[np.newaxis]}) for frame in inputs[FRAMES]]
        return {name: np.concatenate([result[name] for result in results]) for name in OUTPUTS}

    def _run_one(self, inputs: Inputs) -> Outputs:
        try:
            self._request.infer(inputs, share_inputs=True)
        except RuntimeError as error:
            raise NandEdgeError(
                f"engine {self._file!r} in OpenVINO",
                found=f"an error with a frame {list(inputs[FRAMES].shape)}: {_last_line(error)}",
                needed="a graph that runs on this frame",
                do="run `nand-edge verify` on the bundle",
            ) from error
        # The request reuses its memory for the next frame, so the caller gets copies.
        return {name: self._request.get_tensor(name).data.copy() for name in OUTPUTS}

    def close(self) -> None:
        """Free the compiled model."""
        self._request = None


def _engine_file(bundle: Bundle) -> str:
    built = [engine.file for engine in bundle.manifest.engines if engine.target is Target.OPENVINO]
    # Not the portable graph: OpenVINO's antialiased Resize is not Pillow's, and maps would be off by 0.05 and more.
    return built[0] if built else GRAPH_FOR_TENSORRT


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
    try:
        model = core.read_model(str(bundle.path(file)))
        model.reshape({FRAMES: _ONE_FRAME})
        return core.compile_model(model, "CPU", _settings(options))
    except RuntimeError as error:
        raise NandEdgeError(
            f"engine {file!r} of bundle {bundle.name!r}",
            found=f"a graph that OpenVINO {openvino.__version__} cannot compile: {_last_line(error)}",
            needed=f"a graph of opset {bundle.manifest.graph.opset}",
            do="update openvino or use the target onnx",
        ) from error


def _settings(options: BackendOptions) -> dict[str, Any]:
    # Without the precision hint OpenVINO runs in bf16 wherever the CPU has it, with maps off by 0.01 to 0.3.
    precision = "bf16" if options.precision == BF16 else "f32"
    settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    if options.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    return settings


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
