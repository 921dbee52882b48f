from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import cuda_stand_in
import numpy as np
import pytest
from toy_bundle import Spot

from nand_edge.bundle import add_engine, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime import Inspector
from nand_edge_runtime.backends import TargetUnavailableError


@pytest.fixture
def cudart(monkeypatch: pytest.MonkeyPatch) -> cuda_stand_in.Cudart:
    """A GPU of compute capability 8.6, stood in for."""
    stand_in = cuda_stand_in.Cudart()
    bindings = ModuleType("cuda.bindings")
    bindings.runtime = stand_in  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    monkeypatch.setitem(sys.modules, "tensorrt", cuda_stand_in.TENSORRT)
    return stand_in


@pytest.fixture
def gpu_bundle(own_bundle: Path) -> Path:
    """A bundle with a TensorRT engine for compute capability 8.6."""
    _add_engine(own_bundle, "8.6")
    return own_bundle


def _add_engine(bundle: Path, compute_capability: str, content: bytes | None = None) -> None:
    file = f"engines/tensorrt/sm{compute_capability.replace('.', '')}.engine"
    (bundle / "engines/tensorrt").mkdir(parents=True, exist_ok=True)
    (bundle / file).write_bytes(content or (bundle / "graph.onnx").read_bytes())
    add_engine(
        open_bundle(bundle),
        EngineRecord(
            target=Target.TENSORRT,
            file=file,
            state=EngineState.BUILT_NOT_RUN,
            compute_capability=compute_capability,
            built_with="tensorrt 10.3",
        ),
    )


@pytest.mark.usefixtures("cudart")
def test_an_engine_gives_what_the_graph_gives(gpu_bundle: Path, spot: Spot) -> None:
    with Inspector(gpu_bundle) as engine, Inspector(gpu_bundle, target="onnx") as graph:
        assert engine.target is Target.TENSORRT
        assert engine.device == "CUDA 8.6"
        for normalities in (["bright"], ["bright", "dark"], []):
            engine.set_normalities(normalities)
            graph.set_normalities(normalities)
            for frame in (spot(), spot(inside=60), spot(size=(200, 300)), spot(size=(20, 30))):
                found, expected = engine.inspect(frame), graph.inspect(frame)
                assert found.score == pytest.approx(expected.score, abs=1e-6)
                assert found.clip_ran == expected.clip_ran
                np.testing.assert_allclose(found.suppression_map, expected.suppression_map, atol=1e-6)
        scores = [inspection.score for inspection in engine.inspect_batch([spot(), spot(inside=60)])]
        assert scores[0] != scores[1]


def test_buffers_grow_only_for_larger_frames_and_are_freed(
    gpu_bundle: Path, spot: Spot, cudart: cuda_stand_in.Cudart
) -> None:
    with Inspector(gpu_bundle) as inspector:
        inspector.inspect(spot(size=(100, 100)))
        before = cudart.allocations
        inspector.inspect(spot(size=(100, 100)))
        inspector.inspect(spot(size=(50, 60)))
        assert cudart.allocations == before
        inspector.inspect(spot(size=(200, 100)))
        assert cudart.allocations == before + 2, "host and device side of the frames"
        inspector.close()
    assert not cudart.blocks


@pytest.mark.usefixtures("cudart")
def test_results_stay_when_the_next_frame_comes(gpu_bundle: Path, spot: Spot) -> None:
    with Inspector(gpu_bundle) as inspector:
        first = inspector.inspect(spot())
        before = first.base_map.copy()
        inspector.inspect(spot(inside=60))
        np.testing.assert_array_equal(first.base_map, before)


@pytest.mark.usefixtures("cudart")
def test_a_frame_outside_the_engines_limits_is_refused(gpu_bundle: Path, spot: Spot) -> None:
    with Inspector(gpu_bundle) as inspector:
        with pytest.raises(NandEdgeError, match=r"found frames of shape \[1, 600, 100, 3\], needed a shape from"):
            inspector.inspect(spot(size=(600, 100)))
        assert inspector.inspect(spot()).verdict.value == "pass", "the next frame is inspected as ever"


@pytest.mark.usefixtures("cudart")
def test_an_engine_for_another_gpu_is_not_run(own_bundle: Path) -> None:
    _add_engine(own_bundle, "7.5")
    with pytest.raises(TargetUnavailableError, match=r"capability: 7\.5, needed one for this GPU, 8\.6"):
        Inspector(own_bundle, target="tensorrt")
    with Inspector(own_bundle) as inspector:
        assert inspector.target is Target.ONNX


@pytest.mark.usefixtures("cudart")
def test_an_engine_that_tensorrt_refuses(own_bundle: Path) -> None:
    _add_engine(own_bundle, "8.6", content=b"foreign version")
    with pytest.raises(NandEdgeError, match=r"found an engine that tensorrt 10\.3 refuses"):
        Inspector(own_bundle)


def test_the_stand_in_has_only_what_the_real_packages_have() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    tensorrt = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed")
    pairs = {
        cuda_stand_in.Cudart: runtime,
        cuda_stand_in.Engine: tensorrt.ICudaEngine,
        cuda_stand_in.Context: tensorrt.IExecutionContext,
        cuda_stand_in.Runtime: tensorrt.Runtime,
        cuda_stand_in.Logger: tensorrt.Logger,
        cuda_stand_in.TensorLocation: tensorrt.TensorLocation,
    }
    for stand_in, real in pairs.items():
        missing = [name for name in vars(stand_in) if not name.startswith("_") and not hasattr(real, name)]
        assert not missing, f"{stand_in.__name__} of the stand-in has {missing}, the real package has not"
    assert hasattr(runtime.cudaDeviceAttr, "cudaDevAttrComputeCapabilityMajor")
    assert hasattr(runtime.cudaMemcpyKind, "cudaMemcpyHostToDevice")
