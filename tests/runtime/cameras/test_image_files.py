"""Image files: their size is known before they are decoded, and one that is not whole is a frame with a fault."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pace import within

from nand_edge.images import SUFFIXES
from nand_edge_runtime.cameras.image_files import take_file, whole_on_disk
from nand_edge_runtime.cameras.image_header import HEAD_BYTES, TAIL_BYTES, image_size, is_cut, is_whole

Picture = Callable[..., bytes]


def written(suffix: str, width: int, height: int) -> bytes:
    return cv2.imencode(suffix, np.zeros((height, width, 3), np.uint8))[1].tobytes()


def huge_png(width: int, height: int) -> bytes:
    """A header that announces more pixels than any memory holds, as a kilobyte."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@given(st.sampled_from(SUFFIXES), st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_the_header_tells_the_size_that_decoding_gives(suffix: str, width: int, height: int) -> None:
    content = written(suffix, width, height)
    assert image_size(content) == (width, height)
    assert is_whole(content[:HEAD_BYTES], content[-TAIL_BYTES:], len(content)) in (True, None)
    assert not is_cut(content)


@given(st.sampled_from(SUFFIXES), st.binary(max_size=64), st.integers(0, 400))
@settings(max_examples=100, deadline=None)
def test_no_header_however_damaged_raises(suffix: str, noise: bytes, place: int) -> None:
    content = bytearray(written(suffix, 40, 30))
    content[place : place + len(noise)] = noise
    size = image_size(bytes(content[: max(place, 4)] + noise))
    assert size is None or len(size) == 2
    image_size(bytes(content))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_a_file_that_was_cut_short_is_a_fault(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"part{suffix}"
    content = cv2.imencode(suffix, np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8))[1].tobytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert whole_on_disk(path) is False
    assert "cut short" in take_file(path, 64).fault
    path.write_bytes(content)
    assert whole_on_disk(path) is True
    taken = take_file(path, 64)
    assert taken.fault == ""
    assert taken.image.shape == (60, 80, 3)


def test_what_another_program_appends_to_a_jpeg_is_no_matter(tmp_path: Path, picture: Picture) -> None:
    path = tmp_path / "part.jpg"
    path.write_bytes(picture(90, ".jpg") + b"\0\0 written by camera software 3.1")
    assert take_file(path, 64).fault == ""


def test_four_gigapixels_are_refused_by_their_header(tmp_path: Path) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(huge_png(65_536, 65_536))
    with within(1.0):
        taken = take_file(path, 64)
        assert taken.fault == "found 65536 x 65536 pixels, needed at most 64 megapixels"
        assert taken.image.shape == (1, 1, 3)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "part.bmp"
    with path.open("wb") as stream:
        stream.truncate(8 << 30)
    assert "needed at most" in take_file(path, 64).fault


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_what_is_no_image_is_a_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "part.png"
    path.write_bytes(content)
    assert take_file(path, 64).fault != ""


@pytest.mark.skipif(os.name == "nt", reason="no links and pipes there")
def test_a_link_is_not_followed_and_a_pipe_is_not_waited_for(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "secret.png").write_bytes(picture(50))
    (tmp_path / "link.png").symlink_to(tmp_path / "secret.png")
    assert take_file(tmp_path / "link.png", 64).fault != ""
    os.mkfifo(tmp_path / "pipe.png")
    taken = []
    reader = threading.Thread(target=lambda: taken.append(take_file(tmp_path / "pipe.png", 64)), daemon=True)
    reader.start()
    reader.join(5.0)
    assert taken[0].fault == "found something that is no file, needed an image file"
