"""The demo's stages: a line with the time of each, on the terminal and in the transcript."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from solar_cells.stages import Stages


@pytest.mark.parametrize("terminal", [True, False])
def test_every_stage_leaves_a_line_with_its_time_and_what_it_found(terminal: bool) -> None:  # noqa: FBT001
    shown, transcript = io.StringIO(), io.StringIO()
    stages = Stages(Console(file=shown, force_terminal=terminal, width=90), Console(file=transcript, width=90))
    with stages.stage("fit", "Fit the detector", total=2) as stage:
        stage.phase("features")
        stage.step()
        stage.step(2, 2)
        stage.found = "threshold 0.5"
    assert list(stages.rounded()) == ["fit"]
    for text in (shown.getvalue(), transcript.getvalue()):
        assert "Fit the detector" in text
        assert "threshold 0.5" in text
    # Bars are for people; a log gets the lines alone.
    assert ("features" in shown.getvalue()) is terminal
    assert "features" not in transcript.getvalue()


def test_a_stage_that_fails_leaves_no_line_and_no_time() -> None:
    transcript = io.StringIO()
    silent = Console(file=io.StringIO())
    stages = Stages(silent, Console(file=transcript))
    with pytest.raises(ValueError, match="no frames"), stages.stage("fit", "Fit the detector"):
        raise ValueError("no frames")
    assert stages.seconds == {}
    assert transcript.getvalue() == ""
