"""Stations that only write down: started one after another by a line on stdin, to be ended by kill -9.

A line is a state folder, a run and a ledger. The answer is the process, and `ended` when it is gone. The process that
answers has imported everything already, so that a station begins within milliseconds.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from pathlib import Path

from history.made_frames import make_decided, make_frame

from nand_edge.inspection import Verdict
from nand_edge_runtime.history import History, HistorySettings
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Changed, Hub

IN_FLIGHT = 3


def verdict_of(number: int) -> Verdict:
    """What a frame of this number gets."""
    return Verdict.REJECT if number % 5 == 0 else Verdict.PASS


def write_down_for_ever(folder: str, run: str, ledger: str) -> None:
    """Let frames of two cameras enter and get verdicts as fast as that goes, each in a ledger when it is done."""
    settings = HistorySettings(write_every_s=0.01, picture_rejects=False, picture_passes_every=0)
    history = History(settings, folder=Path(folder), hub=Hub(), station="cells", run=run)
    history.start()
    history.audit(Changed("somebody", f"began {run}"))
    book = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def work(camera: str) -> None:
        waiting: deque[CameraFrame] = deque()
        for number in range(10**9):
            frame = make_frame(number, camera, run)
            history.entered(frame)
            os.write(book, f"entered {run} {camera} {number}\n".encode())
            waiting.append(frame)
            if len(waiting) > IN_FLIGHT:
                done = waiting.popleft()
                history.decided(make_decided(done, verdict_of(done.key.number)))
                os.write(book, f"decided {run} {camera} {done.key.number}\n".encode())

    threads = [threading.Thread(target=work, args=(camera,), daemon=True) for camera in ("top", "side")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Start what is asked for, one at a time."""
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            write_down_for_ever(*line.rstrip("\n").split("\t"))
            os._exit(0)
        print(process, flush=True)
        os.waitpid(process, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main()
