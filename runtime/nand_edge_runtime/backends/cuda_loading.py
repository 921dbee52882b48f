"""Choosing and loading a serialised TensorRT engine, and what to say when TensorRT refuses."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_runtime.backends.cuda_memory import Cuda
from nand_edge_runtime.backends.cuda_plan import HEAD_BYTES, can_load, fitting, parse_version, version_of
from nand_edge_runtime.backends.protocol import TargetUnavailableError

_FP32 = "fp32"
_LONGEST = 200
_OUT_OF_MEMORY = ("out of memory", "outofmemory", "memory allocation", "mem_alloc")


def import_tensorrt(target: Target, modules: Sequence[str], package: str, extra: str) -> Any:
    """The first of the modules that there is.

    Raises:
        TargetUnavailableError: There is none.
    """
    reasons = []
    for module in modules:
        try:
            return importlib.import_module(module)
        except ImportError as error:
            reasons.append(str(error))
    raise TargetUnavailableError(
        f"target {target.value!r}",
        found=f"no module {modules[0]} that can be imported ({reasons[0]})",
        needed=f"the package {package}",
        do=f"pip install 'nand-edge[{extra}]', or install NVIDIA's packages for this device",
    )


def choose_engine(bundle: Bundle, target: Target, compute_capability: str, precision: str) -> EngineRecord:
    """The bundle's engine for this GPU and this precision.

    Raises:
        TargetUnavailableError: The bundle has none.
    """
    built = [engine for engine in bundle.manifest.engines if engine.target is target]
    chosen = fitting(built, compute_capability, precision)
    if chosen is not None:
        return chosen
    there = "; ".join(f"{engine.compute_capability} in {engine.precision}" for engine in built) or "none"
    raise TargetUnavailableError(
        f"target {target.value!r} of bundle {bundle.name!r}",
        found=f"engines for compute capability: {there}",
        needed=f"one for this GPU, {compute_capability}, in {precision}",
        do=_build_again(bundle, target, compute_capability, precision),
    )


class LoadedEngine:
    """A deserialised engine with what must live as long as it does.

    Attributes:
        engine: TensorRT's engine.
        messages: What TensorRT said of faults since the list was last cleared.
    """

    def __init__(self, record: EngineRecord, runtime: Any, engine: Any, messages: list[str]) -> None:
        self.engine, self.messages = engine, messages
        self._record, self._runtime = record, runtime

    def context_of(self, create: Callable[[], Any], cuda: Cuda) -> Any:
        """An execution context.

        Raises:
            TargetUnavailableError: TensorRT gives none, which is nearly always for want of memory.
        """
        self.messages.clear()
        context = create()
        if context is None:
            raise _memory_fault(self._record, cuda, self.messages)
        return context

    def execution_fault(self, cuda: Cuda, shape: Sequence[int]) -> NandEdgeError:
        """What to raise when an execution failed with frames of this shape."""
        if _is_about_memory(self.messages):
            return _memory_fault(self._record, cuda, self.messages)
        return NandEdgeError(
            f"engine {self._record.file!r}",
            found=f"an execution that failed with frames {list(shape)} ({_words(self.messages)})",
            needed="an engine that runs on this GPU",
            do="build the engine again on this device with `nand-edge build`",
        )

    def close(self) -> None:
        """Let go of the engine and then of TensorRT's runtime."""
        self.engine = None
        self._runtime = None


def load_engine(trt: Any, cuda: Cuda, bundle: Bundle, record: EngineRecord) -> LoadedEngine:
    """Read an engine's file and load it.

    Raises:
        TargetUnavailableError: Another version wrote it, or the GPU has not the memory, or TensorRT refuses it.
    """
    content = bundle.path(record.file).read_bytes()
    _check_version(trt, bundle, record, content)
    messages: list[str] = []
    logger = _collecting_logger(trt, messages)
    runtime = trt.Runtime(logger)
    if record.version_compatible:
        # Such an engine brings a runtime of its own version; the bundle's hashes vouch for it.
        runtime.engine_host_code_allowed = True
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        if _is_about_memory(messages):
            raise _memory_fault(record, cuda, messages)
        raise TargetUnavailableError(
            f"engine {record.file!r} of bundle {bundle.name!r}",
            found=f"an engine that {_product(trt, record)} refuses ({_why_invalid(trt, runtime, content, messages)})",
            needed=f"the version and the device that it was built for: {record.built_with or 'unknown'}, "
            f"compute capability {record.compute_capability or 'unknown'}",
            do=_build_again(bundle, record.target, cuda.compute_capability, record.precision),
        )
    _restore_weights(trt, engine, logger, bundle, record)
    _stream_weights(engine)
    return LoadedEngine(record, runtime, engine, messages)


