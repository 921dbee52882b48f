"""The graph's resize against Pillow's, pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from nand_edge.signature import FRAMES
from nand_edge_export.engines.openvino_resize import use_own_resize
from nand_edge_export.graph.assembly import resize_model
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder
from nand_edge_export.graph.lowering import FOR_OPENVINO
from nand_edge_export.graph.resize import matrix_resize, portable_resize, replaceable_resize
from nand_edge_export.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

pytestmark = pytest.mark.torch

Frames = NDArray[np.uint8]
Resize = Callable[[Frames, int], NDArray[np.float32]]

SHAPES = [  # height, width
    (64, 64),
    (64, 4096),
    (4095, 67),  # so tall that Pillow resizes its rows first
    (101, 333),
    (240, 100),
    (300, 300),
    (479, 641),
    (500, 300),
    (1080, 1920),
    (65, 3001),
]
SIZES = [224, 256]


def model(lowering: str, size: int) -> onnx.ModelProto:
    """A graph that only resizes."""
    builder = Builder()
    if lowering == "portable":
        resized = portable_resize(builder, FRAMES, (size, size))
    else:
        resized = matrix_resize(builder, builder.op("Cast", FRAMES, to=TensorProto.FLOAT), (size, size))
    builder.alias(resized, "resized")
    graph = helper.make_graph(
        builder.nodes,
        "resize",
        [helper.make_tensor_value_info(FRAMES, TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("resized", TensorProto.FLOAT, ["N", 3, size, size])],
        initializer=list(builder.initializers.values()),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made, full_check=True)
    return made


@cache
def session(lowering: str, size: int) -> ort.InferenceSession:
    return ort.InferenceSession(model(lowering, size).SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.fixture(params=["portable", "matrix"])
def resize(request: pytest.FixtureRequest) -> Resize:
    def run(frames: Frames, size: int) -> NDArray[np.float32]:
        (resized,) = session(request.param, size).run(None, {FRAMES: frames})
        return np.asarray(resized)

    return run


def noise(shape: tuple[int, int], seed: int = 0) -> Frames:
    """The hardest frame: no two neighbours are alike."""
    return np.random.default_rng(seed).integers(0, 256, (1, *shape, 3), dtype=np.uint8)


def pillow(frames: Frames, size: int) -> NDArray[np.float32]:
    reference = Preprocessing(size, IMAGENET_MEAN, IMAGENET_STD).resize(frames)
    return reference.transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_at_most_one_level_off_and_hardly_ever(resize: Resize, shape: tuple[int, int], size: int) -> None:
    frames = noise(shape)
    difference = np.abs(resize(frames, size) - pillow(frames, size))

    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


@pytest.mark.parametrize("shape", [(64, 64), (100, 100), (100, 500), (255, 700)])
def test_where_a_side_is_enlarged_the_portable_resize_is_exact(shape: tuple[int, int]) -> None:
    black_and_white = (noise(shape) // 128) * np.uint8(255)

    (resized,) = session("portable", 256).run(None, {FRAMES: black_and_white})
    assert np.array_equal(resized, pillow(black_and_white, 256))


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_whole_factors_are_exact(resize: Resize, factor: int) -> None:
    frames = noise((256 * factor, 256 * factor))

    assert np.array_equal(resize(frames, 256), pillow(frames, 256))


def test_a_smooth_photograph_is_at_most_one_level_off(resize: Resize) -> None:
    blobs = Image.fromarray(noise((9, 12))[0]).resize((1200, 900), Image.Resampling.BICUBIC)
    frames = np.asarray(blobs)[None]
    difference = np.abs(resize(frames, 240) - pillow(frames, 240))

    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


def test_blue_green_red_becomes_red_green_blue(resize: Resize) -> None:
    frames = np.broadcast_to(np.array([10, 20, 30], np.uint8), (1, 77, 99, 3)).copy()

    assert np.array_equal(resize(frames, 224)[0, :, 5, 5], [30, 20, 10])


def test_frames_of_a_batch_do_not_touch_each_other(resize: Resize) -> None:
    frames = np.concatenate([noise((90, 130), seed) for seed in range(3)])
    one_by_one = np.concatenate([resize(frame[None], 224) for frame in frames])

    assert np.array_equal(resize(frames, 224), one_by_one)


def test_the_largest_frame(resize: Resize) -> None:
    frames = noise((4096, 4096))
    difference = np.abs(resize(frames, 224) - pillow(frames, 224))

    assert difference.max() <= 1


def test_the_matrices_need_no_branch() -> None:
    """TensorRT-RTX fails on an `If` within the gate, and OpenVINO computes what follows one wrongly."""
    assert "If" not in {node.op_type for node in model("matrix", 224).graph.node}


def compiled_by_openvino(graph: onnx.ModelProto, precision: str = "f32") -> Callable[..., NDArray[np.float32]]:
    """A graph with `replaceable_resize`, as the builder of OpenVINO's engines changes it."""
    openvino = pytest.importorskip("openvino")
    read = openvino.Core().read_model(graph.SerializeToString())
    read.reshape({FRAMES: [1, -1, -1, 3]})
    assert use_own_resize(read) == 1
    compiled = openvino.Core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    return lambda *inputs: compiled(list(inputs))[0].copy()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_openvinos_own_kernel_is_at_most_one_level_off_in_every_precision(size: int, precision: str) -> None:
    run = compiled_by_openvino(resize_model(FOR_OPENVINO, (size, size)), precision)
    for shape in ((1080, 1920), (1001, 640), (479, 641), (300, 300), (4095, 67), (64, 4096)):
        levels = run(noise(shape))
        difference = np.abs(levels - pillow(noise(shape), size))

        assert difference.max() <= 1
        assert np.mean(difference > 0) < 1e-2
        assert np.array_equal(levels, np.round(levels))


