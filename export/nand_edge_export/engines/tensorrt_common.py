"""What TensorRT and TensorRT-RTX share: from the bundle's graph to a serialised engine, over either Python module."""

from __future__ import annotations

import platform
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.compute_capability import file_name, runs_on
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.tensorrt_messages import collecting_logger, progress_monitor, sentences
from nand_edge_export.engines.tensorrt_profile import Spans, add_profile, spans_of
from nand_edge_export.precision import source_graph_of

_MIB = 1 << 20
_FP32 = "fp32"

Finish = Callable[[], None]
"""Called when the engine is built."""

Prepare = Callable[[Path], AbstractContextManager[Path]]
"""From a graph's file to another one, which is there until the context ends."""


def build_with_tensorrt(
    trt: Any,
    target: Target,
    bundle: Bundle,
    options: BuildOptions,
    *,
    compute_capability: str,
    configure: Callable[[Any], Finish | None],
    prepare: Prepare = nullcontext,
    on_phase: OnPhase,
) -> EngineRecord:
    """Build one engine file and describe it.

    The graph alone says which precision is used: the network is strongly typed.

    Args:
        trt: The module `tensorrt`, `tensorrt_rtx` or `tensorrt_rtx_bindings`.
        target: Which of the two products it is.
        bundle: The bundle that the engine goes into; its engine folder exists.
        options: The limits.
        compute_capability: What the engine is for, as `nand_edge.compute_capability` records it; names the file.
        configure: Sets what only this target has in TensorRT's builder configuration; what it gives is called when
            the engine is built.
        prepare: Gives the graph that this target reads, of the graph in the precision that was asked for.
        on_phase: Told what the build is doing.

    Raises:
        NandEdgeError: TensorRT cannot read the graph or cannot build the engine.
    """
    _check_strip(target, options)
    spans = spans_of(options)
    with source_graph_of(bundle, target, options, on_phase) as source, prepare(source.path) as graph:
        serialised = _serialised(
            trt,
            target,
            bundle=bundle,
            options=options,
            spans=spans,
            graph=graph,
            configure=configure,
            on_phase=on_phase,
        )
    precision = "" if options.precision == _FP32 else f"-{options.precision}"
    relative = f"engines/{target.value}/{file_name(compute_capability)}{precision}.engine"
    on_phase("writing the engine")
    with whole_file(bundle.path(relative)) as temporary, temporary.open("wb") as stream:
        stream.write(serialised)
    return EngineRecord(
        target=target,
        file=relative,
        state=EngineState.BUILT_NOT_RUN,
        reason=_why_not_run(compute_capability),
        precision=options.precision,
        lowered_by=source.lowered_by | ({"products": "TF32"} if options.tf32 else {}),
        compute_capability=compute_capability,
        version_compatible=options.tensorrt.version_compatible,
        built_with=f"{target.value} {trt.__version__}",
        built_on=f"{platform.system()} {platform.machine()}",
        limits=spans.limits,
    )


def _serialised(
    trt: Any,
    target: Target,
    *,
    bundle: Bundle,
    options: BuildOptions,
    spans: Spans,
    graph: Path,
    configure: Callable[[Any], Finish | None],
    on_phase: OnPhase,
) -> Any:
    logger = collecting_logger(trt)
    on_phase("reading the graph")
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, logger)
    # By its path, so that the weights beside the graph are found.
    if not parser.parse_from_file(str(graph)):
        reasons = [parser.get_error(index).desc() for index in range(parser.num_errors)]
        raise _refused(trt, target, graph, f"a graph that it cannot read ({sentences(reasons)})")
    config = _configuration(trt, builder, options)
    add_profile(builder, config, bundle, spans)
    finish = configure(config)
    # Kept in a variable: TensorRT does not hold the monitor itself.
    monitor = progress_monitor(trt, on_phase)
    config.progress_monitor = monitor
    on_phase("building the engine")
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        raise _refused(trt, target, graph, f"a graph that it cannot build ({sentences(logger.errors)})")
    if finish is not None:
        finish()
    return serialised


def _network_flags(trt: Any) -> int:
    flags = trt.NetworkDefinitionCreationFlag
    return 1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0


def _configuration(trt: Any, builder: Any, options: BuildOptions) -> Any:
    config = builder.create_builder_config()
    if not options.tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib * _MIB)
    asked = options.tensorrt
    flags = {
        # Without it x - x may become 0 for an x that is NaN, and the graph could not tell broken normalities.
        "STRICT_NANS": True,
        "REFIT": asked.refit,
        "STRIP_PLAN": asked.strip,
        # The weights that come back are those of the graph; what may be any must be built for any.
        "REFIT_IDENTICAL": asked.strip and not asked.refit,
        "WEIGHT_STREAMING": asked.weight_streaming,
    }
    for name, wanted in flags.items():
        if wanted:
            set_flag(trt, config, name)
    return config


def set_flag(trt: Any, config: Any, name: str) -> None:
    """Set a flag of the builder that not every version has.

    Raises:
        NandEdgeError: This version has not.
    """
    flag = getattr(trt.BuilderFlag, name, None)
    if flag is None:
        raise NandEdgeError(
            f"build option {name.lower().replace('_', ' ')}",
            found=f"{trt.__name__} {trt.__version__}, which has none",
            needed="a version that has it",
            do="update the package, or leave the option out",
        )
    config.set_flag(flag)


def _check_strip(target: Target, options: BuildOptions) -> None:
    if options.tensorrt.strip and options.precision != _FP32:
        raise NandEdgeError(
            f"target {target.value!r} without weights in the engine",
            found=f"precision {options.precision}",
            needed="fp32: the bundle's graph, from which the weights come back, has them in no other",
            do="leave --strip out",
        )


def _why_not_run(compute_capability: str) -> str:
    here = compute_capability_here()
    if here is not None and runs_on(compute_capability, here):
        return "built; `nand-edge verify` runs it on this machine"
    machine = f"whose device has {here}" if here else "without such a device"
    return f"built for compute capability {compute_capability} on a machine {machine}"


def _refused(trt: Any, target: Target, graph: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"{target.value} {trt.__version__} with {graph.name!r}",
        found=found,
        needed="a graph of operators and sizes that it supports",
        do="lower the limits, update the package, or export the bundle again",
    )
