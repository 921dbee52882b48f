"""The backends of TensorRT and TensorRT-RTX, on a stand-in for the GPU."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cuda_stand_in
import numpy as np
import onnx
import pytest
from cuda_stand_in import BRANCH_STAYS, HUGE, PLAIN, STRIPPED, WAITS, engine_file
from toy_bundle import Spot

from nand_edge.bundle import add_engine, open_bundle, write_manifest
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge.signature import MAPS
from nand_edge_runtime import Inspector
from nand_edge_runtime.backends import BackendOptions, TargetUnavailableError, open_backend
from nand_edge_runtime.backends.cuda_engine import CudaEngineBackend


@pytest.fixture
def cudart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> cuda_stand_in.Cudart:
    """A GPU of compute capability 8.6, stood in for."""
    stand_in = cuda_stand_in.Cudart()
    for name in ("cuda", "cuda.bindings"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", stand_in)
    monkeypatch.setitem(sys.modules, "tensorrt", cuda_stand_in.tensorrt(stand_in))
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", cuda_stand_in.tensorrt(stand_in, "1.7.1.116"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return stand_in


@pytest.fixture
def gpu_bundle(own_bundle: Path) -> Path:
    """A bundle with a TensorRT engine for compute capability 8.6."""
    _add_engine(own_bundle)
    return own_bundle


def _add_engine(
    bundle: Path,
    compute_capability: str = "8.6",
    precision: str = "fp32",
    *,
    target: Target = Target.TENSORRT,
    kind: bytes = PLAIN,
    version: tuple[int, int, int, int] | None = None,
    version_compatible: bool = False,
) -> None:
    version = version or ((1, 7, 1, 116) if target is Target.TENSORRT_RTX else (10, 3, 0, 26))
    file = f"engines/{target.value}/{compute_capability}-{precision}.engine"
    (bundle / file).parent.mkdir(parents=True, exist_ok=True)
    (bundle / file).write_bytes(engine_file((bundle / "graph.onnx").read_bytes(), version, kind))
    add_engine(
        open_bundle(bundle, check_files=False),
        EngineRecord(
            target=target,
            file=file,
            state=EngineState.BUILT_NOT_RUN,
            compute_capability=compute_capability,
            precision=precision,
            version_compatible=version_compatible,
            built_with=f"{target.value} {version[0]}.{version[1]}",
        ),
    )


def _inputs(bundle: Path, frame: np.ndarray, threshold: float = 0.5) -> dict[str, Any]:
    with Inspector(bundle, target="onnx") as inspector:
        inspector.threshold = threshold
        return {"frames": frame[None], **inspector._in_force.inputs()}


@pytest.mark.usefixtures("cudart")
@pytest.mark.parametrize("target", [Target.TENSORRT, Target.TENSORRT_RTX])
def test_an_engine_gives_what_the_graph_gives(own_bundle: Path, spot: Spot, target: Target) -> None:
    _add_engine(own_bundle, target=target)
    with Inspector(own_bundle) as engine, Inspector(own_bundle, target="onnx") as graph:
        assert engine.target is target
        assert engine.device == "CUDA 8.6"
        for normalities in (["bright"], ["bright", "dark"], []):
            engine.set_normalities(normalities)
            graph.set_normalities(normalities)
            for frame in (spot(), spot(inside=60), spot(size=(200, 300)), spot(size=(20, 30))):
                found, expected = engine.inspect(frame), graph.inspect(frame)
                assert found.score == pytest.approx(expected.score, abs=1e-6)
                assert (found.clip_ran, found.taps_run) == (expected.clip_ran, expected.taps_run)
                np.testing.assert_allclose(found.suppression_map, expected.suppression_map, atol=1e-6)
        scores = [inspection.score for inspection in engine.inspect_batch([spot(), spot(inside=60)])]
        assert scores[0] != scores[1]


@pytest.mark.usefixtures("cudart")
def test_the_older_layout_of_cuda_python_will_do(
    gpu_bundle: Path, spot: Spot, monkeypatch: pytest.MonkeyPatch, cudart: cuda_stand_in.Cudart
) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    monkeypatch.setitem(sys.modules, "cuda.cudart", cudart)
    with Inspector(gpu_bundle, target="tensorrt") as inspector:
        assert inspector.inspect(spot()).score > 0


def test_buffers_grow_only_for_larger_frames_and_are_freed(
    gpu_bundle: Path, spot: Spot, cudart: cuda_stand_in.Cudart
) -> None:
    with Inspector(gpu_bundle) as inspector:
        inspector.inspect(spot(size=(100, 100)))
        before = cudart._allocations
        inspector.inspect(spot(size=(100, 100)))
        inspector.inspect(spot(size=(50, 60)))
        assert cudart._allocations == before
        inspector.inspect(spot(size=(200, 100)))
        assert cudart._allocations == before + 2, "host and device side of the frames"
        inspector.close()
    assert not cudart._blocks
    assert cudart._streams == 0


@pytest.mark.usefixtures("cudart")
def test_results_stay_when_the_next_frame_comes(gpu_bundle: Path, spot: Spot) -> None:
    with Inspector(gpu_bundle) as inspector:
        first = inspector.inspect(spot())
        before = first.base_map.copy()
        inspector.inspect(spot(inside=60))
        np.testing.assert_array_equal(first.base_map, before)


@pytest.mark.usefixtures("cudart")
def test_a_graph_that_gives_scores_alone_gives_them(own_bundle: Path, spot: Spot) -> None:
    manifest = open_bundle(own_bundle).manifest
    model = onnx.load(own_bundle / "graph.onnx")
    for name in MAPS:
        model.graph.output.remove(next(output for output in model.graph.output if output.name == name))
    onnx.save(model, own_bundle / "graph.onnx")
    outputs = {name: tensor for name, tensor in manifest.graph.outputs.items() if name not in MAPS}
    graph = manifest.graph.model_copy(update={"outputs": outputs})
    write_manifest(own_bundle, manifest.model_copy(update={"graph": graph}))
    _add_engine(own_bundle)
    backend = open_backend(open_bundle(own_bundle), "tensorrt")
    assert set(backend.run(_inputs(own_bundle, spot()))) == set(outputs)
    backend.close()


class TestLimits:
    """A shape outside the engine's profile is refused in the user's words, and the next frame runs as ever."""

    @pytest.mark.usefixtures("cudart")
    @pytest.mark.parametrize(
        ("size", "sentence"),
        [
            ((600, 100), r"frame of 100 x 600 pixels: found 600 pixels of height, needed at most 512"),
            ((100, 600), r"frame of 600 x 100 pixels: found 600 pixels of width, needed at most 512"),
            ((100, 8), r"frame of 8 x 100 pixels: found 8 pixels of width, needed at least 16"),
        ],
    )
    def test_of_frames(self, gpu_bundle: Path, spot: Spot, size: tuple[int, int], sentence: str) -> None:
        with Inspector(gpu_bundle) as inspector:
            with pytest.raises(NandEdgeError, match=sentence):
                inspector.inspect(np.zeros((*size, 3), np.uint8))
            assert inspector.inspect(spot()).verdict.value == "pass"

    @pytest.mark.usefixtures("cudart")
    def test_of_batches_and_normalities(self, gpu_bundle: Path, spot: Spot) -> None:
        with Inspector(gpu_bundle) as inspector:
            with pytest.raises(NandEdgeError, match=r"found 3 frames in one batch, needed at most 2.*--max-batch"):
                inspector.inspect_batch([spot()] * 3)
            bright = open_bundle(gpu_bundle).normality("bright")
            inspector.set_normalities([replace(bright, name=f"bright {place}") for place in range(5)])
            with pytest.raises(NandEdgeError, match=r"found 5 normalities in force, needed at most 4"):
                inspector.inspect(spot())


class TestChoice:
    """Which engine of a bundle is taken, and what is said when none fits."""

    @pytest.mark.usefixtures("cudart")
    def test_an_engine_for_another_gpu_is_not_run(self, own_bundle: Path) -> None:
        _add_engine(own_bundle, "7.5")
        with pytest.raises(TargetUnavailableError, match=r"capability: 7\.5 in fp32, needed one for this GPU, 8\.6"):
            Inspector(own_bundle, target="tensorrt")
        with Inspector(own_bundle) as inspector:
            assert inspector.target is Target.ONNX

    @pytest.mark.usefixtures("cudart")
    @pytest.mark.parametrize("capability", ["8.0,8.6,8.9", "8.0+", ""])
    def test_an_engine_for_several_gpus_is_run_on_each(self, own_bundle: Path, capability: str) -> None:
        _add_engine(own_bundle, capability)
        with Inspector(own_bundle, target="tensorrt") as inspector:
            assert inspector.target is Target.TENSORRT

    @pytest.mark.usefixtures("cudart")
    def test_the_engine_of_the_precision_that_was_asked_for(self, own_bundle: Path, spot: Spot) -> None:
        _add_engine(own_bundle, precision="fp32", version=(9, 0, 0, 0))
        _add_engine(own_bundle, precision="bf16")
        bundle = open_bundle(own_bundle)
        backend = _load(bundle, BackendOptions(precision="bf16"))
        assert backend.run(_inputs(own_bundle, spot()))["score"][0] > 0
        backend.close()
        with pytest.raises(TargetUnavailableError, match=r"needed one for this GPU, 8\.6, in fp16.*--precision fp16"):
            _load(bundle, BackendOptions(precision="fp16"))


def _load(bundle: Any, options: BackendOptions) -> CudaEngineBackend:
    from nand_edge_runtime.backends.tensorrt import TensorRTBackend

    return TensorRTBackend(bundle, options)


class TestVersions:
    """An engine belongs to the version that built it."""

    @pytest.mark.usefixtures("cudart")
    @pytest.mark.parametrize(
        ("version", "version_compatible", "runs"),
        [
            ((10, 3, 0, 30), False, True),
            ((10, 2, 0, 26), False, False),
            ((10, 2, 0, 26), True, True),
            ((10, 9, 0, 34), True, False),
            ((11, 3, 0, 26), False, False),
        ],
    )
    def test_of_tensorrt(
        self, own_bundle: Path, *, version: tuple[int, int, int, int], version_compatible: bool, runs: bool
    ) -> None:
        _add_engine(own_bundle, version=version, version_compatible=version_compatible)
        if runs:
            Inspector(own_bundle, target="tensorrt").close()
            return
        written_by = ".".join(map(str, version))
        with pytest.raises(
            TargetUnavailableError, match=rf"tensorrt {written_by} built, needed one built by tensorrt 10"
        ):
            Inspector(own_bundle, target="tensorrt")
        with Inspector(own_bundle) as inspector:
            assert inspector.target is Target.ONNX, "the automatic choice goes on"

    def test_what_tensorrt_refuses_is_said_with_its_reason(
        self, own_bundle: Path, cudart: cuda_stand_in.Cudart
    ) -> None:
        _add_engine(own_bundle, kind=b"other!")
        with pytest.raises(
            TargetUnavailableError, match=r"found an engine that tensorrt 10\.3\.0\.26 refuses \(bad magic\)"
        ):
            Inspector(own_bundle, target="tensorrt")
        assert cudart._streams == 0, "nothing stays on the GPU"


class TestMemory:
    """The GPU's memory comes to an end."""

    @pytest.mark.usefixtures("cudart")
    def test_when_the_engine_is_loaded(self, own_bundle: Path) -> None:
        _add_engine(own_bundle, kind=HUGE)
        with pytest.raises(TargetUnavailableError, match=r"too little memory on the GPU, 8\.0 of 8\.0 GiB free"):
            Inspector(own_bundle, target="tensorrt")
        with Inspector(own_bundle) as inspector:
            assert inspector.target is Target.ONNX

    def test_when_a_frame_comes(self, gpu_bundle: Path, spot: Spot, cudart: cuda_stand_in.Cudart) -> None:
        with Inspector(gpu_bundle) as inspector:
            inspector.inspect(spot(size=(50, 50)))
            cudart._free = 1000
            with pytest.raises(NandEdgeError, match=r"the GPU's memory: found not enough for CUDA's cudaMallocHost"):
                inspector.inspect(spot(size=(300, 300)))
            cudart._free = cuda_stand_in.GIB
            assert inspector.inspect(spot(size=(300, 300))).score > 0


