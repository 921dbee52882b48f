"""OpenVINO: the bundle's graph as an intermediate representation for Intel CPUs, checked as soon as it is built."""

from __future__ import annotations

import importlib
import platform
from typing import Any

from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_folder
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge.signature import FRAMES, INPUTS, OUTPUTS
from nand_edge_export.engines.agreement import RunEngine, map_error
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.engines.source_graph import source_graph

_FOLDER = "engines/openvino"
_FILE = "model.xml"


class OpenVINOBuilder:
    """Converts the graph for one frame a run, of any size; weights stay float32."""

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

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:  # noqa: ARG002 - no limits
        """Write `engines/openvino/model.xml` and its weights, then compare with the samples; see `EngineBuilder`."""
        with whole_folder(bundle.path(_FOLDER)) as folder:
            on_phase("converting the graph")
            model = self._read_graph(bundle)
            self._openvino.save_model(model, str(folder / _FILE), compress_to_fp16=False)
            on_phase("compiling it for this CPU")
            compiled = self._openvino.Core().compile_model(
                str(folder / _FILE), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
            )
            on_phase("comparing with the samples")
            difference = map_error(bundle, self.target, _runner(compiled))
            # The file is read lazily, so nothing may hold it when the folder moves.
            del compiled, model
        return EngineRecord(
            target=self.target,
            file=f"{_FOLDER}/{_FILE}",
            state=EngineState.BUILT_NOT_RUN if difference is None else EngineState.PARITY_CHECKED,
            reason="the bundle has no samples to compare with" if difference is None else "",
            precision=bundle.manifest.precision,
            built_with=f"openvino {self._version}",
            built_on=f"{platform.system()} {platform.machine()}",
            max_map_error=difference,
        )

    @property
    def _version(self) -> str:
        """Its number, without the build's name that OpenVINO adds."""
        return str(self._openvino.__version__).partition("-")[0]

    def _read_graph(self, bundle: Bundle) -> Any:
        graph = source_graph(bundle)
        try:
            model = self._openvino.Core().read_model(str(graph))
        except RuntimeError as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
            raise self._refused(graph.name, f"a graph that it cannot read ({reason})") from None
        inputs = {name for port in model.inputs for name in port.get_names()}
        if not inputs >= set(INPUTS):
            raise self._refused(graph.name, f"inputs {', '.join(sorted(inputs))}")
        # With a free batch size OpenVINO 2026.4 gives wrong maps in the first run of every batch size.
        model.reshape({FRAMES: [1, -1, -1, 3]})
        return model

    def _refused(self, graph: str, found: str) -> NandEdgeError:
        return NandEdgeError(
            f"openvino {self._version} with {graph!r}",
            found=found,
            needed=f"a graph with the inputs {', '.join(INPUTS)}",
            do="update openvino, or export the bundle again",
        )


def _runner(compiled: Any) -> RunEngine:
    def run(inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        results = compiled(inputs)
        return {name: results[name] for name in OUTPUTS}

    return run
