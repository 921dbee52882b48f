"""Writes the toy bundle: grey value as the base map, brightness as the only thing that its CLIP understands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge.bundle import GRAPH, GRAPH_FOR_OPENVINO, GRAPH_FOR_TENSORRT, write_manifest
from nand_edge.manifest import (
    ClipRecord,
    DetectorRecord,
    EngineRecord,
    EngineState,
    GraphRecord,
    Manifest,
    NormalityRecord,
    RegionRecord,
    Target,
    TensorRecord,
    ThresholdRecord,
    WeightsSource,
)
from nand_edge.normality import Normality, stack, write_normality
from nand_edge.region import REGION_FILE, Region, whole_frame, write_region
from nand_edge.samples import Samples, write_samples
from nand_edge.signature import (
    ANOMALY_MAP,
    BASE_MAP,
    BASE_SCORE,
    CLIP_RAN,
    FRAMES,
    MAP_SIZE,
    NORMALITY_BIAS,
    NORMALITY_FEATURES,
    REGION,
    SCORE,
    SUPPRESSION_MAP,
    TAPS_RUN,
    THRESHOLD,
)
from nand_edge.suppression import (
    FloatArray,
    NormalityTensors,
    align_corners_weights,
    normality_map,
    score,
    suppress,
)

Spot = Callable[..., NDArray[np.uint8]]
"""Draws a frame [H, W, 3] of one grey value with a rectangle of another in the middle: the fixture `spot`."""

CLIP_SHA256 = "c" * 64
CLIP_MODEL = "toy-clip"
WIDTH = 4
GRID = 32
LOGIT_SCALE = 20.0
_THRESHOLD = 0.5


def write_toy_bundle(folder: Path, *, base_gain: float = 1 / 255, region: Region | None = None) -> Path:
    """Write the bundle.

    Args:
        folder: Its folder, NAME.nand.
        base_gain: NaN gives the NaN weights of a detector gone wrong.
        region: Where frames are inspected; None for everywhere.
    """
    folder.mkdir()
    (folder / "normalities").mkdir()
    onnx.save(toy_graph(base_gain), folder / GRAPH)
    for name in (GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO):
        onnx.save(toy_graph(base_gain, defaults=False), folder / name)
    for name, added in (("bright", [1, 0]), ("dark", [0, 1])):
        write_normality(toy_normality(name, [1 - value for value in added]), folder / f"normalities/{name}.normality")
    if np.isfinite(base_gain):
        for graph in (GRAPH, GRAPH_FOR_TENSORRT, GRAPH_FOR_OPENVINO):
            write_samples(folder, toy_samples(region), graph)
    manifest = toy_manifest(folder.stem)
    if region is not None:
        write_region(region, folder / REGION_FILE)
        record = RegionRecord(file=REGION_FILE, given_as=region.given_as, share=region.share, aspect=region.aspect)
        manifest = manifest.model_copy(update={"region": record})
    write_manifest(folder, manifest)
    return folder


def toy_normality(
    name: str, normal: list[int], *, clip_sha256: str = CLIP_SHA256, clip_model: str = CLIP_MODEL
) -> Normality:
    """A normality: `normal` [bright, dark] is what the usual state looks like, the added state is the opposite."""
    f_nor = np.array([*normal, 0, 0], dtype=np.float32)
    f_add = np.array([1 - normal[0], 1 - normal[1], 0, 0], dtype=np.float32)
    return Normality(
        name=name,
        text=f"{name} region",
        object_name="toy",
        phrases=(f"a {name} region",),
        prompts=(f"a photo of a {name} region",),
        clip_sha256=clip_sha256,
        clip_model=clip_model,
        features=np.stack([f_nor, f_add])[None, :, None, :],
        bias=np.zeros((1, 2, 1), dtype=np.float32),
    )


def toy_manifest(name: str) -> Manifest:
    """The manifest of the toy bundle, its files not yet listed."""
    source = WeightsSource(name="toy", sha256="0" * 64, licence="Apache-2.0")
    maps = TensorRecord(dtype="float32", shape=(-1, MAP_SIZE, MAP_SIZE))
    scores = TensorRecord(dtype="float32", shape=(-1,))
    return Manifest(
        name=name,
        created="2025-01-01T00:00:00Z",
        detector=DetectorRecord(kind="grey", input_size=MAP_SIZE, shares_clip=False, settings={}, weights=source),
        clip=ClipRecord(
            model=CLIP_MODEL,
            sha256=CLIP_SHA256,
            input_size=MAP_SIZE,
            taps=(1,),
            width=WIDTH,
            logit_scale=LOGIT_SCALE,
            weights=source,
            projection=source,
        ),
        threshold=ThresholdRecord(value=_THRESHOLD, chosen_by="hand"),
        normalities=(
            NormalityRecord(name="bright", file="normalities/bright.normality", text="bright region"),
            NormalityRecord(name="dark", file="normalities/dark.normality", text="dark region", active=False),
        ),
        graph=GraphRecord(
            opset=18,
            map_size=MAP_SIZE,
            inputs={
                FRAMES: TensorRecord(dtype="uint8", shape=(-1, -1, -1, 3)),
                THRESHOLD: TensorRecord(dtype="float32", shape=()),
                NORMALITY_FEATURES: TensorRecord(dtype="float32", shape=(-1, 1, 2, -1, WIDTH)),
                NORMALITY_BIAS: TensorRecord(dtype="float32", shape=(-1, 1, 2, -1)),
                REGION: TensorRecord(dtype="float32", shape=(MAP_SIZE, MAP_SIZE)),
            },
            outputs={
                SCORE: scores,
                ANOMALY_MAP: maps,
                BASE_SCORE: scores,
                BASE_MAP: maps,
                SUPPRESSION_MAP: maps,
                CLIP_RAN: TensorRecord(dtype="bool", shape=(-1,)),
                TAPS_RUN: TensorRecord(dtype="int32", shape=(-1,)),
            },
        ),
        engines=(EngineRecord(target=Target.ONNX, file=GRAPH, state=EngineState.PARITY_CHECKED, max_map_error=0.0),),
        precision="fp32",
        versions={"nand-edge": "0.1.0"},
        files={},
    )


def toy_graph(base_gain: float, *, defaults: bool = True) -> onnx.ModelProto:
    """The graph: base map = grey value * gain; tokens (brightness, darkness) of a 32 x 32 grid against the words."""
    maps = [None, MAP_SIZE, MAP_SIZE]
    initializers = {
        "gain": np.float32(base_gain),
        "zero": np.float32(0),
        "one": np.float32(1),
        "axis_channel": np.array([3], np.int64),
        "axis_one": np.array([1], np.int64),
        "axes_map": np.array([1, 2], np.int64),
        "axis_all": np.array([0], np.int64),
        "map_size": np.array([MAP_SIZE, MAP_SIZE], np.int64),
        "upsample": align_corners_weights(GRID, MAP_SIZE),
        "upsample_columns": np.ascontiguousarray(align_corners_weights(GRID, MAP_SIZE).T),
        "scale": np.float32(LOGIT_SCALE),
    }
    nodes = [
        helper.make_node("Cast", [FRAMES], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "axis_channel"], ["grey"], keepdims=0),
        helper.make_node("Unsqueeze", ["grey", "axis_one"], ["grey_image"]),
        helper.make_node("Resize", ["grey_image", "", "", "map_size"], ["resized"], mode="linear", axes=[2, 3]),
        helper.make_node("Squeeze", ["resized", "axis_one"], ["grey_map"]),
        helper.make_node("Mul", ["grey_map", "gain"], ["everywhere"]),
        helper.make_node("Mul", ["everywhere", REGION], [BASE_MAP]),
        *_score(BASE_MAP, BASE_SCORE),
        helper.make_node("Less", [BASE_SCORE, THRESHOLD], ["below"]),
        helper.make_node("Not", ["below"], ["suspicious"]),
        helper.make_node("Cast", ["suspicious"], ["suspicious_number"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["suspicious_number", "axis_all"], ["any_suspicious"], keepdims=0),
        helper.make_node("Cast", ["any_suspicious"], ["gate"], to=TensorProto.BOOL),
        helper.make_node(
            "If", ["gate"], [SUPPRESSION_MAP, CLIP_RAN], then_branch=_clip_branch(), else_branch=_skip_branch()
        ),
        helper.make_node("Sub", ["one", SUPPRESSION_MAP], ["kept"]),
        helper.make_node("Mul", [BASE_MAP, "kept"], [ANOMALY_MAP]),
        *_score(ANOMALY_MAP, SCORE),
        helper.make_node("Cast", [CLIP_RAN], [TAPS_RUN], to=TensorProto.INT32),
    ]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in initializers.items()]
    if defaults:
        given = {**stack([toy_normality("bright", [0, 1])], 1).inputs(), REGION: whole_frame().map}
        stored.extend(numpy_helper.from_array(values, name) for name, values in given.items())
    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info(FRAMES, TensorProto.UINT8, ["N", "H", "W", 3]),
            helper.make_tensor_value_info(THRESHOLD, TensorProto.FLOAT, []),
            helper.make_tensor_value_info(NORMALITY_FEATURES, TensorProto.FLOAT, ["K", 1, 2, "V", WIDTH]),
            helper.make_tensor_value_info(NORMALITY_BIAS, TensorProto.FLOAT, ["K", 1, 2, "V"]),
            helper.make_tensor_value_info(REGION, TensorProto.FLOAT, [MAP_SIZE, MAP_SIZE]),
        ],
        [
            helper.make_tensor_value_info(SCORE, TensorProto.FLOAT, [None]),
            helper.make_tensor_value_info(ANOMALY_MAP, TensorProto.FLOAT, maps),
            helper.make_tensor_value_info(BASE_SCORE, TensorProto.FLOAT, [None]),
            helper.make_tensor_value_info(BASE_MAP, TensorProto.FLOAT, maps),
            helper.make_tensor_value_info(SUPPRESSION_MAP, TensorProto.FLOAT, maps),
            helper.make_tensor_value_info(CLIP_RAN, TensorProto.BOOL, [None]),
            helper.make_tensor_value_info(TAPS_RUN, TensorProto.INT32, [None]),
        ],
        initializer=stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def _score(source: str, score: str) -> list[onnx.NodeProto]:
    """Maximum of each map; the sum of the map times zero carries a NaN along, which a maximum may lose."""
    return [
        helper.make_node("ReduceMax", [source, "axes_map"], [f"{score}_maximum"], keepdims=0),
        helper.make_node("ReduceSum", [source, "axes_map"], [f"{score}_sum"], keepdims=0),
        helper.make_node("Mul", [f"{score}_sum", "zero"], [f"{score}_alarm"]),
        helper.make_node("Add", [f"{score}_maximum", f"{score}_alarm"], [score]),
    ]


def _clip_branch() -> onnx.GraphProto:
    """Suppression map of Eq. 2 and Eq. 6 with one tap, as `nand_edge.suppression` computes it."""
    constants = {
        "gain_tokens": np.float32(1 / 255),
        "grid": np.array([GRID, GRID], np.int64),
        "tokens_shape": np.array([0, 1, 1, GRID * GRID], np.int64),
        "grid_shape": np.array([0, 0, GRID, GRID], np.int64),
        "first": np.array(0, np.int64),
        "second": np.array(1, np.int64),
        "axis_normalities": np.array([1], np.int64),
        "axis_vectors": np.array([3], np.int64),
        "axis_token": np.array([2], np.int64),
        "pads": np.array([0, 0, 0, 0, 0, 0, WIDTH - 2, 0], np.int64),
    }
    nodes = [
        helper.make_node("Resize", ["grey_image", "", "", "grid"], ["small"], mode="linear", axes=[2, 3]),
        helper.make_node("Reshape", ["small", "tokens_shape"], ["grey_tokens"]),
        helper.make_node("Mul", ["grey_tokens", "gain_tokens"], ["brightness"]),
        helper.make_node("Sub", ["one", "brightness"], ["darkness"]),
        helper.make_node("Concat", ["brightness", "darkness"], ["two"], axis=2),
        helper.make_node("Pad", ["two", "pads"], ["tokens"]),
        helper.make_node("ReduceL2", ["tokens", "axis_token"], ["length"], keepdims=1),
        helper.make_node("Div", ["tokens", "length"], ["unit"]),
        helper.make_node("Unsqueeze", ["unit", "axis_normalities"], ["per_normality"]),
        helper.make_node("Gather", [NORMALITY_FEATURES, "first"], ["features"], axis=1),
        helper.make_node("Gather", [NORMALITY_BIAS, "first"], ["bias_row"], axis=1),
        helper.make_node("Unsqueeze", ["bias_row", "axis_vectors"], ["bias"]),
        helper.make_node("MatMul", ["features", "per_normality"], ["cosine"]),
        helper.make_node("Mul", ["cosine", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("ReduceLogSumExp", ["logits", "axis_vectors"], ["sides"], keepdims=0),
        helper.make_node("Gather", ["sides", "second"], ["added"], axis=2),
        helper.make_node("Gather", ["sides", "first"], ["other"], axis=2),
        helper.make_node("Sub", ["added", "other"], ["log_odds"]),
        helper.make_node("Reshape", ["log_odds", "grid_shape"], ["log_odds_grid"]),
        helper.make_node("MatMul", ["upsample", "log_odds_grid"], ["rows"]),
        helper.make_node("MatMul", ["rows", "upsample_columns"], ["log_odds_map"]),
        helper.make_node("Sigmoid", ["log_odds_map"], ["normality_maps"]),
        helper.make_node("Sub", ["one", "normality_maps"], ["factors"]),
        helper.make_node("ReduceProd", ["factors", "axis_normalities"], ["product"], keepdims=0),
        helper.make_node("Sub", ["one", "product"], ["suppression_then"]),
        helper.make_node("Equal", [BASE_SCORE, BASE_SCORE], ["number"]),
        helper.make_node("Not", ["number"], ["no_number"]),
        helper.make_node("Or", ["number", "no_number"], ["ran_then"]),
    ]
    return helper.make_graph(
        nodes,
        "clip",
        [],
        _branch_outputs("then"),
        initializer=[numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )


def _skip_branch() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Shape", [BASE_MAP], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["suppression_else"]),
        helper.make_node("Shape", [BASE_SCORE], ["shape_score"]),
        helper.make_node(
            "ConstantOfShape", ["shape_score"], ["ran_else"], value=helper.make_tensor("no", TensorProto.BOOL, [1], [0])
        ),
    ]
    return helper.make_graph(nodes, "skip", [], _branch_outputs("else"))


def _branch_outputs(branch: str) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(f"suppression_{branch}", TensorProto.FLOAT, [None, MAP_SIZE, MAP_SIZE]),
        helper.make_tensor_value_info(f"ran_{branch}", TensorProto.BOOL, [None]),
    ]


def reference(base_map: FloatArray, grid: FloatArray, normalities: NormalityTensors) -> tuple[FloatArray, FloatArray]:
    """Final map and suppression map of the toy graph, by `nand_edge.suppression`.

    Args:
        base_map: float32 [N, M, M].
        grid: float32 [N, 32, 32] in [0, 255], the grey frames resized to the grid.
        normalities: K normalities for its one tap.
    """
    brightness = grid.reshape(len(grid), -1) / np.float32(255)
    tokens = np.stack([brightness, 1 - brightness, 0 * brightness, 0 * brightness], axis=2)
    tokens /= np.linalg.norm(tokens, axis=2, keepdims=True)
    maps = normality_map([tokens], [(GRID, GRID)], normalities, logit_scale=LOGIT_SCALE, map_size=MAP_SIZE)
    return suppress(base_map, maps)


def toy_samples(region: Region | None = None) -> Samples:
    """Two frames, one on each side of the threshold, and what the numpy reference says of them."""
    ramp = np.linspace(0, 250, MAP_SIZE * MAP_SIZE).reshape(MAP_SIZE, MAP_SIZE).astype(np.uint8)
    greys = np.stack([np.full((MAP_SIZE, MAP_SIZE), 60, np.uint8), ramp])
    base_map = greys.astype(np.float32) / np.float32(255) * (region or whole_frame()).map
    # At 256 pixels the base map is the frame; the grid takes the mean of the two middle pixels of every eight.
    blocks = greys.astype(np.float32).reshape(-1, GRID, 8, GRID, 8)
    grid = blocks[:, :, 3:5, :, 3:5].mean(axis=(2, 4), dtype=np.float32)
    final, suppression = reference(base_map, grid, stack([toy_normality("bright", [0, 1])], 1))
    results = {
        BASE_MAP: base_map,
        SUPPRESSION_MAP: suppression,
        ANOMALY_MAP: final,
        BASE_SCORE: score(base_map),
        SCORE: score(final),
    }
    frames = tuple(np.repeat(grey[:, :, None], 3, axis=2) for grey in greys)
    return Samples(("0.png", "1.png"), frames, results)
