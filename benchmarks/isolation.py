"""Measure what an engine in a process of its own costs, and how soon it is back after that process is killed.

Frames of noise go through an inspector in this process and through an engine in a process of its own, ten by turns,
with the same threads: below the threshold, where only the base detector runs, and above it, where the CLIP branch runs
too. They lie where a camera's frames are put, in memory that both processes share. What a processor takes to wake two
idle processes is measured beside it: that much no engine in another process is without. Then the process is killed at
random moments while frames flow.

Writes `isolation.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from nand_edge.files import whole_file
from nand_edge_runtime import Inspector
from nand_edge_runtime.engine_process import Engine, EngineFailure, EngineSettings, open_engine_process
from nand_edge_runtime.latency import Latency
from nand_edge_runtime.machine import processor_name
from nand_edge_runtime.station.frames import CameraFrame, FrameKey

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
_SIZES = {"640 x 480": (480, 640, 3), "1,920 x 1,080": (1080, 1920, 3)}
_SHUT, _OPEN = 1e30, -1e30
_SETTLED = 0.1
"""Share of the frames after which neither memory nor open files may grow."""
_IN_A_ROW = 10
"""Frames before the other way has its turn."""
_KILL_AFTER_S = (0.0, 0.3)
_TIMEOUT_S = 5.0
_TIME = struct.Struct("d")
_ECHO = """
import socket, struct, sys, time
connection = socket.socket(fileno=int(sys.argv[1]))
while connection.recv(1):
    came = time.perf_counter()
    while time.perf_counter() - came < 0.01:
        pass
    connection.send(struct.pack("d", time.perf_counter() - came))
"""
_NO_FRAME = 0.0005
"""Pause after a frame that was not judged, seconds: a line's frames come no faster."""


@dataclass(frozen=True)
class Way:
    """One way of judging frames.

    Attributes:
        took: Seconds a frame.
        outside: The same without the time within the engine, which varies most.
    """

    took: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class ByTurns:
    """The same frames both ways.

    Attributes:
        here: In this process.
        own: In a process of its own.
    """

    here: Way = field(default_factory=Way)
    own: Way = field(default_factory=Way)

    def difference(self, percent: float) -> float:
        """Milliseconds that the other process adds to a frame, pair by pair."""
        return float(np.percentile(np.subtract(self.own.took, self.here.took), percent)) * 1e3

    def outside_the_engine(self, percent: float) -> float:
        """Milliseconds that it adds outside the engine."""
        return float(np.percentile(np.subtract(self.own.outside, self.here.outside), percent)) * 1e3

    def percentile(self, percent: float) -> tuple[float, float]:
        """Milliseconds a frame, in this process and in a process of its own."""
        here, own = (float(np.percentile(way.took, percent)) * 1e3 for way in (self.here, self.own))
        return here, own


@dataclass(frozen=True)
class Steady:
    """What must not grow, after a tenth of the frames and after all.

    Attributes:
        memory_mib: Resident memory of this process and of the engine's.
        files: Open files of both.
    """

    memory_mib: tuple[tuple[float, float], tuple[float, float]]
    files: tuple[tuple[int, int], tuple[int, int]]


