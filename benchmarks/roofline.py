"""What share of this machine's peak OpenVINO reaches on a large encoder, and where the rest of its time goes.

Two peaks are measured with torch's products (oneDNN) in the precision of the engine and with as many threads: the best
rate of any large product, and for each product of the encoder its own least time, with the weights of all layers in
turn, so that they come from memory as they do in the engine. The first gives the share of the machine's peak, the
second the share of what these very products allow: no product counts softmax, layer norms or activations. The engine's
time is split by OpenVINO's own profile.

Writes `roofline.json` into `benchmarks/results`, the table of the block `roofline`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch

from nand_edge.files import whole_file
from nand_edge_export.clip import ClipEncoder, load_clip
from nand_edge_runtime.machine import processor_name

RESULTS = Path(__file__).resolve().parent / "results"
LARGE = ((2048, 2048, 2048), (1370, 1024, 4096))
HINTS = {"fp32": "f32", "bf16": "bf16"}
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
COLUMNS = [
    "encoder",
    "precision",
    "time",
    "operations",
    "share of the peak",
    "share of its own products' peak",
    "where the time goes",
]


@dataclass(frozen=True)
class Product:
    """A matrix product that an encoder computes.

    Attributes:
        batch: How many at once; heads of the attention, or 1 for a layer with weights.
        rows: Rows of the left side.
        inner: Columns of the left side.
        columns: Columns of the right side.
        count: How often in one frame.
    """

    batch: int
    rows: int
    inner: int
    columns: int
    count: int

    @property
    def operations(self) -> float:
        """Floating-point operations in one frame."""
        return 2.0 * self.batch * self.rows * self.inner * self.columns * self.count


def products_of(tokens: int, width: int, heads: int, layers: int) -> list[Product]:
    """The products of a vision transformer's blocks."""
    head = width // heads
    return [
        Product(1, tokens, width, 3 * width, layers),
        Product(heads, tokens, head, tokens, layers),
        Product(heads, tokens, tokens, head, layers),
        Product(1, tokens, width, width, layers),
        Product(1, tokens, width, 4 * width, layers),
        Product(1, tokens, 4 * width, width, layers),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", nargs="+", default=["ViT-B-16:224", "ViT-L-14-336:518"], help="MODEL:IMAGE_SIZE")
    parser.add_argument("--precision", nargs="+", default=list(HINTS), choices=list(HINTS))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where roofline.json goes")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    rows = []
    for clip in options.clip:
        name, _, size = clip.partition(":")
        encoder = ClipEncoder(load_clip(f"{name}:random", image_size=int(size)), projection="random")
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            model = exported(encoder, Path(folder))
            for precision in options.precision:
                rows.append(row(clip, encoder, model, precision, options))
                print(" | ".join(rows[-1]), file=sys.stderr)
    note = (
        "The encoder alone, one frame; peaks by torch's products. Measured on "
        f"{options.threads} threads of {processor_name()}, openvino {openvino.__version__.partition('-')[0]}."
    )
    with whole_file(options.results / "roofline.json") as temporary:
        table = {"columns": COLUMNS, "rows": rows, "note": note}
        temporary.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return 0


def exported(encoder: ClipEncoder, folder: Path) -> Path:
    """The encoder as ONNX, its weights beside it."""
    path = folder / "encoder.onnx"
    side = encoder.preprocessing.sides
    torch.onnx.export(
        encoder.eval(), (torch.zeros(1, 3, *side),), str(path), dynamo=True, external_data=True, opset_version=18
    )
    return path


def row(clip: str, encoder: ClipEncoder, model: Path, precision: str, options: argparse.Namespace) -> list[str]:
    """One line of the table."""
    visual: Any = encoder.tower.visual
    tokens, width = visual.positional_embedding.shape
    blocks = visual.transformer.resblocks
    products = products_of(int(tokens), int(width), blocks[0].attn.num_heads, len(blocks))
    operations = sum(product.operations for product in products)
    dtype = DTYPES[precision]
    peak = max(product.operations / least_time(product, dtype, options.repeats, 1) for product in largest())
    own = sum(least_time(product, dtype, options.repeats, product.count) for product in products)
    seconds, parts = engine_time(model, encoder.preprocessing.sides, precision, options)
    whole = sum(parts.values())
    split = ", ".join(
        f"{kind} {part / whole:.0%}" for kind, part in sorted(parts.items(), key=lambda item: -item[1])[:4]
    )
    return [
        clip,
        precision,
        f"{seconds * 1e3:.0f} ms",
        f"{operations / 1e9:,.0f} GFLOP",
        f"{operations / seconds / peak:.2f} of {peak / 1e9:,.0f} GFLOP/s",
        f"{own / seconds:.2f}",
        split,
    ]


def largest() -> list[Product]:
    """Products that reach what the machine can."""
    return [Product(1, rows, inner, columns, 1) for rows, inner, columns in LARGE]


def least_time(product: Product, dtype: torch.dtype, repeats: int, layers: int) -> float:
    """Seconds of all of a product's occurrences in one frame, with as many weights in turn as there are layers."""
    left = torch.randn(product.batch, product.rows, product.inner).to(dtype)
    rights = [torch.randn(product.batch, product.columns, product.inner).to(dtype) for _ in range(layers)]

    def all_layers() -> None:
        for right in rights:
            if product.batch == 1:
                torch.nn.functional.linear(left[0], right[0])
            else:
                torch.bmm(left, right.transpose(1, 2))

    return least(all_layers, repeats) * product.count / layers


def least(call: Callable[[], object], repeats: int) -> float:
    """The least seconds of many calls."""
    best = float("inf")
    for _ in range(repeats + 1):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


def engine_time(
    model: Path, sides: tuple[int, int], precision: str, options: argparse.Namespace
) -> tuple[float, dict[str, float]]:
    """The engine's least seconds, and seconds by kind of layer from a run with OpenVINO's profile on."""
    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "INFERENCE_NUM_THREADS": options.threads,
    }
    image = np.random.default_rng(0).standard_normal((1, 3, *sides)).astype(np.float32)
    request = core.compile_model(str(model), "CPU", settings).create_infer_request()
    seconds = least(lambda: request.infer([image], share_inputs=True), options.repeats)
    del request
    request = core.compile_model(str(model), "CPU", {**settings, "PERF_COUNT": "YES"}).create_infer_request()
    for _ in range(2):
        request.infer([image])
    parts: defaultdict[str, float] = defaultdict(float)
    for node in request.profiling_info:
        attention = "attention" in node.node_name and node.node_type == "Subgraph"
        parts["attention" if attention else node.node_type] += node.real_time.total_seconds()
    return seconds, dict(parts)


if __name__ == "__main__":
    sys.exit(main())
