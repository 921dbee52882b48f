"""The single graph: frames in, base map, gate, CLIP branch, suppression and maximum out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge import signature
from nand_edge.manifest import GraphRecord, TensorRecord
from nand_edge_export.clip.encoder import ClipEncoder
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder
from nand_edge_export.graph.conversion import EXAMPLE_BATCH, convert
from nand_edge_export.graph.resize import matrix_resize, portable_resize
from nand_edge_export.graph.suppression import kept_share, maximum
from nand_edge_export.preprocessing import Preprocessing


class Lowering(Enum):
    """How the graph says what targets cannot all read: the resize, and inputs with defaults."""

    PORTABLE = "portable"
    """For ONNX Runtime: antialiased `Resize`, and the exported normalities as default of `text_features`."""

    MATRICES = "matrices"
    """For TensorRT and OpenVINO: matrix products, and `text_features` always given."""


@dataclass(frozen=True)
class Parts:
    """The converted networks and what is needed to join them.

    Attributes:
        detector: Graph from an image or from tokens to the base map.
        encoder: Graph from an image to tokens, one output a tap.
        detector_preprocessing: What the detector needs; None when it reads the encoder's tokens.
        clip_preprocessing: What the encoder needs.
        grids: Rows and columns of each tap.
        width: Length D of a text feature.
        logit_scale: Factor of the cosine.
        map_size: Side M of all maps.
    """

    detector: onnx.GraphProto
    encoder: onnx.GraphProto
    detector_preprocessing: Preprocessing | None
    clip_preprocessing: Preprocessing
    grids: tuple[tuple[int, int], ...]
    width: int
    logit_scale: float
    map_size: int


def convert_parts(detector: Detector, encoder: ClipEncoder, logit_scale: float) -> Parts:
    """Convert the base detector and the CLIP encoder.

    Raises:
        NandEdgeError: One of them cannot be converted.
    """
    return Parts(
        detector=_convert_detector(detector, encoder),
        encoder=convert(encoder, [_example(encoder.preprocessing)], ["image"]),
        detector_preprocessing=detector.preprocessing,
        clip_preprocessing=encoder.preprocessing,
        grids=encoder.grids,
        width=encoder.width,
        logit_scale=logit_scale,
        map_size=detector.map_size,
    )


def _convert_detector(detector: Detector, encoder: ClipEncoder) -> onnx.GraphProto:
    if detector.preprocessing is not None:
        return convert(detector, [_example(detector.preprocessing)], ["image"])
    tokens = [torch.zeros(EXAMPLE_BATCH, rows * columns, encoder.width) for rows, columns in encoder.grids]
    return convert(detector, tokens, [f"tokens_{number}" for number in range(len(tokens))])


def _example(preprocessing: Preprocessing) -> torch.Tensor:
    return torch.zeros(EXAMPLE_BATCH, 3, preprocessing.size, preprocessing.size)


def assemble(parts: Parts, lowering: Lowering, text_features: NDArray[np.float32]) -> onnx.ModelProto:
    """Join the parts into one checked model.

    Args:
        parts: The converted networks.
        lowering: For which targets.
        text_features: Default normalities, float32 [K, 2, D].
    """
    builder = Builder()
    frames = _Frames(builder, lowering)
    tokens: list[str] | None = None
    if parts.detector_preprocessing is None:
        tokens = _tokens(builder, parts, frames)
        base_map = builder.embed(parts.detector, _token_inputs(parts, tokens), "detector")[0]
    else:
        image = frames.prepared(parts.detector_preprocessing)
        base_map = builder.embed(parts.detector, {parts.detector.input[0].name: image}, "detector")[0]
    _gate(builder, parts, frames, base_map, tokens)
    return _model(builder, parts, lowering, text_features)


class _Frames:
    """The input frames, resized and normalised by the target's lowering."""

    def __init__(self, builder: Builder, lowering: Lowering) -> None:
        self._builder, self._lowering = builder, lowering
        # TensorRT reads uint8 in a Cast alone, so it comes first of all and outside any If.
        matrices = lowering is Lowering.MATRICES
        self._values = builder.op("Cast", signature.FRAMES, to=TensorProto.FLOAT) if matrices else signature.FRAMES

    def resized(self, size: int) -> str:
        """Grey levels 0..255, float32 [N, 3, S, S] RGB."""
        resize = matrix_resize if self._lowering is Lowering.MATRICES else portable_resize
        return resize(self._builder, self._values, size)

    def prepared(self, preprocessing: Preprocessing) -> str:
        """What a network reads, float32 [N, 3, S, S]."""
        scale, offset = preprocessing.scale_and_offset()
        builder = self._builder
        scaled = builder.op("Mul", self.resized(preprocessing.size), builder.constant(scale, "scale"))
        return builder.op("Add", scaled, builder.constant(offset, "offset"))


def resize_model(lowering: Lowering, size: int) -> onnx.ModelProto:
    """A model of the resize alone: uint8 frames [N, H, W, 3] BGR to float32 grey levels [N, 3, size, size] RGB."""
    builder = Builder()
    levels = builder.alias(_Frames(builder, lowering).resized(size), "levels")
    frames = helper.make_tensor_value_info(signature.FRAMES, TensorProto.UINT8, ["N", "H", "W", 3])
    output = helper.make_tensor_value_info(levels, TensorProto.FLOAT, ["N", 3, size, size])
    return _wrapped(helper.make_graph(builder.nodes, "resize", [frames], [output], list(builder.initializers.values())))


