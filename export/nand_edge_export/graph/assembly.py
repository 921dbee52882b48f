"""The single graph: frames in, base map, gate, CLIP branch, suppression and maximum out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nand_edge import signature
from nand_edge.manifest import GraphRecord, TensorRecord
from nand_edge_export.clip import ClipEncoder
from nand_edge_export.clip.tower import Reader
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.graph.builder import IR_VERSION, OPSET, Builder, Embedded
from nand_edge_export.graph.conversion import EXAMPLE_BATCH, convert
from nand_edge_export.graph.resize import matrix_resize, portable_resize
from nand_edge_export.graph.suppression import kept_share, maximum
from nand_edge_export.preprocessing import Preprocessing


class Lowering(Enum):
    """How the graph says what targets cannot all read: the resize, and inputs with defaults."""

    PORTABLE = "portable"
    """For ONNX Runtime: antialiased `Resize`, and the exported normalities and region as defaults."""

    MATRICES = "matrices"
    """For TensorRT and OpenVINO: matrix products, and all inputs always given."""


@dataclass(frozen=True)
class Parts:
    """The converted networks and what is needed to join them.

    Attributes:
        detector: Graph to the base map, from an image or from what it reads of the encoder.
        encoder: Graph from an image to all that is read of the encoder, under `ClipEncoder.read`'s names.
        reads: What the detector reads of the encoder, in the order of its inputs; nothing when it has an own image.
        tokens: What the suppression reads of the encoder, one name a tap.
        detector_preprocessing: What the detector's own image needs; None when it reads the encoder.
        clip_preprocessing: What the encoder needs.
        grids: Rows and columns of each tap.
        width: Length D of a text feature.
        logit_scale: Factor of the cosine.
        map_size: Side M of all maps.
    """

    detector: onnx.GraphProto
    encoder: onnx.GraphProto
    reads: tuple[str, ...]
    tokens: tuple[str, ...]
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
    outputs = tuple(dict.fromkeys((*detector.reads, *encoder.tokens)))
    return Parts(
        detector=_convert_detector(detector, encoder),
        encoder=convert(Reader(encoder, outputs), [_example(encoder.preprocessing)], ["image"], outputs),
        reads=detector.reads,
        tokens=encoder.tokens,
        detector_preprocessing=detector.preprocessing,
        clip_preprocessing=encoder.preprocessing,
        grids=encoder.grids,
        width=encoder.width,
        logit_scale=logit_scale,
        map_size=detector.map_size,
    )


def _convert_detector(detector: Detector, encoder: ClipEncoder) -> onnx.GraphProto:
    graph = detector.graph()
    if graph is not None:
        return graph
    if detector.preprocessing is not None:
        return convert(detector, [_example(detector.preprocessing)], ["image"])
    with torch.no_grad():
        read = encoder.read(_example(encoder.preprocessing), detector.reads)
    return convert(detector, list(read.values()), list(read))


def _example(preprocessing: Preprocessing) -> torch.Tensor:
    return torch.zeros(EXAMPLE_BATCH, 3, *preprocessing.sides)


def assemble(parts: Parts, lowering: Lowering, defaults: Mapping[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """Join the parts into one checked model.

    Args:
        parts: The converted networks.
        lowering: For which targets.
        defaults: By the signature's names, what inputs are when they are not given; used where targets allow it.
    """
    builder = Builder()
    frames = _Frames(builder, lowering)
    encoder = _Encoder(builder, parts, frames)
    if parts.detector_preprocessing is None:
        inputs = encoder.read(parts.reads)
    else:
        inputs = [frames.prepared(parts.detector_preprocessing)]
    names = [value.name for value in parts.detector.input]
    base_map = builder.embed(parts.detector, dict(zip(names, inputs, strict=True)), "detector")[0]
    _gate(builder, parts, encoder, base_map)
    return _model(builder, parts, lowering, defaults)


class _Frames:
    """The input frames, resized and normalised by the target's lowering."""

    def __init__(self, builder: Builder, lowering: Lowering) -> None:
        self._builder, self._lowering = builder, lowering
        # TensorRT reads uint8 in a Cast alone, so it comes first of all and outside any If.
        matrices = lowering is Lowering.MATRICES
        self._values = builder.op("Cast", signature.FRAMES, to=TensorProto.FLOAT) if matrices else signature.FRAMES

    def resized(self, sides: tuple[int, int]) -> str:
        """Grey levels 0..255, float32 [N, 3, height, width] RGB."""
        resize = matrix_resize if self._lowering is Lowering.MATRICES else portable_resize
        return resize(self._builder, self._values, sides)

    def prepared(self, preprocessing: Preprocessing) -> str:
        """What a network reads, float32 [N, 3, height, width]."""
        scale, offset = preprocessing.scale_and_offset()
        builder = self._builder
        scaled = builder.op("Mul", self.resized(preprocessing.sides), builder.constant(scale, "scale"))
        return builder.op("Add", scaled, builder.constant(offset, "offset"))


