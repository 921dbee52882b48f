"""What all GenICam cameras share: pixel formats, the gaps in a camera's numbers, and the software trigger."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.cameras import CameraSettings
from nand_edge_runtime.cameras.genicam_numbers import FrameNumbers, never_came
from nand_edge_runtime.cameras.genicam_pixels import FORMATS, PixelFormat, format_of, to_image
from nand_edge_runtime.cameras.genicam_trigger import SoftwareTrigger

BY_NAME = {known.name: known for known in FORMATS}

# Blue, green and red of three plain parts: pure colours tell at once when two channels change places.
COLOURS = np.zeros((24, 36, 3), np.uint8)
COLOURS[:, :12], COLOURS[:, 12:24], COLOURS[:, 24:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
_CHANNEL = {"B": 0, "G": 1, "R": 2}


def mosaic(bgr: np.ndarray, order: str) -> np.ndarray:
    """What a sensor with this mosaic sees: `order` names the first two pixels of the first line."""
    second = {"RG": "GB", "GR": "BG", "GB": "RG", "BG": "GR"}[order]
    seen = np.zeros(bgr.shape[:2], np.uint8)
    for row, letters in enumerate((order, second)):
        for column, letter in enumerate(letters):
            seen[row::2, column::2] = bgr[row::2, column::2, _CHANNEL[letter]]
    return seen


@pytest.mark.parametrize("order", ["RG", "GR", "GB", "BG"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_a_bayer_mosaic_keeps_its_colours(order: str, bits: int) -> None:
    seen = mosaic(COLOURS, order)
    data = seen.tobytes() if bits == 8 else (seen.astype("<u2") << (bits - 8)).tobytes()
    image = to_image(data, BY_NAME[f"Bayer{order}{bits}"], 36, 24)
    for column in (6, 18, 30):
        assert image[12, column].tolist() == COLOURS[12, column].tolist()


@pytest.mark.parametrize(
    ("name", "code"),
    [("RGB8", cv2.COLOR_BGR2RGB), ("BGR8", None), ("RGBa8", cv2.COLOR_BGR2RGBA), ("BGRa8", cv2.COLOR_BGR2BGRA)],
)
def test_colours_come_as_bgr(name: str, code: int | None) -> None:
    sent = COLOURS if code is None else cv2.cvtColor(COLOURS, code)
    assert np.array_equal(to_image(sent.tobytes(), BY_NAME[name], 36, 24), COLOURS)


@pytest.mark.parametrize(("name", "luma"), [("YUV422_8_UYVY", 1), ("YUV422_8", 0)])
def test_yuv_comes_as_bgr(name: str, luma: int) -> None:
    sent = np.full((4, 8, 2), 128, np.uint8)
    sent[:, :, luma] = 235
    assert np.ptp(to_image(sent.tobytes(), BY_NAME[name], 8, 4)) == 0
    assert to_image(sent.tobytes(), BY_NAME[name], 8, 4)[0, 0, 0] > 250, "white"


@given(
    st.sampled_from(["Mono8", "Mono10", "Mono12", "Mono14", "Mono16"]),
    arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(0, 5), st.binary(max_size=7),
)  # fmt: skip
def test_grey_is_what_was_sent_whatever_lies_around_it(
    name: str, grey: NDArray[np.uint8], padding: int, behind: bytes
) -> None:
    pixels = BY_NAME[name]
    height, width = grey.shape
    words = grey if pixels.bits == 8 else grey.astype("<u2") << (pixels.bits - 8)
    sent = b"".join(line.tobytes() + b"\xa5" * padding for line in words) + behind
    assert np.array_equal(to_image(sent, pixels, width, height, padding), grey)


@given(st.sampled_from(FORMATS), st.integers(0, 6), st.integers(0, 6), st.integers(0, 3), st.binary(max_size=200))
def test_a_buffer_of_any_size_gives_an_image_or_a_sentence(
    pixels: PixelFormat, width: int, height: int, padding: int, data: bytes
) -> None:
    width += width % 2 if pixels.channels == 2 else 0  # two pixels of YUV share their colour
    needed = (pixels.bytes_of(width, 1) + padding) * height
    if width and height and len(data) >= needed:
        assert to_image(data, pixels, width, height, padding).shape[:2] == (height, width)
    else:
        with pytest.raises(ValueError, match=f"{len(data)} bytes for {width} x {height} pixels"):
            to_image(data, pixels, width, height, padding)


def test_formats_are_known_by_the_number_of_the_standard() -> None:
    assert format_of(0x01080001) == BY_NAME["Mono8"]
    assert format_of(0x0108000B) == BY_NAME["BayerBG8"]
    assert format_of(0x01100013) == BY_NAME["BayerBG12"]
    assert format_of(0x010C0047) is None, "Mono12p is packed"
    assert len({known.code for known in FORMATS}) == len(FORMATS)


@given(st.integers(1, 65_535), st.lists(st.integers(0, 300), max_size=60))
def test_each_gap_in_the_numbers_of_gige_vision_is_found_over_the_wrap_too(first: int, lost: list[int]) -> None:
    numbers = FrameNumbers()
    assert numbers.missing_before(first) == 0
    number = first
    for missing in lost:
        number += missing + 1
        wrapped = (number - 1) % 65_535 + 1
        assert numbers.missing_before(wrapped) == missing


@given(st.integers(1, 65_535), st.lists(st.sampled_from(["came", "incomplete", "lost"]), max_size=80))
def test_whatever_becomes_of_frames_each_that_is_over_is_counted_once(first: int, fates: list[str]) -> None:
    numbers = FrameNumbers()
    numbers.missing_before(first)
    incomplete = missing = 0
    for number, fate in enumerate([*fates, "came"], start=first + 1):
        if fate == "came":
            missing += numbers.missing_before((number - 1) % 65_535 + 1)
        elif fate == "incomplete":
            numbers.came_unnumbered()
            incomplete += 1
    assert incomplete == fates.count("incomplete")
    assert missing == fates.count("lost")


def test_numbers_of_64_bits_do_not_wrap_and_a_camera_may_begin_anew() -> None:
    numbers = FrameNumbers()
    assert [numbers.missing_before(number) for number in (65_534, 65_535, 65_536, 65_538)] == [0, 0, 0, 1]
    assert numbers.missing_before(0) == 0, "it was started again"
    assert numbers.missing_before(2) == 1


@pytest.mark.parametrize(("missing", "rejects"), [(0, 0), (3, 3), (256, 256), (100_000, 1)])
def test_a_frame_that_never_came_is_a_reject(missing: int, rejects: int) -> None:
    frames = list(never_came("", missing))
    assert len(frames) == rejects
    assert all("never came" in frame.fault for frame in frames)
    if rejects == 1:
        assert frames[0].fault == "100000 frames that the camera took never came"


def trigger(**settings: object) -> SoftwareTrigger:
    given = {"name": "belt", "source": "first", "kind": "aravis", "trigger": "software", **settings}
    return SoftwareTrigger(CameraSettings.model_validate(given))


def test_a_software_trigger_keeps_its_pace() -> None:
    pace = trigger(frames_per_second=10)
    pulled = []
    for millisecond in range(100_000, 101_000):
        now = millisecond / 1000
        if pace.is_due(now):
            pace.pulled(now)
            pulled.append(millisecond)
            pace.came()
    assert len(pulled) == 10
    assert all(99 <= later - earlier <= 101 for earlier, later in pairwise(pulled))


def test_a_software_trigger_waits_for_its_frame_and_gives_it_up_in_the_end() -> None:
    pace = trigger(frames_per_second=10, read_timeout_s=2)
    pace.pulled(100.0)
    assert not pace.is_due(101.5)
    assert not pace.gave_up(101.5)
    assert pace.wait_s(101.5) == 0.5
    assert pace.gave_up(102.0)
    assert not pace.gave_up(102.1), "once"
    assert pace.is_due(102.1)


def test_a_software_trigger_without_a_pace_is_refused() -> None:
    with pytest.raises(NandEdgeError, match="give frames_per_second"):
        trigger()