class TestRecordedRuns:
    """CUDA graphs: recorded once, played as long as shapes stay, and never at the price of a wrong verdict."""

    @pytest.fixture
    def backend(self, gpu_bundle: Path, request: pytest.FixtureRequest) -> CudaEngineBackend:
        """A backend that records."""
        _add_engine(gpu_bundle, kind=getattr(request, "param", PLAIN))
        return _load(open_bundle(gpu_bundle), BackendOptions(cuda_graphs=True))

    def test_the_third_run_of_a_shape_is_played(
        self, cudart: cuda_stand_in.Cudart, gpu_bundle: Path, spot: Spot, backend: CudaEngineBackend
    ) -> None:
        inputs = [_inputs(gpu_bundle, spot(inside=level)) for level in (250, 60, 200, 90)]
        plain = _load(open_bundle(gpu_bundle), BackendOptions())
        expected = [plain.run(each) for each in inputs]
        launches = []
        for each, wanted in zip(inputs, expected, strict=True):
            found = backend.run(each)
            launches.append(cudart._launches)
            for name, result in wanted.items():
                np.testing.assert_array_equal(found[name], result)
        assert launches == [0, 2, 3, 4], "two launches prove the recording, then one a frame"
        backend.close()
        plain.close()
        assert cudart._recordings == 0
        assert not cudart._blocks

    def test_the_threshold_still_decides_in_a_recording(
        self, cudart: cuda_stand_in.Cudart, gpu_bundle: Path, spot: Spot, backend: CudaEngineBackend
    ) -> None:
        for threshold in (0.5, 0.5, 0.5, 2.0, 0.5):
            assert backend.run(_inputs(gpu_bundle, spot(inside=250), threshold))["clip_ran"][0] == (threshold < 1)
        assert cudart._recordings == 1

    def test_another_shape_is_run_and_recorded_anew(
        self, cudart: cuda_stand_in.Cudart, gpu_bundle: Path, spot: Spot, backend: CudaEngineBackend
    ) -> None:
        small, large = (_inputs(gpu_bundle, spot(size=size)) for size in ((40, 40), (90, 70)))
        expected = [backend.run(each)["base_map"] for each in (small, large)]
        for _ in range(3):
            np.testing.assert_array_equal(backend.run(small)["base_map"], expected[0])
        launches = cudart._launches
        np.testing.assert_array_equal(backend.run(large)["base_map"], expected[1])
        assert cudart._launches == launches
        assert cudart._recordings == 0, "what was recorded for the other shape is dropped"

    @pytest.mark.parametrize(
        ("backend", "reason"),
        [(WAITS, "its control flow cannot be recorded"), (BRANCH_STAYS, "does not follow the gate's threshold")],
        indirect=["backend"],
    )
    def test_an_engine_that_cannot_be_recorded_runs_as_ever_and_says_so_once(
        self,
        *,
        cudart: cuda_stand_in.Cudart,
        gpu_bundle: Path,
        spot: Spot,
        backend: CudaEngineBackend,
        reason: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        with caplog.at_level(logging.WARNING):
            for threshold in (2.0, 2.0, 2.0, 0.5):
                ran = backend.run(_inputs(gpu_bundle, spot(inside=250), threshold))["clip_ran"][0]
                assert ran == (threshold < 1)
        assert [reason in message for message in caplog.messages] == [True]
        assert cudart._recordings == 0
        backend.close()

    @pytest.fixture(autouse=True)
    def _gpu(self, cudart: cuda_stand_in.Cudart) -> None:
        """The stand-in is there before a backend is made."""


@pytest.mark.usefixtures("cudart")
def test_an_engine_without_weights_takes_those_of_the_graph(own_bundle: Path, spot: Spot) -> None:
    _add_engine(own_bundle, kind=STRIPPED)
    with Inspector(own_bundle, target="tensorrt") as inspector:
        assert inspector.inspect(spot()).score > 0


class TestKernelsOfTensorRTRTX:
    """TensorRT-RTX's kernels are kept beside, and never in, the bundle."""

    @pytest.fixture
    def bundle(self, own_bundle: Path, cudart: cuda_stand_in.Cudart) -> Path:  # noqa: ARG002 - a GPU
        """A bundle with an engine of TensorRT-RTX."""
        _add_engine(own_bundle, target=Target.TENSORRT_RTX)
        return own_bundle

    def test_they_are_kept_after_the_first_run_and_when_it_ends(self, bundle: Path, tmp_path: Path, spot: Spot) -> None:
        identity = open_bundle(bundle).sha256
        with Inspector(bundle) as inspector:
            inspector.inspect(spot(size=(40, 40)))
            (kept,) = (tmp_path / "cache/nand-edge/tensorrt-rtx").iterdir()
            first = kept.read_bytes()
            inspector.inspect(spot(size=(50, 50)))
        assert kept.name.endswith("-1.7.1.116.kernels")
        assert len(kept.read_bytes()) > len(first) > 0
        assert open_bundle(bundle).sha256 == identity

        before = kept.read_bytes()
        with Inspector(bundle) as inspector:
            inspector.inspect(spot(size=(50, 50)))
        assert kept.read_bytes() == before, "nothing was compiled a second time"

    def test_those_of_another_gpu_are_written_anew(self, bundle: Path, tmp_path: Path, spot: Spot) -> None:
        with Inspector(bundle) as inspector:
            inspector.inspect(spot())
        (kept,) = (tmp_path / "cache/nand-edge/tensorrt-rtx").iterdir()
        kept.write_bytes(b"kernels of sm120:")
        with Inspector(bundle) as inspector:
            inspector.inspect(spot())
        assert kept.read_bytes().startswith(b"kernels of sm86:")

    def test_a_cache_that_cannot_be_written_costs_a_warning(
        self, bundle: Path, tmp_path: Path, spot: Spot, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "cache").write_text("a file where the folder should be")
        with Inspector(bundle) as inspector, caplog.at_level(logging.WARNING):
            assert inspector.inspect(spot()).score > 0
        assert "compiled kernels not kept" in caplog.text

    def test_it_records_itself_and_says_when_it_cannot(
        self, bundle: Path, spot: Spot, caplog: pytest.LogCaptureFixture, cudart: cuda_stand_in.Cudart
    ) -> None:
        from nand_edge_runtime.backends.tensorrt_rtx import TensorRTRTXBackend

        _add_engine(bundle, target=Target.TENSORRT_RTX, kind=WAITS)
        backend = TensorRTRTXBackend(open_bundle(bundle), BackendOptions(cuda_graphs=True))
        for _ in range(4):
            backend.run(_inputs(bundle, spot()))
        assert cudart._launches == 0
        assert [message for message in caplog.messages if "without CUDA graphs" in message] == [
            "engine engines/tensorrt-rtx/8.6-fp32.engine runs without CUDA graphs: TensorRT-RTX cannot record it"
        ]
        backend.close()


def test_the_stand_in_has_only_what_the_real_packages_have() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    real = pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed")
    stand_in = cuda_stand_in.tensorrt(cuda_stand_in.Cudart())
    pairs = {
        cuda_stand_in.Cudart: runtime,
        cuda_stand_in.Engine: real.ICudaEngine,
        cuda_stand_in.Context: real.IExecutionContext,
        cuda_stand_in.RuntimeCache: real.IRuntimeCache,
        stand_in.Runtime: real.Runtime,
        **{getattr(stand_in, name): getattr(real, name) for name in ("ILogger", "TensorLocation", "Refitter")},
        cuda_stand_in.OnnxParserRefitter: real.OnnxParserRefitter,
    }
    for ours, theirs in pairs.items():
        missing = [name for name in vars(ours) if not name.startswith("_") and not hasattr(theirs, name)]
        assert not missing, f"{ours.__name__} of the stand-in has {missing}, the real package has not"
    for name in ("create_runtime_cache", "set_runtime_cache", "cuda_graph_strategy"):
        assert hasattr(cuda_stand_in.RuntimeConfig, name)
        assert hasattr(real.IRuntimeConfig, name)
    for kind, names in {
        "cudaDeviceAttr": ("cudaDevAttrComputeCapabilityMajor", "cudaDevAttrComputeCapabilityMinor"),
        "cudaMemcpyKind": ("cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"),
        "cudaStreamCaptureMode": ("cudaStreamCaptureModeThreadLocal",),
        "cudaError_t": ("cudaSuccess", "cudaErrorMemoryAllocation"),
    }.items():
        assert all(hasattr(getattr(runtime, kind), name) for name in names), kind
    assert hasattr(real.CudaGraphStrategy, "WHOLE_GRAPH_CAPTURE")
    assert hasattr(real.EngineStat, "STRIPPED_WEIGHTS_SIZE")
    assert hasattr(real.ILogger.Severity, "INTERNAL_ERROR")
    assert hasattr(real.ICudaEngine, "get_weight_streaming_automatic_budget")
    assert hasattr(real.ICudaEngine, "weight_streaming_budget_v2")
