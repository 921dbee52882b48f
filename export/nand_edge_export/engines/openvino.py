"""OpenVINO: the bundle's graph as an intermediate representation for Intel CPUs, checked as soon as it is built."""

from __future__ import annotations

import importlib
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_folder
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge.signature import FRAMES
from nand_edge_export.engines.agreement import RunEngine, map_error
from nand_edge_export.engines.openvino_precise import keep_precise
from nand_edge_export.engines.openvino_resize import use_own_resize
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.precision import BF16, Source, source_graph_of

_FOLDER = "engines/openvino"
_FILE = "model.xml"


class OpenVINOBuilder:
    """Converts the graph for one frame a run, of any size; weights stay float32 until the CPU rounds them."""

    target = Target.OPENVINO

    def __init__(self) -> None:
        """Load OpenVINO.

        Raises:
            NandEdgeError: The package is missing.
        """
        try:
            self._openvino = importlib.import_module("openvino")
        except ImportError as error:
            raise NandEdgeError(
                f"target {self.target.value!r}",
                found=f"no package openvino that can be imported ({error})",
                needed="OpenVINO 2025.0 or later",
                do="run `pip install 'nand-edge[openvino]'`",
            ) from None

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:
        """Write `engines/openvino/<precision>/model.xml` and its weights, then compare with the samples.

        See `EngineBuilder`.
        """
        folder_of_precision = f"{_FOLDER}/{options.precision}"
        with whole_folder(bundle.path(folder_of_precision)) as folder:
            with self._source(bundle, options, on_phase) as source:
                on_phase("converting the graph")
                model = self._model(bundle, source.path)
                self._openvino.save_model(model, str(folder / _FILE), compress_to_fp16=False)
                del model
            if options.precision == BF16:
                keep_precise(folder / _FILE)
            difference, reason = self._checked(bundle, folder / _FILE, options.precision, on_phase)
        return EngineRecord(
            target=self.target,
            file=f"{folder_of_precision}/{_FILE}",
            state=EngineState.BUILT_NOT_RUN if difference is None else EngineState.PARITY_CHECKED,
            reason=reason,
            precision=options.precision,
            lowered_by=source.lowered_by,
            built_with=f"openvino {self._version}",
            built_on=f"{platform.system()} {platform.machine()}",
            max_map_error=difference,
        )

    @property
    def _version(self) -> str:
        """Its number, without the build's name that OpenVINO adds."""
        return str(self._openvino.__version__).partition("-")[0]

    @contextmanager
    def _source(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> Iterator[Source]:
        """The graph in the precision, for bf16 with PatchCore's search as bfloat16 wants it."""
        with source_graph_of(bundle, self.target, options, on_phase) as source:
            if options.precision != BF16 or bundle.manifest.detector.kind != "patchcore":
                yield source
                return
            on_phase("rewriting the search of the memory")
            with tempfile.TemporaryDirectory(prefix="nand-edge-") as folder:
                path = Path(folder) / source.path.name
                found = _search_in_bf16(source.path, path)
                yield Source(path, {**source.lowered_by, "memory_search": "bf16"}) if found else source

    def _model(self, bundle: Bundle, graph: Path) -> Any:
        try:
            model = self._openvino.Core().read_model(str(graph))
        except (RuntimeError, MemoryError) as error:
            raise self._refused(graph.name, f"a graph that it cannot read ({_last_line(error)})") from None
        inputs = {name for port in model.inputs for name in port.get_names()}
        needed = set(bundle.manifest.graph.inputs)
        if not inputs >= needed:
            raise self._refused(graph.name, f"inputs {', '.join(sorted(inputs))}")
        # With a free batch size OpenVINO 2026.4 gives wrong maps in the first run of every batch size.
        model.reshape({FRAMES: [1, -1, -1, 3]})
        use_own_resize(model)
        return model

    def _checked(self, bundle: Bundle, model: Path, precision: str, on_phase: OnPhase) -> tuple[float | None, str]:
        """The maps' largest difference from the samples', or None and why there is none."""
        core = self._openvino.Core()
        if precision == BF16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            return None, "this CPU has no bf16"
        on_phase("compiling it for this CPU")
        hint = "bf16" if precision == BF16 else "f32"
        try:
            compiled = core.compile_model(str(model), "CPU", {"INFERENCE_PRECISION_HINT": hint})
        except (RuntimeError, MemoryError) as error:
            raise self._refused(model.name, f"a model that it cannot compile ({_last_line(error)})") from None
        on_phase("comparing with the samples")
        difference = map_error(
            bundle, self.target, _runner(compiled, tuple(bundle.manifest.graph.outputs)), precision=precision
        )
        # The file is read lazily, so nothing may hold it when the folder moves.
        del compiled
        return difference, "the bundle has no samples to compare with" if difference is None else ""

    def _refused(self, graph: str, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"openvino {self._version} with {graph!r}",
            found=found,
            needed="a graph that it can read and run, and the memory for it",
            do="update openvino, export the bundle again, or build on a machine with more memory",
        )


def _search_in_bf16(source: Path, path: Path) -> bool:
    """Write the graph with the search rewritten; False where it has none."""
    try:
        import onnx
    except ImportError as error:
        raise NandEdgeError(
            f"precision {BF16!r}",
            found=f"no package onnx that can be imported ({error})",
            needed="onnx 1.18 or later, to rewrite PatchCore's search",
            do="run `pip install onnx`",
        ) from None
    from nand_edge_export.precision.memory_search_bf16 import search_in_bf16
    from nand_edge_export.precision.protocol import Lowered

    model = onnx.load(str(source))
    if not search_in_bf16(model):
        return False
    Lowered(model, {}).save(path)
    return True


def _runner(compiled: Any, outputs: tuple[str, ...]) -> RunEngine:
    def run(inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        results = compiled(inputs)
        return {name: results[name] for name in outputs}

    return run


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