def resize_model(lowering: Lowering, sides: tuple[int, int]) -> onnx.ModelProto:
    """A model of the resize alone: uint8 frames [N, H, W, 3] BGR to float32 grey levels [N, 3, height, width] RGB."""
    builder = Builder()
    levels = builder.alias(_Frames(builder, lowering).resized(sides), "levels")
    frames = helper.make_tensor_value_info(signature.FRAMES, TensorProto.UINT8, ["N", "H", "W", 3])
    output = helper.make_tensor_value_info(levels, TensorProto.FLOAT, ["N", 3, *sides])
    return _wrapped(helper.make_graph(builder.nodes, "resize", [frames], [output], list(builder.initializers.values())))


class _Encoder:
    """The CLIP encoder, of which each reader adds what no reader before it needed: one pass for all."""

    def __init__(self, builder: Builder, parts: Parts, frames: _Frames) -> None:
        self._builder, self._parts, self._frames = builder, parts, frames
        self._embedded: Embedded | None = None

    def read(self, names: Sequence[str]) -> list[str]:
        """Values of the graph for outputs of the encoder; their nodes go into the body that is open now."""
        if self._embedded is None:
            image = self._frames.prepared(self._parts.clip_preprocessing)
            graph = self._parts.encoder
            self._embedded = Embedded(self._builder, graph, {graph.input[0].name: image}, "clip")
        return self._embedded.values(names)


def _gate(builder: Builder, parts: Parts, encoder: _Encoder, base_map: str) -> None:
    """Run the CLIP branch only when some frame of the batch is not certainly below the threshold.

    The gate is exact: suppression only lowers a map, so a frame below the threshold passes whatever the words say.
    A base score that is NaN is not below anything, and opens it.
    """
    op, constant = builder.op, builder.constant
    base_map = builder.alias(op("Mul", base_map, signature.REGION), signature.BASE_MAP)
    base_score = builder.alias(maximum(builder, base_map), signature.BASE_SCORE)
    above = op("Not", op("Less", base_score, signature.THRESHOLD))
    suspicious = op("ReduceMax", op("Cast", above, to=TensorProto.FLOAT), keepdims=0)
    is_open = op("Greater", suspicious, constant(0.5))
    with builder.branch() as opened:
        kept = kept_share(
            builder,
            encoder.read(parts.tokens),
            parts.grids,
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


def _model(
    builder: Builder, parts: Parts, lowering: Lowering, defaults: Mapping[str, NDArray[np.float32]]
) -> onnx.ModelProto:
    size = parts.map_size
    inputs = [
        helper.make_tensor_value_info(signature.FRAMES, TensorProto.UINT8, ["N", "H", "W", 3]),
        helper.make_tensor_value_info(signature.THRESHOLD, TensorProto.FLOAT, []),
        helper.make_tensor_value_info(
            signature.NORMALITY_FEATURES, TensorProto.FLOAT, ["K", len(parts.grids), 2, "V", parts.width]
        ),
        helper.make_tensor_value_info(signature.NORMALITY_BIAS, TensorProto.FLOAT, ["K", len(parts.grids), 2, "V"]),
        helper.make_tensor_value_info(signature.REGION, TensorProto.FLOAT, [size, size]),
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
        initializers.extend(numpy_helper.from_array(values, name) for name, values in defaults.items())
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
            signature.NORMALITY_FEATURES: TensorRecord(
                dtype="float32", shape=(-1, len(parts.grids), 2, -1, parts.width)
            ),
            signature.NORMALITY_BIAS: TensorRecord(dtype="float32", shape=(-1, len(parts.grids), 2, -1)),
            signature.REGION: TensorRecord(dtype="float32", shape=(parts.map_size, parts.map_size)),
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
