"""A stream of parts over HTTP: each comes out as it went in, with its length announced or not, and nothing grows."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nand_edge_runtime.cameras import CameraError
from nand_edge_runtime.cameras.mjpeg import MjpegStream

PARTS = st.lists(st.tuples(st.binary(max_size=200), st.booleans()), min_size=1, max_size=8)


def stream(content: bytes, *, max_bytes: int = 1000) -> MjpegStream:
    return MjpegStream(io.BytesIO(content), b"picture", max_bytes, "http://127.0.0.1/stream")


def part(content: bytes, *, announced: bool) -> bytes:
    length = b"content-length: %d\r\n" % len(content) if announced else b""
    return b"--picture\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + content + b"\r\n"


@given(PARTS)
def test_parts_come_out_as_they_went_in(parts: list[tuple[bytes, bool]]) -> None:
    opened = stream(b"".join(part(content, announced=announced) for content, announced in parts) + b"--picture--\r\n")
    assert [opened.read() for _ in parts] == [content for content, _ in parts]


@given(st.binary(max_size=5000))
def test_no_answer_however_odd_makes_more_than_a_camera_error(content: bytes) -> None:
    opened = stream(content)
    with suppress(CameraError):
        for _ in range(len(content) + 1):
            assert len(opened.read()) <= 10_000
        raise AssertionError("it never ends")


def test_what_stands_before_the_first_part_is_passed_over() -> None:
    assert stream(b"welcome\r\n\r\n" + part(b"jpeg", announced=True)).read() == b"jpeg"


def test_a_part_that_is_shorter_than_announced_costs_itself_and_the_next_at_most() -> None:
    wrong = b"--picture\r\nContent-Length: 10\r\n\r\nhalf\r\n"
    opened = stream(wrong + b"".join(part(content, announced=True) for content in (b"first", b"second", b"third")))
    assert opened.read().startswith(b"half")
    assert opened.read() in (b"first", b"second")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ended"),
        (b"--picture\r\nContent-Length: 4000\r\n\r\n", "announces a picture of 4000 bytes"),
        (b"--picture\r\nContent-Length: -1\r\n\r\n", "announces a picture of -1 bytes"),
        (b"--picture\r\nContent-Length: many\r\n\r\n", "broke off"),
        (b"--picture\r\n\r\n" + b"x\n" * 2000, "sends a picture of over 1000 bytes"),
        (b"--picture\r\n" + b"X: y\r\n" * 100, "headers without end"),
        (b"hello\n" * 1000, "sends no pictures"),
    ],
)
def test_what_is_no_stream_of_pictures_is_said_in_words(content: bytes, why: str) -> None:
    with pytest.raises(CameraError, match=why):
        stream(content).read()
