"""ONNX Runtime in a lower precision: a second graph beside the portable one, compared as soon as it is built."""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge.signature import OUTPUTS
from nand_edge_export.engines.agreement import RunEngine, map_error
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.precision import FP32, lower
from nand_edge_export.precision.frames import session_of

_FOLDER = "engines/onnx"


class OnnxBuilder:
    """Writes `engines/onnx/<precision>.onnx`; the engine of fp32 is the bundle's own graph."""

    target = Target.ONNX

    def build(self, bundle: Bundle, options: BuildOptions, on_phase: OnPhase) -> EngineRecord:
        """Lower the bundle's graph and compare it with the samples; see `EngineBuilder`."""
        if options.precision == FP32:
            raise NandEdgeError(
                f"target {self.target.value!r} with precision {FP32!r}",
                found="nothing to build",
                needed="another precision or another target",
                do="run the bundle as it is: its graph.onnx is that engine",
            )
        lowered = lower(bundle, self.target, options, on_phase)
        relative = f"{_FOLDER}/{options.precision}.onnx"
        folder = bundle.path(_FOLDER)
        # In a folder of its own until it is whole and compared: weights that are too large stand in a second file.
        with tempfile.TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as temporary:
            path = Path(temporary) / Path(relative).name
            on_phase("writing the engine")
            lowered.save(path)
            lowered_by = lowered.lowered_by
            del lowered
            on_phase("comparing with the samples")
            difference = map_error(bundle, self.target, _runner(path), precision=options.precision)
            for file in Path(temporary).iterdir():
                file.chmod(0o644)
                file.replace(folder / file.name)
        return EngineRecord(
            target=self.target,
            file=relative,
            state=EngineState.BUILT_NOT_RUN if difference is None else EngineState.PARITY_CHECKED,
            reason="the bundle has no samples to compare with" if difference is None else "",
            precision=options.precision,
            built_with=f"onnxruntime {_version()}",
            built_on=f"{platform.system()} {platform.machine()}",
            max_map_error=difference,
            lowered_by=lowered_by,
        )


def _version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def _runner(path: Path) -> RunEngine:
    session = session_of(path)
    names = [name for name in OUTPUTS if name in {output.name for output in session.get_outputs()}]

    def run(inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        return dict(zip(names, session.run(names, inputs), strict=True))

    return run