def _check_version(trt: Any, bundle: Bundle, record: EngineRecord, content: bytes) -> None:
    written_by, installed = version_of(content[:HEAD_BYTES]), parse_version(str(trt.__version__))
    if written_by is None or can_load(written_by, installed, version_compatible=record.version_compatible):
        return
    raise TargetUnavailableError(
        f"engine {record.file!r} of bundle {bundle.name!r}",
        found=f"one that {record.target.value} {'.'.join(map(str, written_by))} built",
        needed=f"one built by {_product(trt, record)}, which is installed here",
        do=_build_again(bundle, record.target, record.compute_capability, record.precision),
    )


def _restore_weights(trt: Any, engine: Any, logger: Any, bundle: Bundle, record: EngineRecord) -> None:
    """Give an engine that was built without weights those of the bundle's graph."""
    statistics = getattr(trt, "EngineStat", None)
    if statistics is None or engine.get_engine_stat(statistics.STRIPPED_WEIGHTS_SIZE) <= 0:
        return
    refitter = trt.Refitter(engine, logger)
    parser = trt.OnnxParserRefitter(refitter, logger)
    graph = bundle.path(GRAPH_FOR_TENSORRT)
    if not parser.refit_from_file(str(graph)) or not refitter.refit_cuda_engine():
        raise NandEdgeError(
            f"engine {record.file!r} of bundle {bundle.name!r}",
            found=f"that its weights cannot be taken from {graph.name}",
            needed="the graph that it was built from",
            do="build the engine again, without --strip",
        )


def _stream_weights(engine: Any) -> None:
    """Let TensorRT keep as many weights on the GPU as have room there; nothing where all must be there anyway."""
    if getattr(engine, "streamable_weights_size", 0) > 0:
        engine.weight_streaming_budget_v2 = engine.get_weight_streaming_automatic_budget()


def _collecting_logger(trt: Any, messages: list[str]) -> Any:
    class CollectingLogger(trt.ILogger):  # type: ignore[misc]
        """Keeps TensorRT's errors for our own sentence, and TensorRT off the terminal."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                messages.append(message)

    return CollectingLogger()


def _why_invalid(trt: Any, runtime: Any, content: bytes, messages: list[str]) -> str:
    """What TensorRT-RTX finds wrong with an engine, or what either said."""
    kinds = getattr(trt, "EngineInvalidityDiagnostics", None)
    if kinds is None:
        return _words(messages)
    _, bits = runtime.get_engine_validity(content)
    found = [name.lower().replace("_", " ") for name, kind in kinds.__members__.items() if int(kind) & int(bits)]
    return ", ".join(found) or _words(messages)


def _memory_fault(record: EngineRecord, cuda: Cuda, messages: list[str]) -> TargetUnavailableError:
    return TargetUnavailableError(
        f"engine {record.file!r}",
        found=f"too little memory on the GPU, {cuda.free_memory()} ({_words(messages)})",
        needed="room for its weights and for the largest batch of the largest frames that it was built for",
        do="end other programs on the GPU, or build the engine with a smaller --max-batch or --max-side",
    )


def _is_about_memory(messages: Sequence[str]) -> bool:
    return any(words in message.lower() for message in messages for words in _OUT_OF_MEMORY)


def _words(messages: Sequence[str]) -> str:
    return " ".join(messages[0].split())[:_LONGEST] if messages else "it gave no reason"


def _product(trt: Any, record: EngineRecord) -> str:
    return f"{record.target.value} {trt.__version__}"


def _build_again(bundle: Bundle, target: Target, compute_capability: str, precision: str) -> str:
    # What was built for several or later ones is built again for this device.
    capability = f" --compute-capability {compute_capability}" if compute_capability[-1:].isdigit() else ""
    lower = "" if precision == _FP32 else f" --precision {precision}"
    return f"nand-edge build {bundle.folder} --target {target.value}{capability}{lower}"
