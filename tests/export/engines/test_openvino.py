"""Engines for OpenVINO: converted, run and compared with the samples as they are built."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from toy_bundle import toy_normality

from nand_edge.bundle import Bundle, open_bundle, write_manifest
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineState, Target
from nand_edge.normality import Normality, stack
from nand_edge.region import whole_frame
from nand_edge.signature import BASE_SCORE, CLIP_RAN, FRAMES, REGION, SCORE, THRESHOLD
from nand_edge_export.engines.build import build_engine
from nand_edge_export.engines.openvino_precise import keep_precise
from nand_edge_export.engines.protocol import BuildOptions
from nand_edge_runtime import Inspector
from nand_edge_runtime.backends import openvino_cache

REFERENCE = "samples/reference.openvino.safetensors"


def compiled(bundle: Bundle) -> openvino.CompiledModel:
    record = bundle.manifest.engines[-1]
    return openvino.Core().compile_model(bundle.path(record.file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def inputs(frames: NDArray[np.uint8], threshold: float, normalities: list[Normality]) -> dict[str, NDArray[Any]]:
    given = {**stack(normalities, 1).inputs(), REGION: whole_frame().map}
    return {FRAMES: frames, THRESHOLD: np.array(threshold, np.float32), **given}


def change_reference(bundle: Bundle, offset: float) -> None:
    """Move the reference's base map, as if the engine were wrong by `offset`."""
    path = bundle.path(REFERENCE)
    with safe_open(str(path), framework="numpy") as stream:
        tensors, metadata = {name: stream.get_tensor(name) for name in stream.keys()}, stream.metadata()  # noqa: SIM118
    tensors["base_map"] = tensors["base_map"] + np.float32(offset)
    save_file(tensors, str(path), metadata=metadata)


def test_an_engine_that_agrees_with_the_samples_is_recorded_as_checked(bundle: Bundle) -> None:
    built = build_engine(bundle, Target.OPENVINO)

    record = open_bundle(built.folder).manifest.engines[-1]
    assert (record.target, record.state) == (Target.OPENVINO, EngineState.PARITY_CHECKED)
    assert record.file == "engines/openvino/fp32/model.xml"
    assert record.max_map_error is not None
    assert record.max_map_error < 1e-5
    assert sorted(path.name for path in (built.folder / "engines/openvino/fp32").iterdir()) == [
        "model.bin",
        "model.xml",
    ]


def test_frames_of_any_size_and_any_number_of_normalities_go_in(bundle: Bundle) -> None:
    model = compiled(build_engine(bundle, Target.OPENVINO))
    normalities = [toy_normality("bright", [0, 1]), toy_normality("dark", [1, 0])]
    frames = np.random.default_rng(0).integers(0, 256, (1, 100, 77, 3), dtype=np.uint8)

    outputs = model(inputs(frames, 0, normalities))
    assert outputs[SCORE].shape == (1,)
    assert outputs[CLIP_RAN].all()
    assert np.all(outputs[SCORE] < outputs[BASE_SCORE])

    unsuspicious = model(inputs(frames, np.inf, normalities[:1]))
    assert not unsuspicious[CLIP_RAN].any()
    assert np.array_equal(unsuspicious[SCORE], unsuspicious[BASE_SCORE])


def has_bf16() -> bool:
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.mark.skipif(not has_bf16(), reason="this CPU has no bf16")
def test_a_bf16_engine_is_another_file_and_stays_near(bundle: Bundle) -> None:
    both = build_engine(build_engine(bundle, Target.OPENVINO), Target.OPENVINO, BuildOptions(precision="bf16"))

    record = both.manifest.engines[-1]
    assert (record.precision, record.file) == ("bf16", "engines/openvino/bf16/model.xml")
    assert record.max_map_error is not None
    assert record.max_map_error < 0.1
    frame = np.random.default_rng(0).integers(0, 256, (100, 77, 3), dtype=np.uint8)
    with (
        Inspector(both, target="openvino") as exact,
        Inspector(both, target="openvino", precision="bf16") as quick,
    ):
        exact.threshold = quick.threshold = -1e30
        expected, found = exact.inspect(frame), quick.inspect(frame)
    assert (exact.device, quick.device) == ("CPU", "CPU, bf16")
    assert found.clip_ran
    assert not np.array_equal(found.suppression_map, expected.suppression_map)


