"""The other end of `children.py`: makes one subject, then does what the pipe says, one thing at a time.

It runs in environments that lack this project, such as that of anomalib, so it imports nothing of it by itself.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from nand_benchmarks.energy import energy_meter

SUBJECTS = {
    "inspector": "nand_benchmarks.ours:Inspecting",
    "two-models": "nand_benchmarks.peers.pytorch:TwoPyTorchModels",
    "unfused": "nand_benchmarks.peers.unfused:UnfusedSessions",
    "anomalib-torch": "nand_benchmarks.peers.anomalib_patchcore:AnomalibTorch",
    "anomalib-openvino": "nand_benchmarks.peers.anomalib_patchcore:AnomalibOpenVINO",
    "anomavision-onnx": "nand_benchmarks.peers.anomavision_padim:AnomaVisionOnnx",
    "peak": "nand_benchmarks.peak:Peak",
}
"""Where each kind is; its constructor takes the options, `ready(work)` prepares, `run(work)` is timed and
`check(work, result)` says what is wrong with a result, or nothing."""


def main() -> None:
    """Serve until the pipe closes."""
    answers = _answers()
    kind, options = sys.argv[1], json.loads(sys.argv[2])
    try:
        _use_cores(options["threads"])
        module, _, name = SUBJECTS[kind].partition(":")
        subject: Any = getattr(importlib.import_module(module), name)(options)
        _say(answers, {"about": getattr(subject, "about", kind)})
        for line in sys.stdin:
            _say(answers, _do(subject, json.loads(line)))
    except Exception as error:  # noqa: BLE001 - the parent says it in a table
        _say(answers, {"error": f"{type(error).__name__}: {error}"[:600]})


def _do(subject: Any, message: dict[str, Any]) -> dict[str, Any]:
    if message["do"] == "memory":
        return {"mib": _peak_memory_mib()}
    if message["do"] == "call":
        return {"value": getattr(subject, message["method"])(**message["arguments"])}
    work, repeats = message["work"], message["repeats"]
    subject.ready(work)
    for _ in range(message["discard"]):
        wrong = subject.check(work, subject.run(work))
        if wrong:
            raise ValueError(wrong)
    meter = energy_meter()
    meter.start()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subject.run(work)
        times.append((time.perf_counter() - started) * 1e3)
    joules = meter.joules()
    return {"ms": times, "joules": None if joules is None or not repeats else joules / repeats}


def _answers() -> TextIO:
    """The pipe to the parent; what libraries print goes to stderr instead."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


def _say(pipe: TextIO, answer: dict[str, Any]) -> None:
    pipe.write(json.dumps(answer) + "\n")
    pipe.flush()


def _use_cores(threads: int) -> None:
    """Keep to as many cores as there are threads: the same ones for every subject."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _peak_memory_mib() -> float | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024


if __name__ == "__main__":
    main()
