"""Measure a line-scan camera's side of a station: lines a second into tiles, verdicts into a roll's map, and reports.

Processor time is counted, so one core is meant. Grey lines of 2,048 pixels become tiles of 512 lines, with and without
flat-field correction, one by one and in blocks. A map takes in verdicts of tiles with regions. A roll of 10 km with
100,000 regions is written, read and reported. `--quick` measures little of each.

Writes `line-scan.json`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nand_edge.files import whole_file
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.cameras.protocol import Taken
from nand_edge_runtime.line_scan import LineScanSettings, TileMaker, TilePlace
from nand_edge_runtime.line_scan.open_roll import OpenRoll
from nand_edge_runtime.line_scan.region import Box, Region, Totals
from nand_edge_runtime.line_scan.report import write_report
from nand_edge_runtime.line_scan.roll_file import Header, RollFile
from nand_edge_runtime.machine import processor_name
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.records import inspected

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
_COLUMNS = 2048
_BLOCKS = (1, 8, 64)
_LINES_NEEDED = 20_000
_MAP = 256
_ROLL_MM, _WIDTH_MM = 1e7, 2000.0
_HEADER = Header("web", "roll", 0.0, 0.0, None, {})


def tile_maker_rates(folder: Path, lines: int) -> Iterator[tuple[str, float]]:
    """Lines a second of processor time, by what is done with them."""
    rng = np.random.default_rng(0)
    np.save(folder / "dark.npy", rng.uniform(2, 8, _COLUMNS))
    np.save(folder / "flat.npy", rng.uniform(120, 230, _COLUMNS))
    references = {"dark": folder / "dark.npy", "flat": folder / "flat.npy"}
    for words, given in (("as they are", {}), ("dark and flat-field corrected", references)):
        for height in _BLOCKS:
            settings = LineScanSettings(millimetres_per_line=0.1, millimetres_per_column=0.1, **given)
            block = rng.integers(0, 256, (height, _COLUMNS), dtype=np.uint8)
            how = "single lines" if height == 1 else f"blocks of {height} lines"
            yield f"{how}, {words}", _rate(TileMaker(settings, camera="web"), block, lines)


def _rate(maker: TileMaker, block: np.ndarray[Any, np.dtype[np.uint8]], lines: int) -> float:
    started = time.process_time()
    for number in range(lines // len(block)):
        maker.push(Taken(block, "", float(number), float(number)))
    return lines / (time.process_time() - started)


def map_rate(folder: Path, tiles: int, regions: int) -> float:
    """Tiles a second of processor time that the map of a roll takes in, each with so many regions."""
    settings = LineScanSettings(millimetres_per_line=0.1, millimetres_per_column=0.1)
    final = np.zeros((_MAP, _MAP), np.float32)
    rng = np.random.default_rng(0)
    for line, column in rng.integers(0, _MAP - 6, (regions, 2)):
        final[line : line + 6, column : column + 6] = 0.9
    maker = TileMaker(settings, camera="web")
    blank = np.zeros((settings.step, 64), np.uint8)
    made: list[Taken] = []
    while len(made) < tiles:
        made += maker.push(Taken(blank, "", 0.0, 0.0))
    roll = OpenRoll(folder / "roll.sqlite", _HEADER, settings)
    started = time.process_time()
    for number, tile in enumerate(made):
        frame = CameraFrame(FrameKey("run", "web", number), tile.image, tile.name, 0.0, 0.0)
        inspection = Inspection(
            frame=tile.name, index=number, timestamp=0.0, score=0.9, base_score=0.9, threshold=0.5,
            verdict=Verdict.REJECT, clip_ran=True, normalities=(), latency_ms={}, bundle="", anomaly_map=final,
            base_map=final, suppression_map=np.zeros_like(final),
        )  # fmt: skip
        place = TilePlace.of(tile.name)
        if place is not None:
            roll.tell(inspected(frame, inspection, normalities_sha256="", latency_ms={}), place, inspection)
    roll.end(1.0)
    return len(made) / (time.process_time() - started)


def report_seconds(folder: Path, regions: int) -> Iterator[tuple[str, float]]:
    """Seconds to write and to report a roll of 10 km with so many regions."""
    key, path = FrameKey("run", "web", 0), folder / "long.sqlite"
    places = np.random.default_rng(0).uniform((0, 0, 0.5), (_ROLL_MM, _WIDTH_MM, 1.0), (regions, 3)).tolist()
    listed = [
        Region(
            number, number % 10 == 0, box, along, across, 25.0, score, score, 0.5,
            (), 0.0, 1, (key,), key, 0.0, (0, 0, 9, 9), (box,),
        )
        for number, (along, across, score) in enumerate(places)
        for box in [Box(along, along + 5, across, across + 5)]
    ]  # fmt: skip
    started = time.process_time()
    file = RollFile(path, _HEADER)
    totals = Totals(regions=regions, length_mm=_ROLL_MM, width_mm=_WIDTH_MM)
    file.write(regions=listed, gone=(), stretches=(), totals=totals, begin_mm=0.0, at=1.0)
    file.end(1.0)
    yield "written", time.process_time() - started
    for suffix in (".html", ".pdf", ".json"):
        started = time.process_time()
        write_report(path, folder / f"long{suffix}", state_folder=folder, most=1000)
        yield f"read and reported as {suffix[1:].upper()}", time.process_time() - started


def document(
    rates: dict[str, float], maps: dict[int, float], seconds: dict[str, float], regions: int
) -> dict[str, Any]:
    """The result: a table for the documents, and all figures."""
    rows = [[how, f"{rate:,.0f} lines a second"] for how, rate in rates.items()]
    rows += [
        [f"map of a roll, {count} region{'s' * (count > 1)} a tile", f"{rate:,.0f} tiles a second"]
        for count, rate in maps.items()
    ]
    rows += [[f"10 km with {regions:,} regions {how}", f"{took:.1f} s"] for how, took in seconds.items()]
    return {
        "columns": ["what", "measured"],
        "rows": rows,
        "note": (
            f"Lines of {_COLUMNS:,} grey pixels into tiles of 512 lines; {_LINES_NEEDED:,} a second are to be kept up "
            f"with. Processor time: one core. {processor_name()}."
        ),
        "figures": {
            "lines_per_s": rates,
            "tiles_per_s": {str(each): rate for each, rate in maps.items()},
            "s": seconds,
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="measure little of each")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    lines, tiles, regions = (2_048, 20, 1_000) if options.quick else (100_000, 400, 100_000)
    with tempfile.TemporaryDirectory(prefix="nand-edge-line-scan-") as name:
        folder = Path(name)
        rates = dict(tile_maker_rates(folder, lines))
        maps = {}
        for count in (1, 20):
            (folder / str(count)).mkdir()
            maps[count] = map_rate(folder / str(count), tiles, count)
        result = document(rates, maps, dict(report_seconds(folder, regions)), regions)
    options.output.mkdir(parents=True, exist_ok=True)
    with whole_file(options.output / "line-scan.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for row in result["rows"]:
        print(": ".join(row))
    print(result["note"])


if __name__ == "__main__":
    main()