def test_what_is_no_networks_stays_float32_and_depthwise_convolutions_do(tmp_path: Path) -> None:
    from openvino import opset13 as op

    image = op.parameter([1, 4, 8, 8], openvino.Type.f32)
    ones = np.ones((4, 1, 1, 3, 3), np.float32)
    apart = op.group_convolution(image, ones, [1, 1], [1, 1], [1, 1], [1, 1])
    joined = op.convolution(apart, np.ones((4, 4, 1, 1), np.float32), [1, 1], [0, 0], [0, 0], [1, 1])
    own = op.convolution(joined, np.ones((4, 4, 1, 1), np.float32), [1, 1], [0, 0], [0, 0], [1, 1])
    for node, name in ((apart, "clip/apart"), (joined, "clip/joined"), (own, "conv_7")):
        node.set_friendly_name(name)
    file = tmp_path / "model.xml"
    openvino.save_model(openvino.Model([own], [image], "toy"), file, compress_to_fp16=False)

    assert keep_precise(file) == 2
    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    nodes = {node.get_friendly_name(): node.get_rt_info() for node in compiled.get_runtime_model().get_ops()}
    precision = {name: str(nodes[name]["runtimePrecision"].value) for name in ("clip/apart", "clip/joined", "conv_7")}
    lower = "bf16" if has_bf16() else "f32"
    assert precision == {"clip/apart": "f32", "clip/joined": lower, "conv_7": "f32"}


def test_the_second_start_comes_from_the_cache_and_computes_the_same(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_cache, "cache_folder", lambda: tmp_path / "cache")
    built = build_engine(bundle, Target.OPENVINO)
    frame = np.random.default_rng(0).integers(0, 256, (100, 77, 3), dtype=np.uint8)
    maps, files = [], []
    for _ in range(2):
        with Inspector(built, target="openvino") as inspector:
            maps.append(inspector.inspect(frame).anomaly_map)
        files.append(sorted(path for path in (tmp_path / "cache").rglob("*.blob")))

    assert len(files[0]) == 1
    assert files[0] == files[1]
    assert np.array_equal(*maps)


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another thing there")
def test_a_cache_that_others_can_write_is_refused(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_cache, "cache_folder", lambda: tmp_path / "cache")
    built = build_engine(bundle, Target.OPENVINO)
    Inspector(built, target="openvino").close()
    (folder,) = (tmp_path / "cache/openvino").iterdir()
    folder.chmod(0o777)

    with pytest.raises(NandEdgeError, match="a folder that other users can write to"):
        Inspector(built, target="openvino")


def test_an_engine_that_disagrees_is_not_kept(bundle: Bundle) -> None:
    change_reference(bundle, 0.1)

    with pytest.raises(NandEdgeError, match=r"maps off by 0\.1 and 0 of 2 verdicts different"):
        build_engine(bundle, Target.OPENVINO)
    assert not (bundle.folder / "engines").exists()
    assert Target.OPENVINO not in {engine.target for engine in bundle.manifest.engines}


def test_a_reference_that_is_no_number_agrees_with_nothing(bundle: Bundle) -> None:
    change_reference(bundle, np.nan)

    with pytest.raises(NandEdgeError, match="maps off by inf"):
        build_engine(bundle, Target.OPENVINO)


def test_a_failed_build_leaves_the_older_engine(bundle: Bundle) -> None:
    built = build_engine(bundle, Target.OPENVINO)
    older = (built.folder / "engines/openvino/fp32/model.xml").read_bytes()
    change_reference(built, 0.1)

    with pytest.raises(NandEdgeError, match="maps off"):
        build_engine(built, Target.OPENVINO)
    assert (built.folder / "engines/openvino/fp32/model.xml").read_bytes() == older


def test_without_samples_the_engine_counts_as_not_run(bundle: Bundle) -> None:
    bundle.path(REFERENCE).unlink()
    write_manifest(bundle.folder, bundle.manifest)

    record = build_engine(open_bundle(bundle.folder), Target.OPENVINO).manifest.engines[-1]
    assert (record.state, record.reason) == (EngineState.BUILT_NOT_RUN, "the bundle has no samples to compare with")


def test_damaged_samples_are_refused(bundle: Bundle) -> None:
    bundle.path(REFERENCE).write_bytes(b"damaged")

    with pytest.raises(NandEdgeError, match="samples of bundle 'line'"):
        build_engine(bundle, Target.OPENVINO)


def test_a_graph_that_cannot_be_read_is_refused(bundle: Bundle) -> None:
    bundle.path("graph.openvino.onnx").write_bytes(b"no graph")

    with pytest.raises(NandEdgeError, match="a graph that it cannot read"):
        build_engine(bundle, Target.OPENVINO)


def test_a_missing_package_is_named_with_the_command_that_installs_it(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    with pytest.raises(NandEdgeError, match=r"pip install 'nand-edge\[openvino\]'"):
        build_engine(bundle, Target.OPENVINO)


@pytest.mark.skipif(sys.platform == "win32", reason="folders without the right to write are another thing there")
def test_a_bundle_that_cannot_be_written_is_refused(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)  # root may write anywhere, so rights alone would not show it
    with pytest.raises(NandEdgeError, match="Permission denied"):
        build_engine(bundle, Target.OPENVINO)
