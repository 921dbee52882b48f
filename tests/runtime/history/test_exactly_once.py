"""Every frame that entered is on record exactly once, though the station is killed at random moments."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from history.killed_station import verdict_of
from history.made_frames import OpenHistory, make_frame, until, write_down

from nand_edge.inspection import Verdict
from nand_edge_runtime.history import OpenedHistory, Query
from nand_edge_runtime.station.frames import FrameKey
from nand_edge_runtime.station.records import FrameRecord, Reason

pytestmark = [
    pytest.mark.station,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, so that a station begins within milliseconds"),
]

KILLS = int(os.environ.get("NAND_EDGE_KILLS", "6"))
"""How often the station is killed; more of it with NAND_EDGE_KILLS=100."""

HERE = Path(__file__).parent


@pytest.fixture
def stations() -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join([str(HERE.parent), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, str(HERE / "killed_station.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    yield process
    process.communicate()


def run_and_kill(stations: subprocess.Popen[str], folder: Path, run: str, ledger: Path, after_bytes: int) -> None:
    """Kill a station once it has written so much into its ledger, in whatever it does then."""
    assert stations.stdin is not None
    assert stations.stdout is not None
    stations.stdin.write(f"{folder}\t{run}\t{ledger}\n")
    stations.stdin.flush()
    process = int(stations.stdout.readline())
    before = ledger.stat().st_size if ledger.exists() else 0
    until(lambda: after_bytes == 0 or (ledger.exists() and ledger.stat().st_size > before + after_bytes), 10.0)
    time.sleep(np.random.default_rng().uniform(0.0, 0.03))
    os.kill(process, signal.SIGKILL)
    assert stations.stdout.readline() == "ended\n"


def written_in(ledger: Path) -> tuple[set[FrameKey], set[FrameKey]]:
    """The frames of which the ledger says that they entered, and that they got their verdict."""
    entered: set[FrameKey] = set()
    decided: set[FrameKey] = set()
    for line in ledger.read_text().splitlines():
        what, run, camera, number = line.split()
        (entered if what == "entered" else decided).add(FrameKey(run, camera, int(number)))
    return entered, decided


def test_kill_9_at_random_moments(tmp_path: Path, stations: subprocess.Popen[str], open_history: OpenHistory) -> None:
    ledger = tmp_path / "ledger"
    moments = np.random.default_rng()
    runs = [f"run-{kill}" for kill in range(KILLS)]
    for run in runs:
        run_and_kill(
            stations,
            tmp_path / "state",
            run,
            ledger,
            int(moments.choice([0, moments.integers(1, 60_000)], p=[0.15, 0.85])),
        )
    last = open_history("last", folder=tmp_path / "state")
    assert last.flushed(30.0)
    entered, decided = written_in(ledger)
    assert len(entered) > 10 * KILLS, "they wrote down a lot"
    records: dict[FrameKey, FrameRecord] = {}
    times: Counter[FrameKey] = Counter()
    for page in last.pages(Query(limit=5000)):
        records |= {record.key: record for record in page}
        times.update(record.key for record in page)

    assert set(times.values()) == {1}, "no frame twice"
    assert entered <= records.keys(), "no frame missing"
    unwritten = Counter((key.run, key.camera) for key in records.keys() - entered)
    assert set(unwritten.values()) <= {1}, "beyond the ledger only the frame in whose call the station was killed"
    for key, record in records.items():
        if record.reason is Reason.KILLED:
            assert record.verdict is Verdict.REJECT
            assert key not in decided
        else:
            assert (record.verdict, record.reason) == (verdict_of(key.number), Reason.INSPECTED)
    killed = [record for record in records.values() if record.reason is Reason.KILLED]
    assert len(killed) <= 5 * len(runs) * 2, "no more than what was in flight"
    assert {change.what for change in last.audits(limit=1000)} <= {f"began {run}" for run in runs}
    assert max(Counter(change.what for change in last.audits(limit=1000)).values()) == 1


def test_what_was_in_flight_is_a_reject_from_the_next_start_on(open_history: OpenHistory) -> None:
    first = open_history("run-1")
    first.entered(make_frame(0, position=12.5, dropped_before=3))
    first.stop(5.0)  # without a verdict: nobody but a kill leaves it so
    with_it = open_history("run-2")
    assert with_it.flushed(5.0)
    (record,) = with_it.find(Query())
    assert (record.verdict, record.reason) == (Verdict.REJECT, Reason.KILLED)
    assert (record.name, record.position, record.dropped_before) == ("top-0.png", 12.5, 3)
    assert record.score is None


def test_what_the_database_lacks_after_a_crash_is_told_and_taken_over(
    tmp_path: Path, open_history: OpenHistory
) -> None:
    history = open_history("run-1")
    write_down(history, make_frame(0))
    assert history.flushed(5.0)
    history._keeper.stop(5.0)  # as if it were killed now: what follows is in the journal alone
    write_down(history, make_frame(1))
    history._journal.close()
    opened = OpenedHistory(tmp_path)
    assert (opened.count(Query())["frames"], opened.waiting()) == (1, 2)
    opened.close()
    again = open_history("run-2")
    assert again.flushed(5.0)
    assert again.count(Query())["frames"] == 2
