"""Freeing a fixed batch, operator by operator: what keeps frames apart is freed, what mixes them is refused."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import parser

from nand_edge_export.graph.batch import free_batch
from nand_edge_export.graph.batch_rules import MixedFramesError

pytestmark = pytest.mark.torch

HEADER = '<ir_version: 9, opset_import: ["" : 18]> g (float[2,3,4,6] x) => (float[{output}] y) {constants}'

APART = {
    "sums with a constant": ("2,3,4,6", "<float[3,1,1] c = {1, 2, 3}>", "y = Add (x, c)"),
    "another order of axes": ("2,6,3,4", "", "y = Transpose <perm = [0, 3, 1, 2]> (x)"),
    "frames along the second axis": (
        "2,3",
        "<int64[2] last = {2, 3}>",
        (
            "t = Transpose <perm = [1, 0, 2, 3]> (x) r = ReduceMax <keepdims = 0> (t, last) "
            "y = Transpose <perm = [1, 0]> (r)"
        ),
    ),
    "a reshape that names the batch": ("2,72", "<int64[2] s = {2, 72}>", "y = Reshape (x, s)"),
    "a reshape to rows and back": (
        "2,4,6",
        "<int64[2] s = {24, 6}, int64[3] b = {2, 4, 6}, float[6,2] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}>",
        "r = Reshape (x, s) m = MatMul (r, w) y = Reshape (m, b)",
    ),
    "a reshape of what lies behind the frames": (
        "2,18,4",
        "<int64[3] s = {3, 2, 24}, int64[3] b = {2, 18, 4}>",
        (
            "t = Transpose <perm = [1, 0, 2, 3]> (x) r = Reshape (t, s) u = Transpose <perm = [1, 0, 2]> (r) "
            "y = Reshape (u, b)"
        ),
    ),
    "sizes that name the batch": ("2,3,7,9", "<int64[4] s = {2, 3, 7, 9}>", 'y = Resize <mode = "linear"> (x, , , s)'),
    "a shape that is computed": (
        "2,72",
        "<int64[1] m = {-1}>",
        "n = Shape <end = 1> (x) s = Concat <axis = 0> (n, m) y = Reshape (x, s)",
    ),
    "an axis of the frame cut": (
        "2,3,2,6",
        "<int64[1] a = {1}, int64[1] b = {3}, int64[1] d = {2}>",
        "y = Slice (x, a, b, d)",
    ),
    "all frames cut out": (
        "2,3,4,6",
        "<int64[1] a = {0}, int64[1] b = {2}, int64[1] d = {0}>",
        "y = Slice (x, a, b, d)",
    ),
    "two halves that are computed in one way": (
        "2,3,4,6",
        "<int64[1] a = {0}, int64[1] b = {1}, int64[1] c = {2}, int64[1] d = {0}>",
        "p = Slice (x, a, b, d) q = Slice (x, b, c, d) r = Abs (p) s = Abs (q) y = Concat <axis = 0> (r, s)",
    ),
    "a softmax over channels": ("2,3,4,6", "", "y = Softmax <axis = 1> (x)"),
    "a flattened image": ("2,72", "", "y = Flatten (x)"),
    "a normalised image": ("2,3,4,6", "<float[6] s = {1, 1, 1, 1, 1, 1}>", "y = LayerNormalization (x, s)"),
    "a gathered channel": ("2,4,6", "<int64 i = {1}>", "y = Gather <axis = 1> (x, i)"),
    "a padded image": ("2,3,6,6", "<int64[8] p = {0, 0, 1, 0, 0, 0, 1, 0}>", "y = Pad (x, p)"),
    "products of two images": ("2,3,4,4", "", "t = Transpose <perm = [0, 1, 3, 2]> (x) y = MatMul (x, t)"),
    "a repeated image": ("2,6,4,6", "<int64[4] r = {1, 2, 1, 1}>", "y = Tile (x, r)"),
    "a new axis and its end": (
        "2,3,4,6",
        "<int64[1] a = {0}>",
        "u = Unsqueeze (x, a) y = Squeeze (u, a)",
    ),
}

MIXED = {
    "another value for each frame": ("2,3,4,6", "<float[2,1,1,1] c = {1, 2}>", "y = Add (x, c)"),
    "the mean over the batch": ("2,3,4,6", "<int64[1] a = {0}>", "m = ReduceMean (x, a) y = Sub (x, m)"),
    "the mean over everything": ("2,3,4,6", "", "m = ReduceMean (x) y = Sub (x, m)"),
    "a softmax over the batch": ("2,3,4,6", "", "y = Softmax <axis = 0> (x)"),
    "the frames turned around": ("2,3,4,6", "<int64[2] i = {1, 0}>", "y = Gather <axis = 0> (x, i)"),
    "two halves in another order": (
        "2,3,4,6",
        "<int64[1] a = {0}, int64[1] b = {1}, int64[1] c = {2}, int64[1] d = {0}>",
        "p = Slice (x, a, b, d) q = Slice (x, b, c, d) y = Concat <axis = 0> (q, p)",
    ),
    "two halves that are computed otherwise": (
        "2,3,4,6",
        "<int64[1] a = {0}, int64[1] b = {1}, int64[1] c = {2}, int64[1] d = {0}>",
        "p = Slice (x, a, b, d) q = Slice (x, b, c, d) r = Abs (p) s = Neg (q) y = Concat <axis = 0> (r, s)",
    ),
    "channels taken for frames": (
        "2,3,4,6",
        "<int64[4] s = {2, 3, 4, 6}>",
        "t = Transpose <perm = [1, 0, 2, 3]> (x) y = Reshape (t, s)",
    ),
    "a product over the frames": (
        "2,3,4,6",
        "<float[2,2] w = {1, 1, 0, 1}, int64[2] f = {2, 72}, int64[4] s = {2, 3, 4, 6}>",
        "r = Reshape (x, f) m = MatMul (w, r) y = Reshape (m, s)",
    ),
    "a sum along the frames": ("2,3,4,6", "<int64 a = {0}>", "y = CumSum (x, a)"),
    "an operator without a rule": (
        "2,3",
        "<int64[1] z = {0}, int64[1] e = {4}, int64[1] a = {3}>",
        "c = Slice (x, z, e, a) y = Det (c)",
    ),
    "a padded batch": ("2,3,4,6", "<int64[8] p = {1, 0, 0, 0, -1, 0, 0, 0}>", "y = Pad (x, p)"),
    "something that is the same for both frames": ("2,6,4,6", "<float[2,3,4,6] c>", "y = Concat <axis = 1> (x, c)"),
}


def model(output: str, constants: str, body: str) -> onnx.ModelProto:
    filled = constants.replace("<float[2,3,4,6] c>", f"<float[2,3,4,6] c = {{{', '.join(['1'] * 144)}}}>")
    made = parser.parse_model(f"{HEADER.format(output=output, constants=filled)} {{ {body} }}")
    onnx.checker.check_model(made, full_check=True)
    return made


def run(made: onnx.ModelProto, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": frames})[0])


@pytest.mark.parametrize("name", APART)
def test_what_keeps_frames_apart_takes_any_number_of_them(name: str) -> None:
    fixed = model(*APART[name])
    free = free_batch(fixed)
    frames = np.random.default_rng(0).normal(size=(5, 3, 4, 6)).astype(np.float32)
    expected = np.concatenate([run(fixed, frames[[place, place]])[:1] for place in range(len(frames))])
    for count in (1, 2, 3, 5):
        np.testing.assert_allclose(run(free, frames[:count]), expected[:count], atol=1e-5)


@pytest.mark.parametrize("name", MIXED)
def test_what_mixes_frames_is_refused(name: str) -> None:
    with pytest.raises(MixedFramesError):
        free_batch(model(*MIXED[name]))
