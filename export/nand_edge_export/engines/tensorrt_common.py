"""What TensorRT and TensorRT-RTX share: from the bundle's graph to a serialised engine, over either Python module."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge.signature import FRAMES, NORMALITY_BIAS, NORMALITY_FEATURES
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.source_graph import source_graph

_MIB = 1 << 20
_SENTENCES_SHOWN = 2

# A machine that only builds has no driver; TensorRT logs that as an error and goes on.
_HARMLESS = ("cudaError 35", "CUDA driver version is insufficient", "CUDA initialization failure")


def build_with_tensorrt(
    trt: Any,
    target: Target,
    bundle: Bundle,
    options: BuildOptions,
    *,
    compute_capability: str,
    configure: Callable[[Any], None],
    on_phase: OnPhase,
) -> EngineRecord:
    """Build one engine file and describe it.

    Args:
        trt: The module `tensorrt`, `tensorrt_rtx` or `tensorrt_rtx_bindings`.
        target: Which of the two products it is.
        bundle: The bundle that the engine goes into; its engine folder exists.
        options: The limits.
        compute_capability: What the engine is for ("8.6"); names the file.
        configure: Sets what only this target has in TensorRT's builder configuration.
        on_phase: Told what the build is doing.

    Raises:
        NandEdgeError: TensorRT cannot read the graph or cannot build the engine.
    """
    graph = source_graph(bundle)
    logger = _collecting_logger(trt)
    on_phase("reading the graph")
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    # By its path, so that the weights beside the graph are found.
    if not parser.parse_from_file(str(graph)):
        reasons = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise _refused(trt, target, graph, f"a graph that it cannot read ({_sentences(reasons)})")
    config = _configuration(trt, builder, bundle, options)
    configure(config)
    # Kept in a variable: TensorRT does not hold the monitor itself.
    monitor = _progress_monitor(trt, on_phase)
    config.progress_monitor = monitor
    on_phase("building the engine")
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        raise _refused(trt, target, graph, f"a graph that it cannot build ({_sentences(logger.errors)})")
    relative = f"engines/{target.value}/sm{compute_capability.replace('.', '')}.engine"
    on_phase("writing the engine")
    with whole_file(bundle.path(relative)) as temporary, temporary.open("wb") as stream:
        stream.write(serialised)
    return EngineRecord(
        target=target,
        file=relative,
        state=EngineState.BUILT_NOT_RUN,
        reason=_why_not_run(compute_capability),
        precision=f"{bundle.manifest.precision}, TF32 products" if options.tf32 else bundle.manifest.precision,
        compute_capability=compute_capability,
        built_with=f"{target.value} {trt.__version__}",
        built_on=f"{platform.system()} {platform.machine()}",
        limits=options.limits,
    )


def _network_flags(trt: Any) -> int:
    """Strongly typed: the graph alone says which precision is used."""
    flags = trt.NetworkDefinitionCreationFlag
    return 1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0


def _configuration(trt: Any, builder: Any, bundle: Bundle, options: BuildOptions) -> Any:
    config = builder.create_builder_config()
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    taps, width = len(bundle.manifest.clip.taps), bundle.manifest.clip.width
    usual = [min(max(side, options.min_side), options.max_side) for side in options.usual_frame]
    profile = builder.create_optimization_profile()
    profile.set_shape(
        FRAMES,
        (1, options.min_side, options.min_side, 3),
        (1, *usual, 3),
        (options.max_batch, options.max_side, options.max_side, 3),
    )
    least, most = (1, taps, 2, 1), (options.max_normalities, taps, 2, options.max_vectors)
    profile.set_shape(NORMALITY_FEATURES, (*least, width), (*least, width), (*most, width))
    profile.set_shape(NORMALITY_BIAS, least, least, most)
    config.add_optimization_profile(profile)
    return config


def _collecting_logger(trt: Any) -> Any:
    class CollectingLogger(trt.ILogger):  # type: ignore[misc]
        """Keeps TensorRT's errors for our own sentence, and TensorRT off the terminal."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            serious = severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)
            if serious and not any(words in message for words in _HARMLESS):
                self.errors.append(message)

    return CollectingLogger()


def _progress_monitor(trt: Any, on_phase: OnPhase) -> Any:
    class ProgressMonitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Passes the names of TensorRT's phases on."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002
            on_phase(f"building the engine: {phase_name.lower()}")

        def phase_finish(self, phase_name: str) -> None:
            pass

        def step_complete(self, phase_name: str, step: int) -> bool:  # noqa: ARG002
            return True  # go on

    return ProgressMonitor()


def _why_not_run(compute_capability: str) -> str:
    here = compute_capability_here()
    if here == compute_capability:
        return "built; `nand-edge verify` runs it on this machine"
    machine = f"whose device has {here}" if here else "without such a device"
    return f"built for compute capability {compute_capability} on a machine {machine}"


def _sentences(messages: list[str]) -> str:
    """The first messages, each on one line and cut."""
    serious = (message for message in messages if not any(words in message for words in _HARMLESS))
    lines = [" ".join(message.split())[:300] for message in serious]
    return "; ".join(lines[:_SENTENCES_SHOWN]) or "it gave no reason"


def _refused(trt: Any, target: Target, graph: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"{target.value} {trt.__version__} with {graph.name!r}",
        found=found,
        needed="a graph of operators and sizes that it supports",
        do="lower the limits, update the package, or export the bundle again",
    )
