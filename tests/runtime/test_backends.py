from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from toy_bundle import Spot, toy_graph, write_toy_bundle

from nand_edge import signature
from nand_edge.bundle import add_engine, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, EngineState, Target
from nand_edge_runtime import Inspector
from nand_edge_runtime.backends import BackendOptions, TargetUnavailableError, candidates
from nand_edge_runtime.backends.onnx import OnnxBackend
from nand_edge_runtime.backends.onnx_placement import Placement
from nand_edge_runtime.backends.onnx_session import open_session, providers

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
MAPS = ("base_map", "suppression_map", "anomaly_map")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@needs_openvino
def test_openvino_agrees_with_onnx_runtime(toy_bundle: Path, spot: Spot) -> None:
    with Inspector(toy_bundle, target="onnx") as onnx, Inspector(toy_bundle, target="openvino", threads=1) as openvino:
        assert openvino.target is Target.OPENVINO
        for normalities in (["bright"], ["dark"], ["bright", "dark"], []):
            for inspector in (onnx, openvino):
                inspector.set_normalities(normalities)
            for inside in (60, 230):
                expected, found = onnx.inspect(spot(inside)), openvino.inspect(spot(inside))
                assert found.verdict is expected.verdict
                assert found.clip_ran == expected.clip_ran
                assert found.score == pytest.approx(expected.score, abs=1e-5)
                for name in MAPS:
                    np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4)


@needs_openvino
def test_results_of_openvino_stay_when_the_next_frame_comes(toy_bundle: Path, spot: Spot) -> None:
    with Inspector(toy_bundle, target="openvino") as inspector:
        first = inspector.inspect(spot(inside=230))
        before = first.base_map.copy()
        inspector.inspect(spot(inside=60))
    np.testing.assert_array_equal(first.base_map, before)


@needs_openvino
def test_openvino_runs_the_frames_of_a_batch_one_by_one(toy_bundle: Path, spot: Spot) -> None:
    frames = [spot(inside=value) for value in (60, 230)]
    with Inspector(toy_bundle, target="openvino") as inspector:
        together = inspector.inspect_batch(frames)
        assert [inspection.clip_ran for inspection in together] == [False, True]
        assert [inspection.score for inspection in together] == [inspector.inspect(frame).score for frame in frames]


@needs_openvino
def test_openvino_counts_frames_that_are_no_numbers_as_rejects(tmp_path: Path, spot: Spot) -> None:
    bundle = write_toy_bundle(tmp_path / "nan.nand", base_gain=float("nan"))
    with Inspector(bundle, target="openvino") as inspector:
        assert inspector.inspect(spot()).verdict.value == "reject"


def test_an_unknown_target_is_named(toy_bundle: Path) -> None:
    with pytest.raises(NandEdgeError, match="target 'tpu': found an unknown name, needed one of onnx, openvino"):
        Inspector(toy_bundle, target="tpu")


def test_an_unknown_provider_is_named(toy_bundle: Path) -> None:
    with pytest.raises(
        NandEdgeError, match="provider 'rocm': found an unknown name, needed one of cpu, cuda, tensorrt"
    ):
        Inspector(toy_bundle, provider="rocm")


def test_a_provider_belongs_to_onnx_runtime(toy_bundle: Path) -> None:
    with pytest.raises(NandEdgeError, match="provider 'cuda': found target 'openvino'"):
        Inspector(toy_bundle, target="openvino", provider="cuda")


@needs_openvino
def test_openvino_takes_bf16_only_as_an_engine_that_was_built_for_it(toy_bundle: Path) -> None:
    with pytest.raises(TargetUnavailableError, match=r"needed one in bf16; nand-edge build .* --precision bf16"):
        Inspector(toy_bundle, target="openvino", precision="bf16")


def test_an_unknown_precision_is_named(toy_bundle: Path) -> None:
    with pytest.raises(NandEdgeError, match="precision 'int4': found an unknown name, needed one of fp32, fp16, bf16,"):
        Inspector(toy_bundle, target="openvino", precision="int4")


@pytest.mark.parametrize("target", [None, "onnx", pytest.param("openvino", marks=needs_openvino)])
def test_a_precision_that_nobody_built_names_the_command_that_builds_it(toy_bundle: Path, target: str | None) -> None:
    with pytest.raises(TargetUnavailableError, match=r"found engines in fp32, needed one in int8; nand-edge build .*"):
        Inspector(toy_bundle, target=target, precision="int8")


