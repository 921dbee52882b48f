from __future__ import annotations

import pytest

from nand_edge.compute_capability import file_name, parse_capabilities, recorded, runs_on
from nand_edge.errors import NandEdgeError


def test_several_are_put_in_order_and_counted_once() -> None:
    assert parse_capabilities("12.0, 8.6,8.9,8.6") == ("8.6", "8.9", "12.0")


@pytest.mark.parametrize("text", ["", "8", "8.6,", "sm86", "08.6", "8.6.1"])
def test_what_is_no_capability_is_refused(text: str) -> None:
    with pytest.raises(NandEdgeError, match=r"needed a number such as 8\.6"):
        parse_capabilities(text)


@pytest.mark.parametrize(
    ("record", "devices", "others"),
    [
        ("8.6", ["8.6"], ["8.0", "8.9"]),
        ("8.6,12.0", ["8.6", "12.0"], ["8.9", "12.1", "2.0"]),
        ("8.0+", ["8.0", "8.6", "10.0", "12.1"], ["7.5"]),
        ("", ["7.5", "12.1"], []),
    ],
)
def test_an_engine_runs_on_what_it_was_built_for(record: str, devices: list[str], others: list[str]) -> None:
    assert [runs_on(record, device) for device in devices + others] == [True] * len(devices) + [False] * len(others)


def test_a_record_names_its_file() -> None:
    names = [file_name(recorded(("8.6",))), file_name(recorded(("8.6", "12.0"))), file_name("8.0+")]
    assert names == ["sm86", "sm86-sm120", "sm80-and-later"]
