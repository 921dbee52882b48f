"""What another process prints is in the log, in lines that a person can read and not too many."""

from __future__ import annotations

import logging
import os

import pytest

from nand_edge_runtime.engine_process.output_log import OutputLog


def read(content: bytes, caplog: pytest.LogCaptureFixture) -> tuple[list[str], str]:
    """The lines of the log, and the last words, after a process printed this and ended."""
    near, far = os.pipe()
    with caplog.at_level(logging.WARNING):
        log = OutputLog(os.fdopen(near, "rb"), "engine process")
        with os.fdopen(far, "wb") as printing:
            printing.write(content)
        last = log.last_words(5.0)
    return caplog.messages, last


def test_every_line_with_words_is_one_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    lines, last = read(b"first\n\n  \nsecond\nno end of line", caplog)
    assert lines == [f"engine process: {line}" for line in ("first", "second", "no end of line")]
    assert last == "no end of line"


def test_a_line_is_cut_and_bytes_are_made_readable(caplog: pytest.LogCaptureFixture) -> None:
    lines, _ = read(b"\xff\xfe" + b"x" * 100_000 + b"\nnext\n", caplog)
    assert lines[0].startswith("engine process: \ufffd\ufffdxxx")
    assert all(len(line) <= 520 for line in lines)
    assert lines[-1] == "engine process: next"


def test_a_flood_is_stopped(caplog: pytest.LogCaptureFixture) -> None:
    lines, last = read(b"again and again\n" * 5000 + b"the end\n", caplog)
    assert len(lines) == 50
    assert last == "the end", "what it died of is known all the same"
