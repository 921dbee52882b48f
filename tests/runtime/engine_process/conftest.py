"""Engines on the toy bundle, real processes all of them, and frames to give to them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nand_edge.bundle import open_bundle
from nand_edge.normality import Normality
from nand_edge_runtime.engine_process import Engine, EngineSettings, open_engine_process
from nand_edge_runtime.station.frames import CameraFrame, FrameKey
from nand_edge_runtime.station.states import PartStatus

OpenEngine = Callable[..., Engine]
MakeFrame = Callable[..., CameraFrame]


class Told(list[PartStatus]):
    """What an engine said of its changes."""

    def wait_for(self, wanted: Callable[[PartStatus], bool], timeout_s: float = 10.0) -> PartStatus:
        """The first status that is wanted; fails when there is none in time."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for status in list(self):
                if wanted(status):
                    return status
            time.sleep(0.005)
        raise AssertionError(f"not told in {timeout_s} s, only {list(self)}")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(scope="session")
def words(toy_bundle: Path) -> dict[str, Normality]:
    """The toy bundle's normalities."""
    bundle = open_bundle(toy_bundle)
    return {record.name: bundle.normality(record.name) for record in bundle.manifest.normalities}


@pytest.fixture
def open_engine(toy_bundle: Path, words: dict[str, Normality], told: Told) -> Iterator[OpenEngine]:
    """Opens and starts an engine: `open_engine(isolated=..., normalities=..., threshold=..., **settings)`."""
    opened: list[Engine] = []

    def make(
        folder: Path | None = None,
        normalities: tuple[str, ...] = ("bright",),
        threshold: float = 0.5,
        **settings: object,
    ) -> Engine:
        engine = open_engine_process(
            folder or toy_bundle,
            EngineSettings.model_validate({"threads": 1, **settings}),
            normalities=[words[name] for name in normalities],
            threshold=threshold,
            on_change=told.append,
        )
        opened.append(engine)
        engine.start(30.0)
        return engine

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture(scope="module", params=[True, False], ids=["own process", "this process"])
def shared_engine(request: pytest.FixtureRequest, toy_bundle: Path) -> Iterator[Engine]:
    """One engine for tests that do it no harm, in a process of its own and in this one."""
    settings = EngineSettings(threads=1, max_frame_megabytes=1, isolated=request.param)
    opened = open_engine_process(toy_bundle, settings, normalities=[], threshold=0.5, on_change=lambda _status: None)
    opened.start(30.0)
    yield opened
    opened.close()


@pytest.fixture
def engine(shared_engine: Engine, words: dict[str, Normality]) -> Engine:
    """The shared engine, `bright` in force with the threshold 0.5."""
    shared_engine.put_in_force([words["bright"]], 0.5)
    return shared_engine


@pytest.fixture
def make_frame() -> MakeFrame:
    """Makes a frame of one grey value, or of a picture."""
    numbers = count()

    def make(
        grey: int = 100, *, size: tuple[int, int] = (48, 64), image: NDArray[np.uint8] | None = None
    ) -> CameraFrame:
        number = next(numbers)
        picture = np.full((*size, 3), grey, np.uint8) if image is None else image
        key = FrameKey("run", "top", number)
        return CameraFrame(key, picture, f"top#{number}", time.monotonic(), 1000.0 + number)

    return make
