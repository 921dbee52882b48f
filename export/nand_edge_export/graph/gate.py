"""The gate: which frames of a batch the CLIP branch runs for, and what comes out for them and for the others.

The gate is exact: suppression only lowers a map, so a frame below the threshold passes whatever the words say. A base
score that is NaN is not below anything, and opens it; so do normalities that are no numbers, which make every final map
NaN: a NaN anywhere is a reject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from onnx import TensorProto, helper

from nand_edge import signature
from nand_edge_export.graph.builder import Builder
from nand_edge_export.graph.lowering import Gate
from nand_edge_export.graph.maps import SUSPICIOUS_OUTPUTS, body, maximum

Values = Mapping[str, str]
"""Values of the builder's graph by the signature's names."""

Select = Callable[[str], str]
"""From a value with the frames of the batch first to the same value of the frames that the CLIP branch runs for."""


@dataclass(frozen=True)
class Gated:
    """What the gate needs.

    Attributes:
        base_map: float32 [N, M, M].
        outputs: The graph's outputs, by the signature's names.
        map_size: Side M of the maps.
        taps: Number of taps of the CLIP branch.
        broken: bool [], whether the normalities hold a number that is not finite; then all frames are suspicious.
        branch: Given the selection, adds the CLIP branch to the body that is open and gives its outputs.
    """

    base_map: str
    outputs: tuple[str, ...]
    map_size: int
    taps: int
    broken: str
    branch: Callable[[Select], Values]

    @property
    def names(self) -> tuple[str, ...]:
        """Outputs that the CLIP branch changes."""
        return tuple(name for name in SUSPICIOUS_OUTPUTS if name in self.outputs)

    def without_taps(self) -> Gated:
        """The same, without the number of taps among its outputs."""
        return replace(self, outputs=tuple(name for name in self.outputs if name != signature.TAPS_RUN))


def add_gate(builder: Builder, kind: Gate, gated: Gated) -> None:
    """Add the region, the gate and the CLIP branch behind it; the builder then has all outputs by their names."""
    op = builder.op
    base_map = builder.alias(op("Mul", gated.base_map, signature.REGION), signature.BASE_MAP)
    base_score = builder.alias(maximum(builder, base_map), signature.BASE_SCORE)
    suspicious = op("Or", op("Not", op("Less", base_score, signature.THRESHOLD)), gated.broken)
    if kind is Gate.LOOPED:
        ran = _looped(builder, gated, suspicious)
    else:
        highest = op("ReduceMax", op("Cast", suspicious, to=TensorProto.FLOAT), keepdims=0)
        is_open = op("Greater", highest, builder.constant(0.5))
        if kind is Gate.GATHERED:
            ran = suspicious
            _if(builder, gated, is_open, through=lambda: _gathered(builder, gated, suspicious), select=_all_frames)
        else:
            # OpenVINO cannot read the number of taps among the outputs of an If; here it follows from the gate.
            gated = gated.without_taps()
            ran = op("Expand", is_open, op("Shape", base_score))
            taps = builder.constant(float(gated.taps))
            builder.alias(op("Mul", op("Cast", ran, to=TensorProto.FLOAT), taps), _of_gate(signature.TAPS_RUN))
            _if(builder, gated, is_open, through=lambda: gated.branch(_all_frames), select=_all_frames)
    builder.alias(ran, signature.CLIP_RAN)
    builder.alias(op("Cast", _of_gate(signature.TAPS_RUN), to=TensorProto.INT32), signature.TAPS_RUN)


def _of_gate(name: str) -> str:
    """What the gate itself calls an output."""
    return f"{name}_of_gate" if name == signature.TAPS_RUN else name


def _all_frames(value: str) -> str:
    """Select all frames."""
    return value


def _if(
    builder: Builder,
    gated: Gated,
    is_open: str,
    *,
    through: Callable[[], Values],
    select: Select,
    outputs: Sequence[str] = (),
) -> None:
    """The gate itself: an `If` whose one body is `through`, and whose other one gives what frames get without it."""
    with builder.branch() as opened:
        open_values = through()
    with builder.branch() as closed:
        shut_values = _shut(builder, gated.names, select)
    bodies = [
        body(builder.name(hint), nodes, [values[name] for name in gated.names], gated.names, gated.map_size)
        for hint, nodes, values in (("clip_branch", opened, open_values), ("no_clip_branch", closed, shut_values))
    ]
    outputs = list(outputs or map(_of_gate, gated.names))
    builder.nodes.append(
        helper.make_node("If", [is_open], outputs, name="gate", then_branch=bodies[0], else_branch=bodies[1])
    )


def _gathered(builder: Builder, gated: Gated, suspicious: str) -> Values:
    """The CLIP branch for the suspicious frames alone; the others get what they get while the gate is shut."""
    op = builder.op
    rows = op("Reshape", op("NonZero", suspicious), builder.constant([-1]))
    results = gated.branch(lambda value: op("Gather", value, rows, axis=0))
    others = _shut(builder, gated.names, _all_frames)
    places = op("Unsqueeze", rows, builder.constant([1], "axes"))
    return {name: op("ScatterND", others[name], places, results[name]) for name in gated.names}


def _looped(builder: Builder, gated: Gated, suspicious: str) -> str:
    """A loop over the frames lets each in or not and stacks what comes out; gives which frames it let in, bool [N]."""
    op, constant = builder.op, builder.constant
    counter, go_on = builder.name("frame"), builder.name("go_on")
    own = [builder.name(name) for name in gated.names]
    with builder.branch() as looped:
        index = op("Unsqueeze", counter, constant([0], "axes"))

        def select(value: str) -> str:
            return op("Gather", value, index, axis=0)

        is_open = op("Gather", suspicious, counter, axis=0)
        _if(builder, gated, is_open, through=lambda: gated.branch(select), select=select, outputs=own)
        still = op("Identity", go_on)
        stacked = [op("Squeeze", value, constant([0], "axes")) for value in own]
    inputs = [
        helper.make_tensor_value_info(counter, TensorProto.INT64, []),
        helper.make_tensor_value_info(go_on, TensorProto.BOOL, []),
    ]
    outputs = [helper.make_tensor_value_info(still, TensorProto.BOOL, [])]
    for name, value in zip(gated.names, stacked, strict=True):
        shape = [gated.map_size, gated.map_size] if name in signature.MAPS else []
        outputs.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, shape))
    frames = op("Squeeze", op("Shape", suspicious), constant([0], "axes"))
    # TensorRT wants the condition given, though it is always true.
    inner = helper.make_graph(looped, "frames_one_by_one", inputs, outputs)
    always = constant(np.array(True))  # noqa: FBT003 - numpy's own way
    builder.nodes.append(
        helper.make_node("Loop", [frames, always], [*map(_of_gate, gated.names)], name="frames", body=inner)
    )
    return suspicious


def _shut(builder: Builder, names: Sequence[str], select: Select) -> Values:
    """What frames get that do not enter the CLIP branch."""
    op = builder.op
    base_map, base_score = select(signature.BASE_MAP), select(signature.BASE_SCORE)
    no_taps = op("Expand", builder.constant(0.0), op("Shape", base_score))
    values = {
        signature.ANOMALY_MAP: op("Identity", base_map),
        signature.SCORE: op("Identity", base_score),
        signature.TAPS_RUN: no_taps,
    }
    if signature.SUPPRESSION_MAP in names:
        values[signature.SUPPRESSION_MAP] = op("Expand", builder.constant(0.0), op("Shape", base_map))
    return {name: values[name] for name in names}
