"""Engines for TensorRT-RTX: really built, for a GPU that this machine need not have."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from nand_edge.bundle import GRAPH_FOR_TENSORRT, Bundle, open_bundle
from nand_edge.command_line import main
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineState, Target
from nand_edge_export.engines import BuildOptions
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.device import compute_capability_here
from nand_edge_export.engines.tensorrt_options import HardwareCompatibility, Span, TensorRTOptions
from nand_edge_runtime.backends.cuda_plan import HEAD_BYTES, version_of

pytest.importorskip("tensorrt_rtx_bindings", reason="the extra rtx is not installed (Linux and Windows on x86-64 only)")

FOR_86 = BuildOptions(compute_capability="8.6", max_batch=2, max_side=512)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_an_engine_is_built_without_a_gpu_and_recorded_as_not_run(bundle: Bundle) -> None:
    before, phases = files(bundle.folder), []
    built = build_engine(bundle, Target.TENSORRT_RTX, FOR_86, on_phase=phases.append)

    record = open_bundle(built.folder).manifest.engines[-1]
    assert (record.target, record.compute_capability, record.state) == (
        Target.TENSORRT_RTX,
        "8.6",
        EngineState.BUILT_NOT_RUN,
    )
    assert record.file == "engines/tensorrt-rtx/sm86.engine"
    assert record.built_with.startswith("tensorrt-rtx 1.")
    assert record.limits == {"max_batch": 2, "max_normalities": 8, "max_vectors": 64, "min_side": 64, "max_side": 512}
    assert bundle.path(record.file).stat().st_size > 100_000
    assert files(bundle.folder) - before == {record.file}
    assert phases[0] == "reading the graph"
    assert "writing the engine" in phases


@pytest.mark.skipif(compute_capability_here() is not None, reason="this machine has a GPU")
def test_the_reason_says_why_it_was_not_run(bundle: Bundle) -> None:
    record = build_engine(bundle, Target.TENSORRT_RTX, FOR_86).manifest.engines[-1]

    assert record.reason == "built for compute capability 8.6 on a machine without such a device"


def test_a_second_build_replaces_the_first_and_another_gpu_gets_its_own(bundle: Bundle) -> None:
    built = build_engine(bundle, Target.TENSORRT_RTX, FOR_86)
    built = build_engine(built, Target.TENSORRT_RTX, BuildOptions(compute_capability="8.6", max_batch=1, max_side=256))
    built = build_engine(built, Target.TENSORRT_RTX, BuildOptions(compute_capability="12.0", max_side=256))

    engines = open_bundle(built.folder).manifest.engines[1:]
    assert [(engine.compute_capability, engine.limits["max_batch"]) for engine in engines] == [("8.6", 1), ("12.0", 8)]


def test_one_engine_for_several_gpus(bundle: Bundle) -> None:
    options = replace(FOR_86, compute_capability="12.1,8.9,8.6")
    record = build_engine(bundle, Target.TENSORRT_RTX, options).manifest.engines[-1]

    assert record.compute_capability == "8.6,8.9,12.1"
    assert record.file == "engines/tensorrt-rtx/sm86-sm89-sm121.engine"


@pytest.mark.parametrize("capability", ["9.9", "8.6,9.9"])
def test_a_capability_that_rtx_does_not_know_is_refused_with_those_it_does(bundle: Bundle, capability: str) -> None:
    with pytest.raises(NandEdgeError, match=rf"found '{capability}', needed one of 7\.5, 8\.0, 8\.6"):
        build_engine(bundle, Target.TENSORRT_RTX, BuildOptions(compute_capability=capability))


@pytest.mark.parametrize(
    ("capability", "precision", "first"),
    [("7.5", "fp32", "8.0"), ("7.5,8.6", "bf16", "8.0"), ("8.6", "fp8", "8.9")],
)
def test_a_precision_that_a_gpu_cannot_multiply_in_is_refused(
    bundle: Bundle, capability: str, precision: str, first: str
) -> None:
    options = BuildOptions(compute_capability=capability, precision=precision)
    with pytest.raises(
        NandEdgeError, match=rf"compiles no matrix products.*needed compute capability {first} or later"
    ):
        build_engine(bundle, Target.TENSORRT_RTX, options)


def test_the_engine_is_for_the_shapes_that_were_asked_for(bundle: Bundle) -> None:
    spans = TensorRTOptions(batches=Span(1, 2, 4), heights=Span(480, 480, 480), widths=Span(64, 640, 1280))
    record = build_engine(
        bundle, Target.TENSORRT_RTX, BuildOptions(compute_capability="8.6", tensorrt=spans)
    ).manifest.engines[-1]

    assert record.limits == {
        "max_batch": 4,
        "max_normalities": 8,
        "max_vectors": 64,
        "min_side": 64,
        "max_side": 1280,
        "min_height": 480,
        "max_height": 480,
        "min_width": 64,
        "max_width": 1280,
    }


@pytest.mark.parametrize(
    "options",
    [
        TensorRTOptions(timing_cache=Path("timing.cache")),
        TensorRTOptions(version_compatible=True),
        TensorRTOptions(hardware_compatible=HardwareCompatibility.AMPERE),
        TensorRTOptions(level=5),
    ],
)
def test_what_tensorrt_alone_has_is_refused(bundle: Bundle, options: TensorRTOptions) -> None:
    with pytest.raises(NandEdgeError, match="it chooses kernels where the engine runs, needed target 'tensorrt'"):
        build_engine(bundle, Target.TENSORRT_RTX, replace(FOR_86, tensorrt=options))


@pytest.mark.skipif(compute_capability_here() is not None, reason="this machine has a GPU")
@pytest.mark.parametrize("options", [TensorRTOptions(refit=True), TensorRTOptions(strip=True)])
def test_weights_that_can_be_exchanged_need_a_gpu(bundle: Bundle, options: TensorRTOptions) -> None:
    with pytest.raises(NandEdgeError, match="no NVIDIA GPU in this machine, needed one"):
        build_engine(bundle, Target.TENSORRT_RTX, replace(FOR_86, tensorrt=options))


def test_weights_may_be_streamed(bundle: Bundle) -> None:
    record = build_engine(
        bundle, Target.TENSORRT_RTX, replace(FOR_86, tensorrt=TensorRTOptions(weight_streaming=True), tf32=True)
    ).manifest.engines[-1]

    assert record.lowered_by == {"products": "TF32"}


def test_an_engine_tells_its_version_before_it_is_loaded(bundle: Bundle) -> None:
    record = build_engine(bundle, Target.TENSORRT_RTX, FOR_86).manifest.engines[-1]

    version = version_of(bundle.path(record.file).read_bytes()[:HEAD_BYTES])
    assert version is not None
    assert record.built_with == f"tensorrt-rtx {'.'.join(map(str, version))}"


@pytest.mark.skipif(compute_capability_here() is not None, reason="this machine has a GPU")
@pytest.mark.parametrize("asked", [None, "current"])
def test_without_a_gpu_the_capability_must_be_named(bundle: Bundle, asked: str | None) -> None:
    with pytest.raises(NandEdgeError, match="no NVIDIA GPU in this machine"):
        build_engine(bundle, Target.TENSORRT_RTX, BuildOptions(compute_capability=asked))


@pytest.mark.parametrize("content", [b"", b"no graph", None], ids=["empty", "other content", "cut short"])
def test_a_graph_that_cannot_be_read_leaves_the_bundle_as_it_was(bundle: Bundle, content: bytes | None) -> None:
    graph, before = bundle.path(GRAPH_FOR_TENSORRT), files(bundle.folder)
    graph.write_bytes(graph.read_bytes()[:2000] if content is None else content)

    with pytest.raises(NandEdgeError, match="a graph that it cannot"):
        build_engine(bundle, Target.TENSORRT_RTX, FOR_86)
    assert files(bundle.folder) == before
    assert not (bundle.folder / "engines").exists()


def test_missing_weights_are_refused(bundle: Bundle) -> None:
    bundle.path("weights.bin").unlink()

    with pytest.raises(NandEdgeError, match=r"graph\.tensorrt\.onnx"):
        build_engine(bundle, Target.TENSORRT_RTX, FOR_86)


def test_a_bundle_without_the_graph_for_engines_is_refused(bundle: Bundle) -> None:
    bundle.path(GRAPH_FOR_TENSORRT).unlink()

    with pytest.raises(NandEdgeError, match=r"no graph\.tensorrt\.onnx.*export the bundle again"):
        build_engine(bundle, Target.TENSORRT_RTX, FOR_86)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(NandEdgeError, match=r"pip install 'nand-edge\[rtx\]'"):
        build_engine(bundle, Target.TENSORRT_RTX, FOR_86)


def test_the_command_prints_the_engines_record(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["build", str(bundle.folder), "--target", "tensorrt-rtx", "--compute-capability", "8.9", "--json"]
    assert main([*command, "--max-side", "256", "--max-batch", "1"]) == 0

    record = json.loads(capsys.readouterr().out)
    assert (record["file"], record["state"]) == ("engines/tensorrt-rtx/sm89.engine", "built-not-run")