def test_a_precision_runs_the_engine_that_was_built_in_it(own_bundle: Path, spot: Spot) -> None:
    (own_bundle / "engines/onnx").mkdir(parents=True)
    onnx.save(toy_graph(base_gain=0.5 / 255), own_bundle / "engines/onnx/int8.onnx")
    record = EngineRecord(
        target=Target.ONNX, file="engines/onnx/int8.onnx", state=EngineState.BUILT_NOT_RUN, precision="int8"
    )
    bundle = add_engine(open_bundle(own_bundle), record)
    with Inspector(bundle) as exact, Inspector(bundle, precision="int8") as quick:
        assert (exact.device, quick.device) == ("CPU", "CPU, int8")
        assert quick.inspect(spot()).base_score == pytest.approx(0.5 * exact.inspect(spot()).base_score)


def test_a_graph_without_maps_is_asked_for_what_it_has(own_bundle: Path, spot: Spot) -> None:
    graph = onnx.load(own_bundle / "graph.onnx")
    kept = [output for output in graph.graph.output if output.name not in signature.MAPS]
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    bundle = open_bundle(own_bundle)
    onnx.save(graph, own_bundle / "graph.onnx")
    with closing(OnnxBackend(bundle, BackendOptions())) as backend:
        outputs = backend.run({signature.FRAMES: spot()[None], signature.THRESHOLD: np.array(0.5, np.float32)})
    assert set(outputs) == set(signature.SCORES)


def test_threads_that_do_not_spin_sleep_and_compute_the_same(toy_bundle: Path, spot: Spot) -> None:
    session = open_session(open_bundle(toy_bundle), "graph.onnx", BackendOptions(threads=2, spinning=False))
    settings = session.get_session_options()
    assert settings.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert settings.intra_op_num_threads == 2
    with Inspector(toy_bundle) as spinning, Inspector(toy_bundle, threads=2, spinning=False) as sleeping:
        np.testing.assert_allclose(sleeping.inspect(spot()).anomaly_map, spinning.inspect(spot()).anomaly_map)


