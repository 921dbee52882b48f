"""The parts on the line: pictures whose right verdict their name tells, and a detector for them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

SIZE = (240, 320)
"""Height and width of a picture, pixels."""

MODEL_SIDE = 128
THRESHOLD = 0.6


class Part(str, Enum):
    """What a part is; its picture's name begins with it."""

    GOOD = "good"
    BAD = "bad"
    """A bright disc that no normality covers: must never pass."""
    NAN = "nan"
    """A picture for which the detector gives NaN: must never pass."""
    CORRUPT = "corrupt"
    """A file that is cut short: must never pass."""

    @classmethod
    def of(cls, name: str) -> Part:
        """What a frame's name tells."""
        return cls(Path(name).name.partition("-")[0])


def picture(part: Part, number: int) -> NDArray[np.uint8]:
    """uint8 [`SIZE`, 3] BGR: grey noise, with a disc on a bad part and all blue where the detector fails."""
    noise = np.random.default_rng(number)
    image = noise.integers(30, 60, (*SIZE, 1), dtype=np.uint8).repeat(3, axis=2)
    if part is Part.BAD:
        centre = tuple(int(noise.integers(60, side - 60)) for side in (SIZE[1], SIZE[0]))
        cv2.circle(image, centre, 25, (255, 255, 255), -1)
    elif part is Part.NAN:
        image[:] = (255, 0, 0)
    return image


def picture_file(part: Part, number: int) -> bytes:
    """A part's picture as a PNG file, cut short where the part is that."""
    _, encoded = cv2.imencode(".png", picture(part, number), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    content = encoded.tobytes()
    return content[: len(content) // 2] if part is Part.CORRUPT else content


def number_of(name: str) -> int | None:
    """The number in a picture's name, such as 17 in `good-0000017.png`; None where it is no part's."""
    kind, _, number = Path(name).stem.partition("-")
    return int(number) if kind in {part.value for part in Part} and number.isdecimal() else None


def detector_model() -> onnx.ModelProto:
    """Brightness as the anomaly map, and NaN everywhere where a picture is blue.

    float32 [N, 3, `MODEL_SIDE`, `MODEL_SIDE`] RGB in 0..1 to float32 [N, 1, `MODEL_SIDE`, `MODEL_SIDE`].
    """
    floats = {
        "red": np.array([1, 0, 0], np.float32).reshape(1, 3, 1, 1),
        "blue": np.array([0, 0, 1], np.float32).reshape(1, 3, 1, 1),
        "limit": np.array(0.7, np.float32),
        "one": np.array(1, np.float32),
        "two": np.array(2, np.float32),
    }
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("AveragePool", ["grey"], ["bright"], kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        helper.make_node("Conv", ["image", "blue"], ["blues"]),
        helper.make_node("Conv", ["image", "red"], ["reds"]),
        helper.make_node("Sub", ["blues", "reds"], ["bluer"]),
        # All of it, not a part: with noise, which has blue in it, a model is tried when it is taken in.
        helper.make_node("GlobalAveragePool", ["bluer"], ["bluest"]),
        helper.make_node("Greater", ["bluest", "limit"], ["fails"]),
        helper.make_node("Cast", ["fails"], ["failing"], to=TensorProto.FLOAT),
        # The logarithm of -1 is NaN, that of 1 is 0.
        helper.make_node("Mul", ["failing", "two"], ["twice"]),
        helper.make_node("Sub", ["one", "twice"], ["sign"]),
        helper.make_node("Log", ["sign"], ["nothing"]),
        helper.make_node("Add", ["bright", "nothing"], ["anomaly_map"]),
    ]
    side = [MODEL_SIDE, MODEL_SIDE]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, *side])],
        [helper.make_tensor_value_info("anomaly_map", TensorProto.FLOAT, ["N", 1, *side])],
        [onnx.numpy_helper.from_array(values, name) for name, values in floats.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
