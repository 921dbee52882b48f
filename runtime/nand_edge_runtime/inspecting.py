"""The loop over a source: every frame inspected, written where it was asked for, and counted."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from nand_edge.errors import NandEdgeError
from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.inspector import Inspector
from nand_edge_runtime.sources import Frame, Source

_REMEMBERED = 10_000


@dataclass
class Summary:
    """What a run over a source came to.

    Attributes:
        frames: Inspected frames.
        passed: Frames with the verdict `pass`, suppressed ones included.
        rejected: Frames with the verdict `reject`.
        suppressed: Frames that pass only because of a normality.
        clip_ran: Frames that went through the CLIP branch.
        skipped: Unreadable frames that were passed over.
        milliseconds: Total latency of each of the last `_REMEMBERED` frames: a line runs for months.
    """

    frames: int = 0
    passed: int = 0
    rejected: int = 0
    suppressed: int = 0
    clip_ran: int = 0
    skipped: int = 0
    milliseconds: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def add(self, inspection: Inspection) -> None:
        """Count one inspection."""
        self.frames += 1
        self.passed += inspection.verdict is Verdict.PASS
        self.rejected += inspection.verdict is Verdict.REJECT
        self.suppressed += inspection.suppressed
        self.clip_ran += inspection.clip_ran
        self.milliseconds.append(inspection.latency_ms["total"])

    @property
    def p50_ms(self) -> float | None:
        """Median latency of the last frames, milliseconds; None before the first frame."""
        return float(np.median(self.milliseconds)) if self.milliseconds else None

    def to_json(self) -> dict[str, Any]:
        """The summary as one JSON object."""
        return {
            "frames": self.frames,
            "pass": self.passed,
            "reject": self.rejected,
            "suppressed": self.suppressed,
            "clip_ran": self.clip_ran,
            "skipped": self.skipped,
            "p50_ms": None if self.p50_ms is None else round(self.p50_ms, 3),
        }


def inspect_source(
    inspector: Inspector,
    source: Source,
    on_inspection: Callable[[Frame, Inspection], None],
    *,
    limit: int | None = None,
    summary: Summary | None = None,
) -> Summary:
    """Inspect the frames of a source one by one.

    Args:
        inspector: Judges the frames.
        source: Gives them.
        on_inspection: Called after each frame, in order.
        limit: Stop after so many frames; None goes on to the source's end.
        summary: Counts in this one, so that the caller has it even when the loop is interrupted.

    Raises:
        NandEdgeError: A frame cannot be read or inspected.
    """
    summary = summary or Summary()
    for frame in islice(source, limit):
        inspection = inspector.inspect(frame.image, name=frame.name, index=frame.index, timestamp=frame.timestamp)
        summary.add(inspection)
        summary.skipped = source.skipped
        on_inspection(frame, inspection)
    summary.skipped = source.skipped
    return summary


@contextmanager
def jsonl_writer(path: Path | None) -> Iterator[Callable[[Inspection], None]]:
    """Give a function that writes an inspection as one line of JSON, at once, so that others can follow the file.

    With no path the function does nothing.

    Raises:
        NandEdgeError: The file cannot be written.
    """
    if path is None:
        yield lambda _: None
        return
    with _open_lines(path) as stream:
        yield lambda inspection: print(json.dumps(inspection.to_json(), ensure_ascii=False), file=stream)


def _open_lines(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise NandEdgeError(
            f"output {str(path)!r}",
            found=error.strerror or type(error).__name__,
            needed="a file that can be written",
            do="create its folder or choose another output",
        ) from None
