"""Complaints name the line."""

from __future__ import annotations

from nand_edge_runtime.station.toml_lines import line_of, lines_of

TEXT = """\
name = "line 3"   # a comment

[engine]
target = "onnx"

[[camera]]
name = "top"
[camera.line_scan]
tile = 256

[[camera]]
name = "side"
"quoted key" = 1
gate.delay_ms = 5
"""


def test_every_key_has_its_line() -> None:
    lines = lines_of(TEXT)
    assert lines["name",] == 1
    assert lines["engine", "target"] == 4
    assert lines["camera", 0, "name"] == 7
    assert lines["camera", 0, "line_scan", "tile"] == 9
    assert lines["camera", 1, "name"] == 12
    assert lines["camera", 1, "quoted key"] == 13
    assert lines["camera", 1, "gate", "delay_ms"] == 14


def test_what_is_missing_is_complained_of_where_its_table_begins() -> None:
    lines = lines_of(TEXT)
    assert line_of(lines, ("camera", 1, "source")) == 11
    assert line_of(lines, ("engine", "target", "deeper")) == 4
    assert line_of(lines, ("camera",)) == 6, "of an array of tables, its first"
    assert line_of(lines, ("bundle",)) is None
