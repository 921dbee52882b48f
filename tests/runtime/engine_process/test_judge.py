"""The inspector as engines use it: run once before it counts, and tried again after an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_bundle import write_toy_bundle

from nand_edge.errors import NandEdgeError
from nand_edge.region import make_region
from nand_edge_runtime.engine_process.judge import Judge, failure_of
from nand_edge_runtime.engine_process.judged_by import JudgedBy
from nand_edge_runtime.engine_process.settings import EngineSettings
from nand_edge_runtime.station.records import Reason

SETTINGS = EngineSettings(threads=1)
FRAME = np.zeros((12, 16, 3), np.uint8)


@pytest.mark.parametrize("shape", [None, (3, 20, 30, 3)], ids=["nobody knows the frames", "frames as before"])
def test_a_first_run_changes_nothing_that_is_in_force(shape: tuple[int, ...] | None, toy_bundle: Path) -> None:
    judge = Judge(toy_bundle, SETTINGS)
    judge.judge_by(JudgedBy(0, (), 0.25))
    judge.warm_up(shape)
    (inspection,) = judge.judge([FRAME])
    assert (inspection.threshold, inspection.clip_ran, judge.inspector.complete) == (0.25, False, False)
    judge.close()


def test_a_first_run_fits_the_region(tmp_path: Path) -> None:
    region = make_region(rectangle="0,0,10,10", frame_size=(1000, 10))
    judge = Judge(write_toy_bundle(tmp_path / "narrow.nand", region=region), SETTINGS)
    judge.warm_up(None)
    judge.close()
    assert not judge.still_works(), "a frame of the region's proportions went through, and now none does"


def test_an_engine_that_is_lost_is_found_out(toy_bundle: Path) -> None:
    judge = Judge(toy_bundle, SETTINGS)
    judge.judge([FRAME])
    assert judge.still_works()
    judge.close()
    assert judge.still_works(), "it looked less than a second ago"
    judge._tried -= 1.0
    assert not judge.still_works()


def test_an_engine_that_never_judged_a_frame_is_not_blamed_for_one(toy_bundle: Path) -> None:
    judge = Judge(toy_bundle, SETTINGS)
    judge.close()
    assert judge.still_works()


def test_what_a_user_can_mend_is_the_frames_fault_and_all_else_the_engines() -> None:
    refused = NandEdgeError("frame", found="a hole", needed="none", do="fill it")
    assert failure_of(refused) == (Reason.FRAME_REFUSED, "frame: found a hole, needed none; fill it.")
    assert failure_of(RuntimeError("out of order\nat line 7")) == (Reason.ENGINE_FAILED, "RuntimeError: out of order")
    assert failure_of(MemoryError()) == (Reason.ENGINE_FAILED, "MemoryError")
