"""ONNX Runtime: the portable engine, on the CPU by default and on CUDA when it is asked for by name."""

from __future__ import annotations

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any, ClassVar

from nand_edge.bundle import GRAPH, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge.signature import FRAMES, OUTPUTS
from nand_edge_runtime.backends.protocol import BackendOptions, Inputs, Outputs, TargetUnavailableError

if TYPE_CHECKING:
    import onnxruntime

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERRORS_ONLY, _FATAL_ONLY = 3, 4


class OnnxBackend:
    """Runs `graph.onnx` in an ONNX Runtime session."""

    target: ClassVar[Target] = Target.ONNX

    def __init__(self, bundle: Bundle, options: BackendOptions) -> None:
        """Create the session.

        Raises:
            TargetUnavailableError: ONNX Runtime or the provider is missing; there is no silent change of provider.
            NandEdgeError: The provider is unknown or the graph cannot be loaded.
        """
        self._session: Any = _session(bundle, options)
        self._device = options.provider.upper()

    @property
    def device(self) -> str:
        """The provider: "CPU" or "CUDA"."""
        return self._device

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once; see `Backend.run`."""
        try:
            results = self._session.run(OUTPUTS, inputs)
        except Exception as error:  # ONNX Runtime's own exceptions share no public base class
            raise NandEdgeError(
                f"engine {GRAPH!r} in ONNX Runtime",
                found=f"an error with frames {list(inputs[FRAMES].shape)}: {_first_line(error)}",
                needed="a graph that runs on these frames",
                do="run `nand-edge verify` on the bundle",
            ) from error
        return dict(zip(OUTPUTS, results, strict=True))

    def close(self) -> None:
        """Free the session."""
        self._session = None


def _session(bundle: Bundle, options: BackendOptions) -> onnxruntime.InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise TargetUnavailableError(
            "target 'onnx'",
            found=f"no ONNX Runtime that can be imported ({_first_line(error)})",
            needed="the package onnxruntime",
            do="pip install onnxruntime",
        ) from None
    provider = _provider(onnxruntime, options.provider)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = _ERRORS_ONLY
    # Warnings of the library itself, such as of a missing GPU, would go to stderr between our own lines.
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    try:
        session = onnxruntime.InferenceSession(str(bundle.path(GRAPH)), settings, providers=[provider])
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        raise NandEdgeError(
            f"engine {GRAPH!r} of bundle {bundle.name!r}",
            found=f"a graph that ONNX Runtime {onnxruntime.__version__} cannot load: {_first_line(error)}",
            needed=f"a graph of opset {bundle.manifest.graph.opset}",
            do="update onnxruntime or export the bundle again",
        ) from error
    _check_provider(session, provider)
    return session


def _provider(onnxruntime: Any, name: str) -> str:
    if name not in _PROVIDERS:
        raise NandEdgeError(
            f"provider {name!r}",
            found="an unknown name",
            needed=f"one of {', '.join(_PROVIDERS)}",
            do="correct the name",
        )
    provider = _PROVIDERS[name]
    if provider not in onnxruntime.get_available_providers():
        raise _no_provider(f"an ONNX Runtime built for {', '.join(onnxruntime.get_available_providers())}")
    if name == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        # Finds CUDA and cuDNN where pip put them; what is missing it prints, and `_check_provider` says it better.
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            onnxruntime.preload_dlls()
    return provider


def _check_provider(session: onnxruntime.InferenceSession, provider: str) -> None:
    # A provider that fails to start leaves a session that runs on the CPU, with no more than a line in the log.
    if session.get_providers()[0] != provider:
        raise _no_provider(f"a session on {session.get_providers()[0]} only")


def _no_provider(found: str) -> TargetUnavailableError:
    return TargetUnavailableError(
        "provider 'cuda' of ONNX Runtime",
        found=found,
        needed="CUDAExecutionProvider: an NVIDIA GPU with its driver, CUDA and cuDNN",
        do="pip install onnxruntime-gpu on such a machine, or use the provider cpu",
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
