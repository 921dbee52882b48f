"""The single graph: frames in, base map, gate, CLIP branch, suppression and maximum out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

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
from nand_edge_export.graph.builder import IR_VERSION, OPSET, OPSETS, Builder, Embedded
from nand_edge_export.graph.clip_branch import ClipBranch
from nand_edge_export.graph.conversion import EXAMPLE_BATCH, convert
from nand_edge_export.graph.gate import Gated, Select, add_gate
from nand_edge_export.graph.lowering import Lowering
from nand_edge_export.graph.maps import output_info, output_record
from nand_edge_export.graph.nodes import weights_into_bodies
from nand_edge_export.graph.onnxruntime_fusions import fused, needs_domain
from nand_edge_export.graph.suppression import Suppression, broken_normalities
from nand_edge_export.preprocessing import Preprocessing


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


@dataclass(frozen=True)
class GraphOptions:
    """What a graph gives, and when it stops.

    Attributes:
        outputs: Names of the signature: all, or those of a graph without maps.
        early_exit: Whether the CLIP branch stops at the tap after which every verdict is certain, where the lowering
            allows it.
    """

    outputs: tuple[str, ...] = signature.OUTPUTS
    early_exit: bool = False


EVERYTHING = GraphOptions()
"""All outputs, computed to the last tap."""


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


def _all(value: str) -> str:
    """Select all frames."""
    return value


def assemble(
    parts: Parts, lowering: Lowering, defaults: Mapping[str, NDArray[np.float32]], options: GraphOptions
) -> onnx.ModelProto:
    """Join the parts into one checked model.

    Args:
        parts: The converted networks.
        lowering: For which targets.
        defaults: By the signature's names, what inputs are when they are not given; used where targets allow it.
        options: What the graph gives, and when it stops.
    """
    if lowering.fuses:
        parts = replace(parts, encoder=fused(parts.encoder), detector=fused(parts.detector))
    builder = Builder()
    frames = _Frames(builder, lowering)
    encoder = _Encoder(builder, parts, frames)
    if parts.detector_preprocessing is None:
        inputs = encoder.read(parts.reads)
    else:
        inputs = [frames.prepared(parts.detector_preprocessing)]
    names = [value.name for value in parts.detector.input]
    base_map = builder.embed(parts.detector, dict(zip(names, inputs, strict=True)), "detector")[0]

    broken = broken_normalities(builder)

    def branch(select: Select) -> Mapping[str, str]:
        clip_branch = ClipBranch(
            Suppression(builder, parts.grids, parts.logit_scale, parts.map_size),
            lambda place: encoder.read([parts.tokens[place]], select)[0],
            options.outputs,
            broken,
            early_exit=options.early_exit and lowering.may_exit_early,
        )
        return clip_branch.outputs(select(signature.BASE_MAP))

    add_gate(
        builder, lowering.gate, Gated(base_map, options.outputs, parts.map_size, len(parts.tokens), broken, branch)
    )
    model = _model(builder, parts, lowering, defaults, options)
    if lowering.weights_in_bodies:
        weights_into_bodies(model.graph)
    return model


class _Frames:
    """The input frames, resized and normalised by the target's lowering."""

    def __init__(self, builder: Builder, lowering: Lowering) -> None:
        self._builder, self._lowering = builder, lowering
        casts = lowering.casts_frames
        self._values = builder.op("Cast", signature.FRAMES, to=TensorProto.FLOAT) if casts else signature.FRAMES

    def resized(self, sides: tuple[int, int], select: Select = _all) -> str:
        """Grey levels 0..255, float32 [N, 3, height, width] RGB."""
        return self._lowering.resize(self._builder, select(self._values), sides)

    def prepared(self, preprocessing: Preprocessing, select: Select = _all) -> str:
        """What a network reads, float32 [N, 3, height, width]."""
        scale, offset = preprocessing.scale_and_offset()
        builder = self._builder
        scaled = builder.op("Mul", self.resized(preprocessing.sides, select), builder.constant(scale, "scale"))
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
        self._is_of_all_frames = True

    def read(self, names: Sequence[str], select: Select | None = None) -> list[str]:
        """Values of the graph for outputs of the encoder; their nodes go into the body that is open now.

        Args:
            names: Outputs, by `ClipEncoder.read`'s names.
            select: Given in the CLIP branch, which runs for some of the frames.
        """
        if self._embedded is None:
            image = self._frames.prepared(self._parts.clip_preprocessing, select or _all)
            graph = self._parts.encoder
            self._embedded = Embedded(self._builder, graph, {graph.input[0].name: image}, "clip")
            self._is_of_all_frames = select is None
        return self._embedded.values(names, select if self._is_of_all_frames else None)


def _model(
    builder: Builder,
    parts: Parts,
    lowering: Lowering,
    defaults: Mapping[str, NDArray[np.float32]],
    options: GraphOptions,
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
    outputs = [output_info(name, size) for name in options.outputs]
    initializers = list(builder.initializers.values())
    if lowering.defaults:
        initializers.extend(numpy_helper.from_array(values, name) for name, values in defaults.items())
    graph = helper.make_graph(builder.nodes, "nand_edge", inputs, outputs, initializers)
    return _wrapped(graph)


def _wrapped(graph: onnx.GraphProto) -> onnx.ModelProto:
    domains = OPSETS if needs_domain(graph) else OPSETS[:1]
    return helper.make_model(graph, opset_imports=domains, producer_name="nand-edge", ir_version=IR_VERSION)


def graph_record(parts: Parts, options: GraphOptions) -> GraphRecord:
    """The graph's signature for the manifest."""
    size = parts.map_size
    return GraphRecord(
        opset=OPSET,
        map_size=size,
        inputs={
            signature.FRAMES: TensorRecord(dtype="uint8", shape=(-1, -1, -1, 3)),
            signature.THRESHOLD: TensorRecord(dtype="float32", shape=()),
            signature.NORMALITY_FEATURES: TensorRecord(
                dtype="float32", shape=(-1, len(parts.grids), 2, -1, parts.width)
            ),
            signature.NORMALITY_BIAS: TensorRecord(dtype="float32", shape=(-1, len(parts.grids), 2, -1)),
            signature.REGION: TensorRecord(dtype="float32", shape=(size, size)),
        },
        outputs={name: output_record(name, size) for name in options.outputs},
        early_exit=options.early_exit,
    )
