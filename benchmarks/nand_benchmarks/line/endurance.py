"""Very many frames through a station: whether its processes' memory and open files stay as they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nand_benchmarks.line.parts import Part, picture
from nand_benchmarks.line.processes import free_port
from nand_benchmarks.line.station_process import FRAMES, StationProcess

_LOOK_S = 0.5


@dataclass(frozen=True)
class Memory:
    """What the processes of a station held, over time.

    Attributes:
        frames: Frames on record at the end.
        seconds: How long it took.
        resident_mb: For each process, the mean of the first and of the last tenth, MB.
        files: For each process, open files in the first and in the last tenth, the median.
        most_files: The same, the most seen at once: a picture or a journal that is just written is one.
    """

    frames: int
    seconds: float
    resident_mb: dict[str, tuple[float, float]]
    files: dict[str, tuple[int, int]]
    most_files: dict[str, tuple[int, int]]

    @property
    def most_growth_mb(self) -> float:
        """Of the process that grew most: last minus first tenth."""
        return max(last - first for first, last in self.resident_mb.values())

    @property
    def more_files(self) -> int:
        """Of the process that opened most: the median of the last minus that of the first tenth."""
        return max(last - first for first, last in self.files.values())

    def to_json(self) -> dict[str, Any]:
        """The figures for the results."""
        return {**vars(self), "most_growth_mb": round(self.most_growth_mb, 2), "more_files": self.more_files}


def run_endurance(
    bundle: Path, folder: Path, *, frames: int, per_second: float, on_frames: Callable[[int], None] = lambda _: None
) -> Memory:
    """Let so many frames through at a steady pace, and look at memory and open files all the time.

    Args:
        bundle: A fast one, so that it takes minutes.
        folder: An empty folder.
        frames: How many.
        per_second: How many a second.
        on_frames: Told how many there were so far.
    """
    document = {
        "name": "endurance",
        "bundle": str(bundle),
        "engine": {"threads": 1},
        "camera": [
            {
                "name": "camera", "source": str(write_pictures(folder / "pictures")), "kind": "folder", "loop": True,
                "frames_per_second": per_second, "queue": 32, "deadline_ms": 1000,
            }
        ],
        "web": {"port": (port := free_port())},
    }  # fmt: skip
    station = StationProcess(folder, document, port=port)
    samples: list[tuple[int, dict[int, tuple[float, int]]]] = []
    began = time.monotonic()
    try:
        station.start(120)
        count = 0
        while count < frames:
            time.sleep(_LOOK_S)
            count = int(station.metric(FRAMES))
            samples.append((count, {pid: _held(pid) for pid in station.processes()}))
            on_frames(min(count, frames))
        names = {station.pid: "station", **{pid: _short(command) for pid, command in station.children().items()}}
    finally:
        station.stop()
    return _memory(samples, names, round(time.monotonic() - began, 1))


def _memory(
    samples: list[tuple[int, dict[int, tuple[float, int]]]], names: Mapping[int, str], seconds: float
) -> Memory:
    total = samples[-1][0]
    first = [held for count, held in samples if count <= total * 0.1] or [samples[0][1]]
    last = [held for count, held in samples if count >= total * 0.9]
    resident, files, most_files = {}, {}, {}
    for pid, name in names.items():
        pair = [[held[pid] for held in tenth if pid in held] for tenth in (first, last)]
        if all(pair):
            label = name if name not in resident else f"{name} {pid}"
            resident[label] = tuple(round(float(np.mean([memory for memory, _ in tenth])), 2) for tenth in pair)
            files[label] = tuple(int(np.median([count for _, count in tenth])) for tenth in pair)
            most_files[label] = tuple(max(count for _, count in tenth) for tenth in pair)
    return Memory(total, seconds, resident, files, most_files)  # type: ignore[arg-type]  # each has two


def _held(pid: int) -> tuple[float, int]:
    """Resident memory in MB, and open files."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * 4096 / 1e6, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except (OSError, IndexError):
        return 0.0, 0


def _short(command: str) -> str:
    return next((word for word in ("engine", "camera", "rehearsal") if word in command), "process")


def write_pictures(folder: Path) -> Path:
    """A folder of small pictures of good parts, one bad part in fifty."""
    folder.mkdir(parents=True)
    for number in range(200):
        part = Part.BAD if number % 50 == 0 else Part.GOOD
        cv2.imwrite(str(folder / f"{part.value}-{number:07d}.jpg"), picture(part, number)[::2, ::2])
    return folder
