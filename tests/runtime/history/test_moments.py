"""People say when in their own words."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.history.moments import moment_of

pytestmark = pytest.mark.station

NOW = datetime(2026, 11, 27, 18, 30)  # noqa: DTZ001 - local, as people type


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-26", datetime(2026, 11, 26)),  # noqa: DTZ001
        ("2026-11-26T06:00", datetime(2026, 11, 26, 6)),  # noqa: DTZ001
        (" 06:00 ", datetime(2026, 11, 27, 6)),  # noqa: DTZ001
        ("today", datetime(2026, 11, 27)),  # noqa: DTZ001
        ("Yesterday", datetime(2026, 11, 26)),  # noqa: DTZ001
        ("now", NOW),
        ("90s", NOW - timedelta(seconds=90)),
        ("15 min ago", NOW - timedelta(minutes=15)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5 h ago", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("1W", NOW - timedelta(weeks=1)),
    ],
)
def test_moments(text: str, meant: datetime) -> None:
    assert moment_of(text, NOW) == meant.timestamp()


def test_a_zone_that_is_named_counts() -> None:
    assert moment_of("1970-01-01T01:00:00+01:00") == 0.0
    assert moment_of("1970-01-01T00:00:10Z") == 10.0


@given(st.text(max_size=30))
def test_anything_else_is_a_sentence(text: str) -> None:
    with suppress(NandEdgeError):
        assert isinstance(moment_of(text, NOW), float)


@pytest.mark.parametrize("text", ["", "soon", "2h later", "-2h", "2026-13-01", "25:00", "0000-01-01"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(NandEdgeError, match="needed a time such as"):
        moment_of(text, NOW)
