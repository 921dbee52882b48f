"""Opening an ONNX Runtime session: provider, threads, and no change of provider that nobody asked for."""

from __future__ import annotations

import re
from contextlib import nullcontext, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from nand_edge.bundle import Bundle
from nand_edge.cache_folder import cache_folder, private_folder
from nand_edge.errors import NandEdgeError
from nand_edge_runtime.backends.onnx_faults import first_line, is_about_memory, memory_fault
from nand_edge_runtime.backends.protocol import BackendOptions, TargetUnavailableError

CPU, CUDA, TENSORRT = "cpu", "cuda", "tensorrt"
PROVIDERS = {
    CPU: "CPUExecutionProvider",
    CUDA: "CUDAExecutionProvider",
    TENSORRT: "TensorrtExecutionProvider",
}
"""Names on the command line, and ONNX Runtime's."""

_NEEDS = {
    CUDA: "CUDAExecutionProvider: an NVIDIA GPU with its driver, CUDA and cuDNN",
    TENSORRT: "TensorrtExecutionProvider: an NVIDIA GPU with its driver, CUDA, cuDNN and TensorRT",
}
_FATAL_ONLY = 4
_HAS_TF32_SWITCH = (1, 18)

Provider = str | tuple[str, dict[str, str]]


def open_session(bundle: Bundle, file: str, options: BackendOptions) -> Any:
    """An `onnxruntime.InferenceSession` of one of the bundle's files.

    Raises:
        TargetUnavailableError: ONNX Runtime or the provider is missing, or the memory for the graph.
        NandEdgeError: The provider is unknown or the graph cannot be loaded.
    """
    onnxruntime = _import()
    _require_provider(onnxruntime, options.provider)
    settings = _settings(onnxruntime, options)
    chosen = providers(bundle, options, _version(onnxruntime))
    try:
        # It would print what is wrong and go on with another provider: older versions even without `enable_fallback`.
        with nullcontext() if options.provider == CPU else redirect_stdout(StringIO()):
            session = onnxruntime.InferenceSession(
                str(bundle.path(file)), settings, providers=chosen, enable_fallback=0
            )
    except Exception as error:  # ONNX Runtime's own exceptions share no public base class
        if is_about_memory(error):
            raise memory_fault(file, "the graph", error) from error
        if "graph capture" in str(error):
            raise TargetUnavailableError(
                f"engine {file!r} with CUDA graphs on the provider {options.provider!r}",
                found=first_line(error),
                needed="a graph without branches, which the gate is",
                do="leave CUDA graphs out, or use the target tensorrt",
            ) from error
        if options.provider != CPU:
            raise _no_provider(options.provider, f"that it cannot start: {_reason(error)}") from error
        raise NandEdgeError(
            f"engine {file!r} of bundle {bundle.name!r}",
            found=f"a graph that ONNX Runtime {onnxruntime.__version__} cannot load: {first_line(error)}",
            needed=f"a graph of opset {bundle.manifest.graph.opset}",
            do="update onnxruntime or export the bundle again",
        ) from error
    # A provider that fails to start leaves a session that runs on the CPU, with no more than a line in the log.
    if session.get_providers()[0] != PROVIDERS[options.provider]:
        raise _no_provider(options.provider, f"a session on {session.get_providers()[0]} only")
    return session


def _import() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise TargetUnavailableError(
            "target 'onnx'",
            found=f"no ONNX Runtime that can be imported ({first_line(error)})",
            needed="the package onnxruntime",
            do="pip install onnxruntime",
        ) from None
    return onnxruntime


def _require_provider(onnxruntime: Any, name: str) -> None:
    if name not in PROVIDERS:
        raise NandEdgeError(
            f"provider {name!r}",
            found="an unknown name",
            needed=f"one of {', '.join(PROVIDERS)}",
            do="correct the name",
        )
    if PROVIDERS[name] not in onnxruntime.get_available_providers():
        raise _no_provider(name, f"an ONNX Runtime built for {', '.join(onnxruntime.get_available_providers())}")
    if name != CPU and hasattr(onnxruntime, "preload_dlls"):
        # Finds CUDA and cuDNN where pip put them; what is missing it prints, and `open_session` says it better.
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            onnxruntime.preload_dlls()


def _settings(onnxruntime: Any, options: BackendOptions) -> Any:
    settings = onnxruntime.SessionOptions()
    # Errors come as exceptions; the library's own lines would go to stderr between ours.
    settings.log_severity_level = _FATAL_ONLY
    onnxruntime.set_default_logger_severity(_FATAL_ONLY)
    if options.threads is not None:
        settings.intra_op_num_threads = options.threads
    entries = {}
    if not options.spinning:
        # Threads that have nothing to do sleep, between a frame's layers and between frames.
        entries["session.intra_op.allow_spinning"] = "0"
        entries["session.force_spinning_stop"] = "1"
    if options.provider != CPU:
        entries["session.record_ep_graph_assignment_info"] = "1"
    # Not `session.set_denormal_as_zero`: it changes arithmetic in the whole process, the caller's included.
    for name, value in entries.items():
        settings.add_session_config_entry(name, value)
    return settings


def providers(bundle: Bundle, options: BackendOptions, version: tuple[int, ...]) -> list[Provider]:
    """ONNX Runtime's list: what the first cannot run goes to the next, which `Placement` watches.

    Args:
        bundle: Whose graph it is for.
        options: How it is to run.
        version: ONNX Runtime's major and minor version.

    Raises:
        NandEdgeError: Others can write to the folder that TensorRT's engines would be kept in.
    """
    if options.provider == CPU:
        return [PROVIDERS[CPU]]
    cuda: Provider = (PROVIDERS[CUDA], _cuda_settings(options, version))
    if options.provider == CUDA:
        return [cuda, PROVIDERS[CPU]]
    return [(PROVIDERS[TENSORRT], _tensorrt_settings(bundle, options)), cuda, PROVIDERS[CPU]]


def _cuda_settings(options: BackendOptions, version: tuple[int, ...]) -> dict[str, str]:
    settings = {
        # Memory grows by what is asked for, not by doubling: a station runs the same shapes for ever.
        "arena_extend_strategy": "kSameAsRequested",
        # The exhaustive search would take seconds for every new size of frames.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    if options.cuda_graphs and options.provider == CUDA:
        settings["enable_cuda_graph"] = "1"
    if version >= _HAS_TF32_SWITCH:
        # fp32 is fp32: TF32 would move maps by 1e-3.
        settings["use_tf32"] = "0"
    return settings


def _tensorrt_settings(bundle: Bundle, options: BackendOptions) -> dict[str, str]:
    folder = str(private_folder(cache_folder() / "onnxruntime-tensorrt" / bundle.sha256[:16]))
    settings = {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": folder,
    }
    if options.precision in ("fp16", "bf16", "int8"):
        settings[f"trt_{options.precision}_enable"] = "True"
    if options.cuda_graphs:
        settings["trt_cuda_graph_enable"] = "True"
    return settings


def _version(onnxruntime: Any) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(onnxruntime.__version__))[:2])


def _reason(error: BaseException) -> str:
    """An error without the place in ONNX Runtime's source that it begins with."""
    return re.sub(r"^.*?\.(?:cc|h):\d+ \S.*?\)(?: \[.*?\])? ", "", first_line(error))[:200].rstrip(". ")


def _no_provider(name: str, found: str) -> TargetUnavailableError:
    return TargetUnavailableError(
        f"provider {name!r} of ONNX Runtime",
        found=found,
        needed=_NEEDS[name],
        do="pip install onnxruntime-gpu on such a machine, or use the provider cpu",
    )