def test_openvinos_own_kernel_is_at_most_two_levels_off_where_both_sides_are_enlarged() -> None:
    run = compiled_by_openvino(resize_model(FOR_OPENVINO, (224, 224)))

    assert np.abs(run(noise((64, 64))) - pillow(noise((64, 64)), 224)).max() <= 2


def test_before_a_convolution_within_an_if_openvino_keeps_red_green_and_blue_apart() -> None:
    """OpenVINO 2026.4 moves a gathering of channels into the convolution's weights, there wrongly."""
    weights = np.array([1, 10, 100], np.float32).reshape(1, 3, 1, 1)
    builder = Builder()
    with builder.branch() as then:
        resized = replaceable_resize(builder, FRAMES, (64, 64))
        joined = builder.op("Conv", resized, builder.constant(weights, "weights"))
    with builder.branch() as otherwise:
        nothing = builder.op("Expand", builder.constant(0.0), builder.constant([1, 1, 64, 64]))
    bodies = {
        f"{name}_branch": helper.make_graph(
            nodes, name, [], [helper.make_tensor_value_info(value, TensorProto.FLOAT, [None, 1, 64, 64])]
        )
        for name, nodes, value in (("then", then, joined), ("else", otherwise, nothing))
    }
    builder.nodes.append(helper.make_node("If", ["is_open"], ["joined"], **bodies))
    graph = helper.make_graph(
        builder.nodes,
        "gated",
        [
            helper.make_tensor_value_info(FRAMES, TensorProto.UINT8, ["N", "H", "W", 3]),
            helper.make_tensor_value_info("is_open", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("joined", TensorProto.FLOAT, ["N", 1, 64, 64])],
        initializer=list(builder.initializers.values()),
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    frames = np.broadcast_to(np.array([3, 2, 1], np.uint8), (1, 77, 99, 3)).copy()

    found = compiled_by_openvino(made)(frames, np.ones((), bool))
    assert np.allclose(found, 1 + 20 + 300)
