"""A station under load: several sources at once, how many frames it inspects, and how long verdicts take."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from nand_benchmarks.line.book import Book, Recorded
from nand_benchmarks.line.processes import free_port
from nand_benchmarks.line.station_process import StationProcess
from nand_benchmarks.line.trial import percentile
from nand_benchmarks.variants import Variant, run_build
from nand_edge.errors import NandEdgeError

_SETTLE_S = 2.0
_DROPPED = "nand_edge_dropped_frames_total"


@dataclass(frozen=True)
class Loaded:
    """What came of a load.

    Attributes:
        engine: In words.
        given: Frames that the sources gave: those on record, and those that were dropped for newer ones.
        recorded: Frames on record.
        inspected: Frames that were inspected.
        late: Verdicts that came after their deadline and are no rejects: there must be none.
        reasons: How often each reason.
        total_ms: From frame to verdict of inspected frames, percentiles 50, 90, 99 and the longest.
        seconds: How long it was watched.
    """

    engine: str
    given: int
    recorded: int
    inspected: int
    late: int
    reasons: dict[str, int]
    total_ms: dict[str, float]
    seconds: float

    @property
    def inspected_share(self) -> float:
        """Share of all frames that were inspected."""
        return self.inspected / self.given if self.given else 0.0

    def to_json(self) -> dict[str, Any]:
        """The figures for the results."""
        return {**vars(self), "inspected_share": round(self.inspected_share, 4)}


def run_load(
    bundle: Path,
    folder: Path,
    pictures: Iterable[Path],
    *,
    sources: int,
    per_second: float,
    seconds: float,
    deadline_ms: float = 100.0,
    engine: Mapping[str, Any] | None = None,
) -> Loaded:
    """Let free-running sources give frames for a while.

    Args:
        bundle: What inspects them.
        folder: An empty folder.
        pictures: What the sources give, again and again.
        sources: How many.
        per_second: Frames a second of each.
        seconds: How long.
        deadline_ms: From frame to verdict.
        engine: Engine settings.
    """
    video = write_video(folder / "frames.avi", pictures)
    cameras = [
        {
            "name": f"camera {number + 1}", "source": str(video), "kind": "video", "loop": True, "policy": "latest",
            "frames_per_second": per_second, "deadline_ms": deadline_ms,
        }
        for number in range(sources)
    ]  # fmt: skip
    document = {
        "name": "load",
        "bundle": str(bundle),
        "engine": dict(engine or {}),
        "camera": cameras,
        "web": {"port": (port := free_port())},
    }
    station = StationProcess(folder, document, port=port)
    try:
        station.start(120)
        engine_in_words = station.engine()
        time.sleep(_SETTLE_S)
        # What was on record or dropped before is the warming up.
        before = station.metric(_DROPPED)
        began = time.time()
        time.sleep(seconds)
        ended = time.time()
        dropped = station.metric(_DROPPED) - before
        time.sleep(_SETTLE_S)
    finally:
        station.stop()
    records = [record for record in Book(station.state_folder).records() if began <= record.timestamp < ended]
    return _summary(engine_in_words, records, int(dropped), deadline_ms, ended - began)


def with_int8(bundle: Path, folder: Path, frames: Path) -> Path:
    """A copy of a bundle with an int8 engine, as a line makes one that needs the speed; `auto` may choose it then.

    Args:
        bundle: The bundle.
        folder: Where the copy goes.
        frames: Good frames, on which the engine is calibrated and its loss is measured.

    Raises:
        NandEdgeError: It cannot be built.
    """
    copy = folder / bundle.name
    shutil.copytree(bundle, copy)
    failure = run_build(copy, Variant("onnx", "int8"), frames)
    if failure:
        raise NandEdgeError(
            "the load's int8 engine", found=failure, needed="one that is built", do="run `nand-edge build`"
        )
    return copy


def write_video(path: Path, pictures: Iterable[Path]) -> Path:
    """A video of pictures of one size."""
    writer: cv2.VideoWriter | None = None
    for picture in pictures:
        image = cv2.imread(str(picture))
        if image is None:
            raise ValueError(f"{picture} is no picture")
        if writer is None:
            height, width = image.shape[:2]
            code = cv2.VideoWriter.fourcc(*"MJPG")
            writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, 30, (width, height))
            # A coarser JPEG moves scores over a threshold that was chosen on frames without any.
            writer.set(cv2.VIDEOWRITER_PROP_QUALITY, 100)
        writer.write(image)
    if writer is None:
        raise ValueError("no pictures")
    writer.release()
    return path


def mostly_good(good: Sequence[Path], others: Sequence[Path]) -> list[Path]:
    """Pictures in their order, every twentieth of them one of the others."""
    return [others[number // 20 % len(others)] if number % 20 == 0 else picture for number, picture in enumerate(good)]


def _summary(engine: str, records: list[Recorded], dropped: int, deadline_ms: float, seconds: float) -> Loaded:
    totals = [(record, float(json.loads(record.latency_ms)["total"])) for record in records]
    inspected = [total for record, total in totals if record.reason == "inspected"]
    return Loaded(
        engine=engine,
        given=len(records) + dropped,
        recorded=len(records),
        inspected=len(inspected),
        late=sum(total > deadline_ms and record.verdict != "reject" for record, total in totals),
        reasons=dict(Counter(record.reason for record in records)),
        total_ms={
            **{f"p{percent}": round(percentile(inspected, percent), 2) for percent in (50, 90, 99)},
            "longest": round(max(inspected, default=float("nan")), 2),
        },
        seconds=round(seconds, 1),
    )
