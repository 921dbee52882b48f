"""An inspector as the line runs it, in a process of its own: what the other sides are compared with."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from nand_benchmarks.frames import FRAME, Frame, make_contrasts
from nand_edge.inspection import Inspection
from nand_edge_runtime import Inspector
from nand_edge_runtime.latency import measure

_OPEN, _SHUT = -1e30, 1e30
_CANDIDATES = 24


class Inspecting:
    """One bundle in one engine.

    Args:
        options: `bundle`, `target`, `precision`, `threads`, and perhaps `size`, height and width of the frames.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        started = time.perf_counter()
        self._inspector = Inspector(
            options["bundle"],
            target=options["target"],
            precision=options["precision"],
            threads=options["threads"],
        )
        self.about = {"device": self._inspector.device, "load_s": round(time.perf_counter() - started, 3)}
        self._size = tuple(options.get("size", FRAME))
        self._benign, self._suspicious, self._between = self._sorted_frames()
        self._frames: list[Frame] = []

    def ready(self, work: dict[str, Any]) -> None:
        """Lay out the batch: suspicious frames among benign ones, or any frames with the gate as it is told."""
        batch = work.get("batch", 1)
        if "suspicious" in work:
            count = work["suspicious"]
            self._frames = [self._suspicious] * count + [self._benign] * (batch - count)
            self._inspector.threshold = self._between
        else:
            self._frames = [self._benign, self._suspicious] * (batch // 2) + [self._suspicious] * (batch % 2)
            self._inspector.threshold = _SHUT if work.get("gate") == "shut" else _OPEN

    def run(self, work: dict[str, Any]) -> list[Inspection]:
        """Frame, or batch, to verdicts."""
        if work.get("batch", 1) == 1:
            return [self._inspector.inspect(self._frames[0])]
        return self._inspector.inspect_batch(self._frames)

    def check(self, work: dict[str, Any], inspections: list[Inspection]) -> str:
        """What is wrong: the gate did not do what the measurement needs."""
        expected = work["suspicious"] if "suspicious" in work else 0 if work.get("gate") == "shut" else len(inspections)
        found = sum(inspection.clip_ran for inspection in inspections)
        return "" if found == expected else f"{found} of {len(inspections)} frames went through CLIP, not {expected}"

    def final_map(self, file: str) -> None:
        """Write the final map of the first frame of contrasts, gate open, as a .npy file."""
        self._inspector.threshold = _OPEN
        np.save(file, self._inspector.inspect(make_contrasts(1, self._size)[0]).anomaly_map)

    def set_normalities(self, files: list[str]) -> None:
        """Change the normalities in force."""
        self._inspector.set_normalities([Path(file) for file in files])

    def change_times(self, files: list[str], repeats: int) -> dict[str, Any]:
        """Milliseconds that changing the normalities takes between frames, and what the frames went through.

        Args:
            files: Normalities that are put in force by turns with none and with the bundle's own.
            repeats: How many changes.
        """
        choices: list[list[Path] | None] = [[Path(file) for file in files], [], None]
        self.ready({"gate": "open"})
        times, judged, session = [], [], self._session()
        for change in range(repeats):
            started = time.perf_counter()
            self._inspector.set_normalities(choices[change % len(choices)])
            times.append((time.perf_counter() - started) * 1e3)
            judged.append(self.run({})[0].index)
        lost = judged[-1] - judged[0] + 1 - len(judged)
        return {"ms": times, "lost_frames": lost, "new_sessions": int(self._session() != session)}

    def cameras(self, threads: int, frames: int) -> dict[str, float]:
        """Several cameras share the inspector, each with a thread that always has a frame ready.

        Args:
            threads: How many cameras.
            frames: Frames of all of them together.

        Returns:
            `ms`, time a frame of all cameras together, and `wait_ms`, the median of what a frame waited and took.
        """
        from concurrent.futures import ThreadPoolExecutor

        self.ready({"gate": "open"})
        each = max(frames // threads, 1)

        def camera(_: int) -> list[float]:
            return list(measure(lambda: self.run({}), warmup=1, repeats=each).milliseconds)

        started = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            waits = [wait for camera_waits in pool.map(camera, range(threads)) for wait in camera_waits]
        spent = (time.perf_counter() - started) * 1e3
        return {"ms": spent / (threads * (each + 1)), "wait_ms": float(np.median(waits))}

    def _session(self) -> int:
        return id(self._inspector._backend)  # noqa: SLF001 - what must stay the same has no public name

    def _sorted_frames(self) -> tuple[Frame, Frame, float]:
        """A benign frame, a suspicious one, and a threshold between their base scores."""
        candidates = make_contrasts(_CANDIDATES, (self._size[0], self._size[1]))
        self._inspector.threshold = _SHUT
        scores = [self._inspector.inspect(frame).base_score for frame in candidates]
        lowest, highest = int(np.argmin(scores)), int(np.argmax(scores))
        return candidates[lowest], candidates[highest], (scores[lowest] + scores[highest]) / 2
