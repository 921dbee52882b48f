"""Histories that are stopped when their test ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from history.made_frames import OpenHistory

from nand_edge_runtime.history import History, HistorySettings
from nand_edge_runtime.station.hub import Hub


@pytest.fixture
def settings() -> HistorySettings:
    """Quick to write, and no pictures."""
    return HistorySettings(write_every_s=0.02, picture_rejects=False, picture_suppressed=False, picture_passes_every=0)


@pytest.fixture
def open_history(tmp_path: Path, settings: HistorySettings) -> Iterator[OpenHistory]:
    """Starts a history of the station `cells` in a state folder; another run has another name."""
    opened: list[History] = []

    def start(run: str = "run-1", *, folder: Path = tmp_path, hub: Hub | None = None, **changed: Any) -> History:
        changed_settings = HistorySettings.model_validate({**settings.model_dump(), **changed})
        history = History(changed_settings, folder=folder, hub=hub or Hub(), station="cells", run=run)
        opened.append(history)
        history.start()
        return history

    yield start
    for history in opened:
        history.stop(5.0)