def _tokens(builder: Builder, parts: Parts, frames: _Frames) -> list[str]:
    image = frames.prepared(parts.clip_preprocessing)
    return builder.embed(parts.encoder, {parts.encoder.input[0].name: image}, "clip")


def _token_inputs(parts: Parts, tokens: list[str]) -> dict[str, str]:
    return dict(zip((value.name for value in parts.detector.input), tokens, strict=True))


def _gate(builder: Builder, parts: Parts, frames: _Frames, base_map: str, tokens: list[str] | None) -> None:
    """Run the CLIP branch only when some frame of the batch is not certainly below the threshold.

    The gate is exact: suppression only lowers a map, so a frame below the threshold passes whatever the words say.
    A base score that is NaN is not below anything, and opens it.
    """
    op, constant = builder.op, builder.constant
    base_map = builder.alias(base_map, signature.BASE_MAP)
    base_score = builder.alias(maximum(builder, base_map), signature.BASE_SCORE)
    above = op("Not", op("Less", base_score, signature.THRESHOLD))
    suspicious = op("ReduceMax", op("Cast", above, to=TensorProto.FLOAT), keepdims=0)
    is_open = op("Greater", suspicious, constant(0.5))
    with builder.branch() as opened:
        inner = tokens if tokens is not None else _tokens(builder, parts, frames)
        kept = kept_share(
            builder,
            inner,
            parts.grids,
            signature.TEXT_FEATURES,
            logit_scale=parts.logit_scale,
            map_size=parts.map_size,
        )
        final = op("Mul", base_map, kept)
        open_values = [final, op("Sub", constant(1.0), kept), maximum(builder, final)]
    with builder.branch() as closed:
        zeros = op("Expand", constant(0.0), op("Shape", base_map))
        shut_values = [op("Identity", base_map), zeros, op("Identity", base_score)]
    outputs = [signature.ANOMALY_MAP, signature.SUPPRESSION_MAP, signature.SCORE]
    builder.nodes.append(
        helper.make_node(
            "If",
            [is_open],
            outputs,
            name="gate",
            then_branch=_body("clip_branch", opened, open_values, parts.map_size),
            else_branch=_body("no_clip_branch", closed, shut_values, parts.map_size),
        )
    )
    builder.alias(op("Expand", is_open, op("Shape", base_score)), signature.CLIP_RAN)


def _body(name: str, nodes: list[onnx.NodeProto], values: list[str], map_size: int) -> onnx.GraphProto:
    shapes: list[list[int | str]] = [["N", map_size, map_size], ["N", map_size, map_size], ["N"]]
    outputs = [
        helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)
        for value, shape in zip(values, shapes, strict=True)
    ]
    return helper.make_graph(nodes, name, [], outputs)


def _model(builder: Builder, parts: Parts, lowering: Lowering, text_features: NDArray[np.float32]) -> onnx.ModelProto:
    size = parts.map_size
    inputs = [
        helper.make_tensor_value_info(signature.FRAMES, TensorProto.UINT8, ["N", "H", "W", 3]),
        helper.make_tensor_value_info(signature.THRESHOLD, TensorProto.FLOAT, []),
        helper.make_tensor_value_info(signature.TEXT_FEATURES, TensorProto.FLOAT, ["K", 2, parts.width]),
    ]
    shapes: dict[str, list[int | str]] = {
        signature.SCORE: ["N"],
        signature.ANOMALY_MAP: ["N", size, size],
        signature.BASE_SCORE: ["N"],
        signature.BASE_MAP: ["N", size, size],
        signature.SUPPRESSION_MAP: ["N", size, size],
    }
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs.append(helper.make_tensor_value_info(signature.CLIP_RAN, TensorProto.BOOL, ["N"]))
    initializers = list(builder.initializers.values())
    if lowering is Lowering.PORTABLE:
        initializers.append(numpy_helper.from_array(text_features, signature.TEXT_FEATURES))
    graph = helper.make_graph(builder.nodes, "nand_edge", inputs, outputs, initializers)
    return _wrapped(graph)


def _wrapped(graph: onnx.GraphProto) -> onnx.ModelProto:
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], producer_name="nand-edge", ir_version=IR_VERSION)


def graph_record(parts: Parts) -> GraphRecord:
    """The graph's signature for the manifest."""
    maps = TensorRecord(dtype="float32", shape=(-1, parts.map_size, parts.map_size))
    scores = TensorRecord(dtype="float32", shape=(-1,))
    return GraphRecord(
        opset=OPSET,
        map_size=parts.map_size,
        inputs={
            signature.FRAMES: TensorRecord(dtype="uint8", shape=(-1, -1, -1, 3)),
            signature.THRESHOLD: TensorRecord(dtype="float32", shape=()),
            signature.TEXT_FEATURES: TensorRecord(dtype="float32", shape=(-1, 2, parts.width)),
        },
        outputs={
            signature.SCORE: scores,
            signature.ANOMALY_MAP: maps,
            signature.BASE_SCORE: scores,
            signature.BASE_MAP: maps,
            signature.SUPPRESSION_MAP: maps,
            signature.CLIP_RAN: TensorRecord(dtype="bool", shape=(-1,)),
        },
    )
