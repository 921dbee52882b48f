"""What each operator does with the frames of a batch: where they lie in its output, or that it mixes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

if TYPE_CHECKING:
    from nand_edge_export.graph.batch import Proof

_ELEMENTWISE = frozenset(
    "Abs Add And BitShift Cast CastLike Ceil Celu Clip Div Dropout Elu Equal Erf Exp Floor Greater GreaterOrEqual "
    "HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or "
    "Pow PRelu Reciprocal Relu Round Selu Sigmoid Sign Softplus Softsign Sqrt Sub Sum Tanh ThresholdedRelu Where "
    "Xor".split()
)
_IMAGES = frozenset(
    "AveragePool BatchNormalization Conv ConvTranspose DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool "
    "GroupNormalization InstanceNormalization LRN LpPool MaxPool SpaceToDepth".split()
)
_REDUCTIONS = frozenset(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum "
    "ReduceSumSquare".split()
)
_TO_THE_END = np.iinfo(np.int64).max


class MixedFramesError(Exception):
    """The proof ends here; the text says at which operator and why."""


@dataclass(frozen=True)
class Frames:
    """How the frames of a batch lie in a value.

    Attributes:
        axis: The axis along which they follow each other.
        rows: How many consecutive rows of that axis belong to each frame.
        part: The value and the range of its rows that this value comes from, where it is not the whole batch.
    """

    axis: int
    rows: int = 1
    part: tuple[str, int, int] | None = None


def _attribute(node: onnx.NodeProto, name: str, default: int) -> int:
    return next((int(each.i) for each in node.attribute if each.name == name), default)


def _elementwise(proof: Proof, node: onnx.NodeProto) -> Frames:
    """Frames must lie along the same axis of every input, counted from the last as broadcasting does."""
    found = set()
    for name in node.input:
        if name in proof.frames:
            frames = proof.frames[name]
            found.add(replace(frames, axis=len(proof.shape(name)) - frames.axis))
    if len(found) != 1:
        raise proof.mixes(node, "its inputs hold the frames in different ways")
    (frames,) = found
    for name in node.input:
        if name and name not in proof.frames:
            shape = proof.shape(name)
            if len(shape) >= frames.axis and shape[-frames.axis] != 1:
                raise proof.mixes(node, f"{name!r} has another value for each frame")
    return replace(frames, axis=len(proof.shape(node.output[0])) - frames.axis)


def _image(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    if frames.axis != 0 or len([name for name in node.output if name]) != 1:
        raise proof.mixes(node, "frames do not lie along its first axis")
    return frames


def _reduction(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    rank = len(proof.shape(node.input[0]))
    if len(node.input) < 2 or not node.input[1]:
        raise proof.mixes(node, "it goes over all axes")
    axes = _axes(proof.constant(node, 1), rank)
    return _without(proof, node, frames, axes, keep=_attribute(node, "keepdims", 1) == 1)


def _arg_reduction(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    axis = _attribute(node, "axis", 0) % len(proof.shape(node.input[0]))
    return _without(proof, node, frames, [axis], keep=_attribute(node, "keepdims", 1) == 1)


def _without(proof: Proof, node: onnx.NodeProto, frames: Frames, axes: Sequence[int], *, keep: bool) -> Frames:
    if frames.axis in axes:
        raise proof.mixes(node, "it goes over the frames")
    return frames if keep else replace(frames, axis=frames.axis - sum(axis < frames.axis for axis in axes))


def _axes(values: NDArray[np.generic], rank: int) -> list[int]:
    return [int(axis) % rank for axis in values.reshape(-1).tolist()]


def _along_axis(default: int) -> Callable[[Proof, onnx.NodeProto], Frames]:
    """The rule of an operator that works along the axis of its attribute."""

    def rule(proof: Proof, node: onnx.NodeProto) -> Frames:
        frames = proof.only_first(node)
        axis = _attribute(node, "axis", default) % len(proof.shape(node.input[0]))
        return _without(proof, node, frames, [axis], keep=True)

    return rule


def _layer_normalization(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    if _attribute(node, "axis", -1) % len(proof.shape(node.input[0])) <= frames.axis:
        raise proof.mixes(node, "it goes over the frames")
    return frames


def _cumulative_sum(proof: Proof, node: onnx.NodeProto) -> Frames:
    axes = _axes(proof.constant(node, 1), len(proof.shape(node.input[0])))
    return _without(proof, node, proof.only_first(node), axes, keep=True)


def _transpose(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    rank = len(proof.shape(node.input[0]))
    order = next((list(each.ints) for each in node.attribute if each.name == "perm"), list(reversed(range(rank))))
    return replace(frames, axis=order.index(frames.axis))


def _squeeze(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    if len(node.input) < 2:
        raise proof.mixes(node, "it drops whatever axis has one row")
    axes = _axes(proof.constant(node, 1), len(proof.shape(node.input[0])))
    return _without(proof, node, frames, axes, keep=False)


def _unsqueeze(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    rank = len(proof.shape(node.output[0]))
    new = _axes(proof.constant(node, 1), rank)
    return replace(frames, axis=[axis for axis in range(rank) if axis not in new][frames.axis])


def _flatten(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    axis = _attribute(node, "axis", 1)
    if frames.axis != 0 or axis < 1:
        raise proof.mixes(node, "frames do not lie along its first axis")
    return Frames(0, math.prod(proof.shape(node.input[0])[:axis]) // proof.batch)


def _reshape(proof: Proof, node: onnx.NodeProto) -> Frames:
    """Elements keep their order, so frames stay apart where the axes before theirs stay and theirs divides by them."""
    frames = proof.only_first(node)
    old, new = proof.shape(node.input[0]), proof.shape(node.output[0])
    axis = frames.axis
    if new[:axis] != old[:axis] or len(new) <= axis or new[axis] % proof.batch or 0 in new:
        raise proof.mixes(node, "it does not keep frames apart")
    proof.constant(node, 1)
    proof.set_constant(node, 1, np.array([*new[:axis], -1, *new[axis + 1 :]], np.int64))
    return Frames(axis, new[axis] // proof.batch, frames.part)


def _resize(proof: Proof, node: onnx.NodeProto) -> Frames:
    """Sizes name the batch; factors that give the same sizes do not."""
    frames = proof.only_first(node)
    given = {each.name for each in node.attribute}
    if (
        frames.axis != 0
        or "axes" in given
        or any(each.name == "keep_aspect_ratio_policy" and each.s != b"stretch" for each in node.attribute)
    ):
        raise proof.mixes(node, "it may stretch the batch")
    old, new = proof.shape(node.input[0]), proof.shape(node.output[0])
    if old[0] != new[0]:
        raise proof.mixes(node, "it stretches the batch")
    if len(node.input) > 3 and node.input[3]:
        proof.constant(node, 3)
        del node.input[3]
        proof.set_constant(node, 2, np.array([_factor(*sides) for sides in zip(old, new, strict=True)], np.float32))
    return frames


def _factor(old: int, new: int) -> float:
    """The factor new / old as float32, rounded up, so that its product with `old` rounds down to `new`."""
    factor = np.float32(new / old)
    while old * float(factor) < new:
        factor = np.nextafter(factor, np.float32(np.inf))
    return float(factor)


def _pad(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    pads, rank = proof.constant(node, 1).tolist(), len(proof.shape(node.input[0]))
    if len(node.input) > 3 and node.input[3]:
        raise proof.mixes(node, "it names its axes")
    if pads[frames.axis] or pads[frames.axis + rank]:
        raise proof.mixes(node, "it pads the batch")
    return frames


def _expand(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    old, new = proof.shape(node.input[0]), proof.shape(node.output[0])
    axis = frames.axis + len(new) - len(old)
    if new[axis] != old[frames.axis]:
        raise proof.mixes(node, "it repeats frames")
    proof.constant(node, 1)
    proof.set_constant(node, 1, np.array([1 if place == axis else side for place, side in enumerate(new)], np.int64))
    return replace(frames, axis=axis)


def _tile(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    if proof.constant(node, 1)[frames.axis] != 1:
        raise proof.mixes(node, "it repeats frames")
    return frames


def _gather(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    axis = _attribute(node, "axis", 0) % len(proof.shape(node.input[0]))
    if axis == frames.axis:
        raise proof.mixes(node, "it picks frames")
    more = len(proof.shape(node.input[1])) - 1
    return replace(frames, axis=frames.axis + (more if axis < frames.axis else 0))


def _matmul(proof: Proof, node: onnx.NodeProto) -> Frames:
    left, right = node.input
    rank = max(len(proof.shape(left)), 2), max(len(proof.shape(right)), 2)
    for name, contracted in ((left, len(proof.shape(left)) - 1), (right, max(len(proof.shape(right)) - 2, 0))):
        if name in proof.frames and proof.frames[name].axis == contracted:
            raise proof.mixes(node, "it sums over the frames")
    if left in proof.frames and right not in proof.frames and proof.frames[left].axis == rank[0] - 2:
        return replace(proof.frames[left], axis=len(proof.shape(node.output[0])) - 2)
    if min(len(proof.shape(left)), len(proof.shape(right))) < 2:
        raise proof.mixes(node, "it multiplies with a vector")
    if any(
        name in proof.frames and proof.frames[name].axis >= rank[place] - 2 for place, name in enumerate(node.input)
    ):
        raise proof.mixes(node, "it multiplies frames with each other")
    return _elementwise(proof, node)


def _gemm(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    if frames.axis != 0 or _attribute(node, "transA", 0):
        raise proof.mixes(node, "it sums over the frames")
    if len(node.input) > 2 and node.input[2]:
        bias = proof.shape(node.input[2])
        if len(bias) == 2 and bias[0] != 1:
            raise proof.mixes(node, "its summand has another value for each frame")
    return frames


def _slice(proof: Proof, node: onnx.NodeProto) -> Frames:
    frames = proof.only_first(node)
    rank = len(proof.shape(node.input[0]))
    starts, ends = proof.constant(node, 1).tolist(), proof.constant(node, 2).tolist()
    axes = _axes(proof.constant(node, 3), rank) if len(node.input) > 3 and node.input[3] else list(range(len(starts)))
    steps = proof.constant(node, 4).tolist() if len(node.input) > 4 and node.input[4] else [1] * len(axes)
    if frames.axis not in axes:
        return frames
    place = axes.index(frames.axis)
    rows = proof.shape(node.input[0])[frames.axis]
    start, stop, step = slice(starts[place], ends[place], steps[place]).indices(rows)
    if step != 1 or frames.part is not None:
        raise proof.mixes(node, "it picks frames")
    if (start, stop) == (0, rows):
        ends[place] = _TO_THE_END
        proof.set_constant(node, 2, np.array(ends, np.int64))
        return frames
    if len(axes) > 1:
        raise proof.mixes(node, "it cuts the batch and something else")
    source = node.input[0]
    proof.take_part(node, source)
    return replace(frames, part=(source, start, stop))


def _split(proof: Proof, node: onnx.NodeProto) -> Frames:
    return _along_axis(0)(proof, node)


def _concat(proof: Proof, node: onnx.NodeProto) -> Frames:
    found = [proof.frames.get(name) for name in node.input]
    first = found[0]
    if first is None or None in found:
        raise proof.mixes(node, "it joins frames with something else")
    axis = _attribute(node, "axis", 0) % len(proof.shape(node.input[0]))
    if axis != first.axis:
        if any(each != first for each in found):
            raise proof.mixes(node, "its inputs hold the frames in different ways")
        return first
    return _whole_again(proof, node, [each for each in found if each is not None])


def _whole_again(proof: Proof, node: onnx.NodeProto, parts: Sequence[Frames]) -> Frames:
    """Parts of a batch that were computed in one way, row by row, are the whole computed in that way.

    anomalib's PatchCore computes distances in such parts, of 1,024 patches each.
    """
    end = 0
    source = parts[0].part[0] if parts[0].part is not None else ""
    for each in parts:
        if (
            each.part is None
            or each.part[:2] != (source, end)
            or replace(each, part=None) != replace(parts[0], part=None)
        ):
            raise proof.mixes(node, "it joins frames in another order")
        end = each.part[2]
    whole = proof.frames[source]
    if end != proof.shape(source)[whole.axis] or len({proof.number(name) for name in node.input}) != 1:
        raise proof.mixes(node, "its inputs are not parts of one value, computed in one way")
    node.CopyFrom(helper.make_node("Identity", node.input[:1], node.output, name=node.name))
    return replace(parts[0], part=None)


RULES: dict[str, Callable[[Proof, onnx.NodeProto], Frames]] = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_IMAGES, _image),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg_reduction),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "TopK"), _along_axis(-1)),
    "Concat": _concat,
    "CumSum": _cumulative_sum,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "LayerNormalization": _layer_normalization,
    "MatMul": _matmul,
    "Pad": _pad,
    "Reshape": _reshape,
    "Resize": _resize,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
ROW_BY_ROW = _ELEMENTWISE | _REDUCTIONS | {"ArgMax", "ArgMin", "Gemm", "MatMul", "Slice", "Softmax", "TopK"}
"""Operators that compute each row of the frames' axis from that row alone, so that they may get a part of a batch."""
