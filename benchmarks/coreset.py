"""Measure PatchCore's exact coreset: its time over three sizes, and against the literal algorithm.

Good monocrystalline cells at 256 pixels, the embedded backbone, 1,024 patches a frame. The three sizes grow in frames
and in memory, so that patches times memory grow fourfold from each to the next. Of the literal algorithm, in which each
step looks at all patches, only the first steps are timed; all steps cost the same.

Writes `coreset.json` into `benchmarks/results`.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from nand_edge.files import whole_file
from nand_edge.images import read_frame
from nand_edge_export.detectors.backbones import DEFAULT, load_backbone
from nand_edge_export.detectors.coreset import greedy_coreset, on_grid, random_projection
from nand_edge_export.detectors.patchcore import PatchFeatures
from nand_edge_runtime.machine import processor_name

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
from solar_cells.cells import good_cells, photographs

RESULTS = Path(__file__).resolve().parent / "results"
SIZES = ((75, 2000), (150, 4000), (300, 8000))
INPUT_SIZE = 256
LITERAL_STEPS = 100
_console = Console(stderr=True)
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Timed:
    """Wall-clock seconds, and seconds of all processors together: the former depend on what else the machine does."""

    wall_s: float
    processor_s: float


def timed(function: Callable[[], _Value]) -> tuple[_Value, Timed]:
    """What a function gives, and how long it took."""
    wall, processor = time.perf_counter(), time.process_time()
    value = function()
    return value, Timed(time.perf_counter() - wall, time.process_time() - processor)


def projected_patches(frames: Sequence[Path]) -> torch.Tensor:
    """Projections of all patches of frames, float32 [P, 128]."""
    backbone = load_backbone(DEFAULT, INPUT_SIZE)
    features = PatchFeatures(backbone)
    projection = random_projection(features.width)
    with Progress(console=_console) as bar:
        return torch.cat([features.of_frame(read_frame(frame)) @ projection for frame in bar.track(frames, total=None)])


def literal_steps(patches: torch.Tensor, steps: int) -> None:
    """The first steps of the algorithm word for word, with one product of all patches a step."""
    points = on_grid(patches)
    squares = points.square().sum(dim=1)
    nearest = torch.full((len(points),), torch.inf)
    farthest = torch.tensor(0)
    for _ in range(steps):
        reached = torch.addmv(squares, points, points[farthest], alpha=-2.0).add_(squares[farthest])
        torch.minimum(nearest, reached, out=nearest)
        farthest = nearest.argmax()


def measure(sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """All measurements as one JSON object."""
    frames = good_cells(photographs(), sizes[-1][0])
    patches, features_time = timed(lambda: projected_patches(frames))
    each = len(patches) // len(frames)
    rows = []
    for count, memory in sizes:
        _, spent = timed(functools.partial(greedy_coreset, patches[: count * each], memory))
        pairs = count * each * memory
        rows.append(
            {
                "frames": count,
                "patches": count * each,
                "memory": memory,
                **asdict(spent),
                "processor_ns_per_pair": spent.processor_s / pairs * 1e9,
            }
        )
    _, literal = timed(lambda: literal_steps(patches, LITERAL_STEPS))
    literal_s = literal.processor_s / LITERAL_STEPS * sizes[-1][1]
    return {
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "backbone": DEFAULT,
        "input_size": INPUT_SIZE,
        "sizes": rows,
        "features": asdict(features_time),
        "fit_of_the_largest": {
            "wall_s": features_time.wall_s + rows[-1]["wall_s"],
            "processor_s": features_time.processor_s + rows[-1]["processor_s"],
        },
        "literal_of_the_largest": {"measured_steps": LITERAL_STEPS, "processor_s": literal_s},
        "times_faster_than_literal": literal_s / rows[-1]["processor_s"],
    }


def print_table(report: dict[str, Any]) -> None:
    """The sizes as a table."""
    table = Table(title=f"Exact coreset, {report['threads']} thread(s), {report['processor']}")
    for heading in ("frames", "patches", "memory", "seconds", "processor seconds", "ns a pair"):
        table.add_column(heading, justify="right")
    for row in report["sizes"]:
        table.add_row(
            f"{row['frames']}",
            f"{row['patches']:,}",
            f"{row['memory']:,}",
            f"{row['wall_s']:.1f}",
            f"{row['processor_s']:.1f}",
            f"{row['processor_ns_per_pair']:.2f}",
        )
    _console.print(table)
    whole = report["fit_of_the_largest"]
    _console.print(f"with features: {whole['wall_s']:.1f} s ({whole['processor_s']:.1f} processor seconds)")
    _console.print(f"{report['times_faster_than_literal']:.0f} times faster than all patches at each step")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS / "coreset.json", help="where the JSON goes")
    arguments = parser.parse_args()
    report = measure(SIZES)
    with whole_file(arguments.output) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print_table(report)


if __name__ == "__main__":
    main()