class Line:
    """Gives frames, each with an identity of its own, to an engine."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._image, self._number = image, 0

    def frame(self) -> CameraFrame:
        """The next frame."""
        self._number += 1
        key = FrameKey("benchmark", "camera", self._number)
        return CameraFrame(key, self._image, str(self._number), time.monotonic(), time.time())


def by_turns(inspector: Inspector, engine: Engine, line: Line, frames: int, progress: Progress) -> ByTurns:
    """Judge frames both ways, some in a row as on a line; which way comes first changes from row to row."""
    turns = ByTurns()
    task = progress.add_task("by turns", total=frames)
    for row in range(-(-frames // _IN_A_ROW)):
        for way in (turns.here, turns.own) if row % 2 else (turns.own, turns.here):
            for _ in range(_IN_A_ROW):
                frame = line.frame()
                started = time.perf_counter()
                if way is turns.here:
                    inspection = inspector.inspect(frame.image)
                else:
                    (inspection,) = engine.inspect([frame], timeout_s=_TIMEOUT_S)
                took = time.perf_counter() - started
                way.took.append(took)
                way.outside.append(took - inspection.latency_ms["engine"] / 1e3)
        progress.advance(task, _IN_A_ROW)
    progress.remove_task(task)
    return turns


def wake_ups(inspector: Inspector, line: Line, times: int, progress: Progress) -> list[float]:
    """What two processes take that do nothing but wake each other, one byte there and one time back, seconds."""
    near, far = socket.socketpair()
    command = [sys.executable, "-c", _ECHO, str(far.fileno())]
    took = []
    # The socket is closed first, whatever happens, and that ends the other process, which is waited for.
    with subprocess.Popen(command, pass_fds=[far.fileno()]), near:  # noqa: S603 - our own interpreter
        far.close()
        for _ in progress.track(range(times), description="waking up"):
            # As between two frames: the caches hold other things, and the other process sleeps.
            inspector.inspect(line.frame().image)
            started = time.perf_counter()
            near.sendall(b"1")
            (busy,) = _TIME.unpack(near.recv(_TIME.size))
            took.append(time.perf_counter() - started - busy)
    return took


def steady(engine: Engine, line: Line, frames: int, progress: Progress) -> Steady:
    """Judge many frames and look at memory and open files."""
    seen = []
    task = progress.add_task("memory", total=frames)
    for number in range(frames):
        engine.inspect([line.frame()], timeout_s=_TIMEOUT_S)
        if number + 1 in (int(frames * _SETTLED), frames):
            processes = (os.getpid(), int(engine.status().facts["pid"]))
            seen.append([(_resident_mib(pid), _open_files(pid)) for pid in processes])
        progress.advance(task)
    progress.remove_task(task)
    memory = tuple(tuple(each[place][0] for each in seen) for place in range(2))
    files = tuple(tuple(each[place][1] for each in seen) for place in range(2))
    return Steady(memory, files)  # type: ignore[arg-type]  # two looks at two processes


def recoveries(engine: Engine, line: Line, times: int, progress: Progress) -> tuple[list[float], list[float]]:
    """Kill the process while frames flow.

    Returns:
        Seconds from each kill to the next frame that was judged, and how long the longest answer took in each round.
    """
    seconds, longest = [], []
    moment = random.Random(0)  # noqa: S311 - moments of a benchmark, nothing secret
    for _ in progress.track(range(times), description="killed"):
        killed: list[float] = []
        pid = int(engine.status().facts["pid"])
        killer = threading.Timer(moment.uniform(*_KILL_AFTER_S), _kill, (pid, killed))
        killer.start()
        slowest, back = 0.0, None
        while back is None:
            started = time.perf_counter()
            try:
                engine.inspect([line.frame()], timeout_s=_TIMEOUT_S)
                judged = time.perf_counter()
                if killed and started > killed[0]:
                    back = judged - killed[0]
            except EngineFailure:
                judged = time.perf_counter()
                time.sleep(_NO_FRAME)
            slowest = max(slowest, judged - started)
        killer.join()
        seconds.append(back)
        longest.append(slowest)
    return seconds, longest


def _kill(pid: int, killed: list[float]) -> None:
    os.kill(pid, signal.SIGKILL)
    killed.append(time.perf_counter())


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), 2)


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names alone are wanted


def document(
    turns: dict[str, ByTurns],
    *,
    woken: list[float],
    growth: Steady,
    frames: int,
    killed: tuple[list[float], list[float]],
    threads: int | None,
) -> dict[str, Any]:
    """The result: a table for documents, and all figures."""
    woken_ms = {f"p{percent}": round(float(np.percentile(woken, percent)) * 1e3, 4) for percent in (50, 90, 99)}
    rows = []
    for what, each in turns.items():
        here, own = each.percentile(50)
        added = (each.difference(50), each.difference(99), each.outside_the_engine(50))
        rows.append([what, *(f"{milliseconds:.2f} ms" for milliseconds in (here, own, *added))])
    back = Latency(tuple(seconds * 1e3 for seconds in killed[0]))
    (here_before, here_after), (own_before, own_after) = growth.memory_mib
    return {
        "columns": [
            "one frame",
            "in the same process, p50",
            "in its own, p50",
            "it adds, p50",
            "it adds, p99",
            "of that outside the engine, p50",
        ],
        "rows": rows,
        "note": (
            f"{_IN_A_ROW} frames by turns within one run, {threads or 'all'} threads for each; frames lie in memory "
            f"that both processes share, where a camera's are put. Two idle processes that do nothing but wake each "
            f"other, one byte there and one time back, take {woken_ms['p50']:.2f} ms here (p50). After "
            f"{int(frames * _SETTLED):,} and after {frames:,} frames the station's process holds {here_before:.1f} and "
            f"{here_after:.1f} MiB and "
            f"{' and '.join(map(str, growth.files[0]))} open files, the engine's {own_before:.1f} and {own_after:.1f} "
            f"MiB and {' and '.join(map(str, growth.files[1]))}. Killed {len(killed[0])} times at random moments, it "
            f"judged frames again after {back.percentile(50) / 1e3:.2f} s (p50), {max(killed[0]):.2f} s at most. "
            f"{processor_name()}."
        ),
        "figures": {
            "added_ms": {
                what: {f"p{percent}": round(each.difference(percent), 4) for percent in (50, 90, 99)}
                for what, each in turns.items()
            },
            "frame_ms": {
                what: {f"p{percent}": [round(value, 4) for value in each.percentile(percent)] for percent in (50, 99)}
                for what, each in turns.items()
            },
            "added_outside_the_engine_ms": {
                what: {f"p{percent}": round(each.outside_the_engine(percent), 4) for percent in (50, 90, 99)}
                for what, each in turns.items()
            },
            "wake_ups_ms": woken_ms,
            "memory_mib": growth.memory_mib,
            "open_files": growth.files,
            "recovery_s": [round(seconds, 3) for seconds in killed[0]],
            "longest_answer_s": round(max(killed[1]), 3),
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=ROOT / "demo" / "solar-cell.nand", help="the bundle")
    parser.add_argument("--frames", type=int, default=1000, help="frames of each kind")
    parser.add_argument("--steady", type=int, default=10_000, help="frames over which nothing may grow")
    parser.add_argument("--kills", type=int, default=20, help="how often the process is killed")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads for one frame")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(arguments)
    settings = EngineSettings(threads=options.threads)
    noise = np.random.default_rng(0)
    with (
        Inspector(options.bundle, threads=settings.threads, spinning=settings.spinning) as inspector,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        inspector.region = replace(inspector.region, aspect=None)
        bundle = inspector.bundle
        normalities = [bundle.normality(name) for name in inspector.normalities]
        engine = open_engine_process(
            bundle.folder, settings, normalities=normalities, threshold=_SHUT, on_change=lambda _status: None
        )
        engine.start(_TIMEOUT_S * 10)
        memory = engine.frame_memory
        if memory is None:
            raise AssertionError("the engine has a process of its own")
        # Where a camera's frames are put: for both ways, so that what differs is the process alone.
        lines = {
            name: Line(memory.copy_of(noise.integers(0, 256, size, dtype=np.uint8))) for name, size in _SIZES.items()
        }
        try:
            turns = {}
            for name, line in lines.items():
                for threshold, what in ((_SHUT, "base detector alone"), (_OPEN, "with the words")):
                    inspector.threshold = threshold
                    engine.put_in_force(normalities, threshold)
                    by_turns(inspector, engine, line, max(options.frames // 20, 1), progress)
                    turns[f"{name}, {what}"] = by_turns(inspector, engine, line, options.frames, progress)
            woken = wake_ups(inspector, lines["640 x 480"], options.frames, progress)
            engine.put_in_force(normalities, _SHUT)
            growth = steady(engine, lines["640 x 480"], options.steady, progress)
            killed = recoveries(engine, lines["640 x 480"], options.kills, progress)
        finally:
            engine.close()
    result = document(turns, woken=woken, growth=growth, frames=options.steady, killed=killed, threads=options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    with whole_file(options.output / "isolation.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for row in result["rows"]:
        print("  ".join(row))
    print(result["note"])


if __name__ == "__main__":
    main()
