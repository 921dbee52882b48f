"""Measure the resize within the graph against OpenCV's, by target and threads, and how near it comes to Pillow's.

Each side takes a uint8 BGR frame to normalised float32 planes [1, 3, 240, 240] RGB: the graph of a target, resize and
normalisation alone, and `cv2.resize` with `INTER_AREA` and the same arithmetic in NumPy. They run by turns, so that
what else the machine does hits all alike; given are the least times of many and their ratios.

Writes `resize.json` into `benchmarks/results`, the table of the block `resize`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from nand_edge.files import whole_file
from nand_edge.signature import FRAMES
from nand_edge_export.engines.openvino_resize import use_own_resize
from nand_edge_export.graph.assembly import resize_model
from nand_edge_export.graph.lowering import FOR_OPENVINO, PORTABLE, Lowering
from nand_edge_export.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from nand_edge_runtime.machine import processor_name

RESULTS = Path(__file__).resolve().parent / "results"
SIZE = 240
SHAPES = ((480, 640), (1080, 1920))
PREPROCESSING = Preprocessing(SIZE, IMAGENET_MEAN, IMAGENET_STD)
COLUMNS = ["frame to 240 x 240", "threads", "OpenCV", "onnx", "openvino", "off Pillow: onnx", "openvino"]

Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""A frame uint8 [1, H, W, 3] to float32 [1, 3, SIZE, SIZE]."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=60, help="runs of each side")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where resize.json goes")
    options = parser.parse_args(arguments)
    rows = []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        sides = {"OpenCV": with_opencv, "onnx": with_onnx_runtime(threads), "openvino": with_openvino(threads)}
        for shape in SHAPES:
            rows.append(row(shape, threads, sides, options.repeats))
            print(" | ".join(rows[-1]), file=sys.stderr)
    note = (
        "Resize and normalisation, least time of many runs by turns, and how many times OpenCV's (`INTER_AREA`, which "
        "is no bicubic) it takes; off Pillow: largest difference in grey levels on noise, and the share of pixels that "
        f"differ. Measured on {os.cpu_count()} cores of {processor_name()}, onnxruntime {onnxruntime.__version__}, "
        f"openvino {openvino.__version__.partition('-')[0]}, OpenCV {cv2.__version__}."
    )
    with whole_file(options.results / "resize.json") as temporary:
        table = {"columns": COLUMNS, "rows": rows, "note": note}
        temporary.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return 0


def row(shape: tuple[int, int], threads: int, sides: dict[str, Run], repeats: int) -> list[str]:
    """One line of the table."""
    frame = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)
    best = dict.fromkeys(sides, float("inf"))
    for turn in range(repeats + 2):
        for name, run in sides.items():
            started = time.perf_counter()
            run(frame)
            # The first runs of a size set up kernels for it.
            if turn > 1:
                best[name] = min(best[name], time.perf_counter() - started)
    opencv = best.pop("OpenCV")
    times = [f"{value * 1e3:.1f} ms, {value / opencv:.1f} times" for value in best.values()]
    reference = PREPROCESSING.resize(frame).transpose(0, 3, 1, 2).astype(np.float64)
    scale, offset = PREPROCESSING.scale_and_offset()
    errors = []
    for name in best:
        levels = np.round((sides[name](frame) - offset) / scale)
        difference = np.abs(levels - reference)
        errors.append(f"{difference.max():.0f}, {np.mean(difference > 0):.2%}")
    return [f"{shape[1]} x {shape[0]}", str(threads), f"{opencv * 1e3:.1f} ms", *times, *errors]


def with_opencv(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a client without this graph would do."""
    scale, offset = PREPROCESSING.scale_and_offset()
    small = cv2.resize(frame[0], (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    planes = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1)[np.newaxis]).astype(np.float32)
    planes *= scale
    planes += offset
    return planes


def with_onnx_runtime(threads: int) -> Run:
    """The portable graph's resize."""
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        normalising(PORTABLE).SerializeToString(), settings, providers=["CPUExecutionProvider"]
    )
    return lambda frame: np.asarray(session.run(None, {FRAMES: frame})[0])


def with_openvino(threads: int) -> Run:
    """The resize of an engine that `nand-edge build` made."""
    core = openvino.Core()
    model = core.read_model(normalising(FOR_OPENVINO).SerializeToString())
    model.reshape({FRAMES: [1, -1, -1, 3]})
    use_own_resize(model)
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        request.infer([frame], share_inputs=True)
        return np.asarray(request.get_output_tensor().data)

    return run


def normalising(lowering: Lowering) -> onnx.ModelProto:
    """A graph of resize and normalisation."""
    model = resize_model(lowering, PREPROCESSING.sides)
    graph, levels = model.graph, model.graph.output[0].name
    for name, values in zip(("scale", "offset"), PREPROCESSING.scale_and_offset(), strict=True):
        graph.initializer.append(numpy_helper.from_array(values, name))
    graph.node.extend(
        [
            helper.make_node("Mul", [levels, "scale"], ["scaled"], name="scaled"),
            helper.make_node("Add", ["scaled", "offset"], ["prepared"], name="prepared"),
        ]
    )
    graph.output[0].name = "prepared"
    return model


if __name__ == "__main__":
    sys.exit(main())