def test_frames_of_a_wrong_shape_are_one_sentence(toy_bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frames = np.zeros((1, 8, 8, 4), np.uint8)
    with (
        closing(OnnxBackend(open_bundle(toy_bundle), BackendOptions())) as backend,
        pytest.raises(NandEdgeError, match=r"found an error with frames \[1, 8, 8, 4\]: .*frames"),
    ):
        backend.run({signature.FRAMES: frames, signature.THRESHOLD: np.array(0.5, np.float32)})
    assert capfd.readouterr() == ("", ""), "one sentence, not the library's own lines"


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is limited by Linux's means")
def test_too_little_memory_is_one_sentence(toy_bundle: Path) -> None:
    code = f"""
import resource
import numpy as np
from nand_edge.errors import NandEdgeError
from nand_edge_runtime import Inspector

frames = [np.zeros((480, 640, 3), np.uint8)] * 64
with Inspector({str(toy_bundle)!r}, threads=1) as inspector:
    inspector.inspect(frames[0])
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (150 << 20), resource.RLIM_INFINITY))
    try:
        inspector.inspect_batch(frames)
    except NandEdgeError as error:
        print(type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(inspector.inspect(frames[0]).verdict.value)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    sentence, verdict = done.stdout.splitlines()
    assert sentence.startswith("TargetUnavailableError engine 'graph.onnx' in ONNX Runtime: found too little memory")
    assert verdict == "pass", "and the next frame that has room is judged"
    assert done.stderr == ""


@pytest.mark.parametrize(("provider", "device"), [("cuda", "CUDA"), ("tensorrt", "TensorRT")])
def test_a_gpu_is_never_exchanged_for_the_cpu(
    toy_bundle: Path, spot: Spot, provider: str, device: str, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        with Inspector(toy_bundle, provider=provider) as inspector:
            assert inspector.device.startswith(device)
            assert inspector.inspect(spot()).verdict.value == "pass"
    except TargetUnavailableError as error:
        assert f"provider {provider!r} of ONNX Runtime" in str(error)  # noqa: PT017 - a machine may have it or not
    assert capfd.readouterr() == ("", ""), "one sentence, not the library's own lines"


def test_engines_for_gpus_come_first_and_openvino_only_by_name(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    assert candidates(bundle) == (Target.ONNX,)
    for target in (Target.OPENVINO, Target.TENSORRT_RTX, Target.TENSORRT):
        record = EngineRecord(
            target=target,
            file=f"engines/{target.value}",
            state=EngineState.BUILT_NOT_RUN,
            compute_capability="8.6",
        )
        bundle = add_engine(bundle, record)
    assert candidates(bundle) == (Target.TENSORRT, Target.TENSORRT_RTX, Target.ONNX)


@pytest.mark.parametrize("target", [Target.TENSORRT, Target.TENSORRT_RTX])
def test_a_gpu_engine_on_a_machine_without_gpu(
    own_bundle: Path, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    """Named, it is refused with the reason; unnamed, the next engine takes its place and the log says why."""
    engine = EngineRecord(target=target, file="graph.onnx", state=EngineState.BUILT_NOT_RUN, compute_capability="1.0")
    bundle = add_engine(open_bundle(own_bundle), engine)
    with pytest.raises(TargetUnavailableError, match=f"target '{target.value}'.*found .*, needed "):
        Inspector(bundle, target=target)
    with caplog.at_level(logging.INFO), Inspector(bundle) as inspector:
        assert inspector.target is Target.ONNX
    assert f"target {target.value} passed over" in caplog.text


def test_a_graph_that_is_no_graph(own_bundle: Path) -> None:
    bundle = open_bundle(own_bundle)
    (own_bundle / "graph.onnx").write_bytes(b"not a graph")
    with pytest.raises(NandEdgeError, match=r"engine 'graph.onnx' of bundle 'own': found a graph that ONNX Runtime"):
        Inspector(bundle)


def test_work_that_a_provider_leaves_to_the_cpu_is_said_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """ONNX Runtime's own record of a graph of which a GPU takes all, a part or nothing."""

    def part(provider: str, *kinds: str) -> SimpleNamespace:
        return SimpleNamespace(ep_name=provider, get_nodes=lambda: [SimpleNamespace(op_type=kind) for kind in kinds])

    on_gpu, shapes = part("CUDAExecutionProvider", "Conv", "MatMul"), part("CPUExecutionProvider", "Shape", "Gather")
    resize = part("CPUExecutionProvider", "Resize", "Cast", "Resize")
    whole = Placement.of_assignments([on_gpu, shapes], "cuda")
    whole.check()
    assert (whole.device, caplog.text) == ("CUDA", "")
    split = Placement.of_assignments([on_gpu, resize, shapes], "cuda")
    split.check()
    assert split.device == "CUDA, Resize on the CPU"
    assert "provider 'cuda' of ONNX Runtime leaves to the CPU: 2 x Resize" in caplog.text
    with pytest.raises(TargetUnavailableError, match="leaves all work to the CPU: 2 x Resize"):
        Placement.of_assignments([resize, shapes], "cuda").check()


def test_onnx_runtime_tells_where_the_nodes_of_all_branches_run(toy_bundle: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = onnxruntime.InferenceSession(str(toy_bundle / "graph.onnx"), options, providers=["CPUExecutionProvider"])
    placement = Placement.of(session, "cuda")
    if not placement.is_known:
        pytest.skip("this ONNX Runtime does not tell")
    assert placement.placed == 0
    assert placement.misplaced["MatMul"] == 3, "they are in the CLIP branch"


@pytest.mark.skipif(sys.platform == "win32", reason="rights of folders as POSIX has them")
def test_engines_are_never_kept_where_others_can_write(toy_bundle: Path, own_cache: Path) -> None:
    bundle, options = open_bundle(toy_bundle), BackendOptions(provider="tensorrt", precision="fp16")
    first, *others = providers(bundle, options, (1, 31))
    assert isinstance(first, tuple), "a provider with its settings"
    name, settings = first
    assert (name, settings["trt_fp16_enable"], len(others)) == ("TensorrtExecutionProvider", "True", 2)
    folder = Path(settings["trt_engine_cache_path"])
    assert folder.is_relative_to(own_cache)
    folder.chmod(0o777)
    with pytest.raises(NandEdgeError, match="found a folder that other users can write to"):
        providers(bundle, options, (1, 31))
