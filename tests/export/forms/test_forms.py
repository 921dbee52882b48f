"""The forms on drawn cells: contrast, few shots and calibration, each measured by what it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from nand_edge.errors import NandEdgeError
from nand_edge.normality import Normality, read_normality, stack, write_normality
from nand_edge.region import make_region
from nand_edge_export.clip import Clip, ClipEncoder
from nand_edge_export.forms.calibrated import TARGET, fit, with_calibration
from nand_edge_export.forms.contrast import with_contrast
from nand_edge_export.forms.few_shot import Shot, with_shots
from nand_edge_export.forms.report_card import report_card, suppression_maps
from nand_edge_export.forms.tokens import FrameTokens, frame_tokens
from nand_edge_export.normality import make_normality
from nand_tiny.scene import make_scene

Draw = Callable[[str, Sequence[str], int], list[Path]]
SURFACE = "cell with thin bars"


@pytest.fixture(scope="module")
def draw(tmp_path_factory: pytest.TempPathFactory) -> Draw:
    """Draws frames of one surface with the given kinds of defects; its own seeds for every name."""

    def drawn(name: str, kinds: Sequence[str], count: int) -> list[Path]:
        folder = tmp_path_factory.mktemp(name)
        for index in range(count):
            scene = make_scene(sum(map(ord, name)), index, surfaces=(SURFACE,), kinds=tuple(kinds))
            cv2.imwrite(str(folder / f"{index:02}.png"), cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR))
        return sorted(folder.iterdir())

    return drawn


@pytest.fixture(scope="module")
def good(draw: Draw, encoder: ClipEncoder) -> FrameTokens:
    return frame_tokens(encoder, draw("good", (), 24))


@pytest.fixture(scope="module")
def stained(draw: Draw, encoder: ClipEncoder) -> FrameTokens:
    return frame_tokens(encoder, draw("stained", ("stain",), 12))


@pytest.fixture(scope="module")
def stain(clip: Clip) -> Normality:
    return make_normality(clip, "dark stain", "solar cell", name="stain")


def test_contrast_takes_suppression_from_defects_that_must_be_kept(
    clip: Clip, stain: Normality, draw: Draw, encoder: ClipEncoder, stained: FrameTokens
) -> None:
    cracked = frame_tokens(encoder, draw("cracked", ("crack",), 12))
    contrasted = with_contrast(stain, clip, keep=("crack",))
    assert contrasted.form == "contrast"
    assert suppression_maps(contrasted, cracked).mean() < suppression_maps(stain, cracked).mean()
    assert suppression_maps(contrasted, stained).max() > 0.5
    # More classes can only take probability away.
    assert np.all(suppression_maps(contrasted, stained) <= suppression_maps(stain, stained) + 1e-5)


def test_contrast_refuses_to_keep_what_is_to_be_normal(clip: Clip, stain: Normality) -> None:
    with pytest.raises(NandEdgeError, match="differs"):
        with_contrast(stain, clip, keep=("dark stain",))


def test_a_calibrated_normality_is_quiet_on_the_good_frames_it_saw(stain: Normality, good: FrameTokens) -> None:
    loud = make_loud(stain, good)
    calibrated = with_calibration(loud, good)
    peaks = suppression_maps(calibrated, good).max(axis=(1, 2))
    assert np.quantile(suppression_maps(loud, good).max(axis=(1, 2)), 0.95) > TARGET
    assert np.quantile(peaks, 0.95) <= TARGET + 0.01
    assert calibrated.form == "calibrated"
    assert calibrated.encoder == good.encoder


def make_loud(normality: Normality, good: FrameTokens) -> Normality:
    """The same words with log-odds raised until good frames are not quiet any more."""
    highest = max(float(tap.max(axis=1).mean()) for tap in good.log_odds(normality))
    bias = normality.bias.copy()
    bias[:, 1] += 1.0 - highest
    return Normality(**{**vars(normality), "bias": bias, "encoder": good.encoder})


def test_a_quiet_normality_is_left_as_it_is() -> None:
    assert fit(np.full(20, -4.0, np.float32)) == (1.0, 0.0)


def test_the_scale_is_raised_where_the_bias_alone_leaves_typical_frames_loud() -> None:
    close = np.linspace(0.9, 1.0, 40, dtype=np.float32)
    apart = np.linspace(-9.0, 1.0, 40, dtype=np.float32)
    assert fit(close)[0] > 1.0
    assert fit(apart)[0] == 1.0
    scale, bias = fit(close)
    assert 1 / (1 + np.exp(-(scale * np.quantile(close, 0.95) + bias))) == pytest.approx(TARGET)


def test_calibration_wants_enough_good_frames(stain: Normality, draw: Draw, encoder: ClipEncoder) -> None:
    with pytest.raises(NandEdgeError, match="good frames"):
        with_calibration(stain, frame_tokens(encoder, draw("few", (), 3)))


def test_one_frame_teaches_what_the_words_do_not_say(
    clip: Clip, draw: Draw, encoder: ClipEncoder, good: FrameTokens
) -> None:
    """The words are empty of meaning; the box says it."""
    paths = draw("threads", ("thread",), 8)
    vague = make_normality(clip, "irregularity", "solar cell", name="vague")
    scene = make_scene(sum(map(ord, "threads")), 0, surfaces=(SURFACE,), kinds=("thread",))
    rows, columns = np.nonzero(scene.masks["thread"])
    side = len(scene.image)
    x, y = columns.min() / side, rows.min() / side
    box = make_region(rectangle=f"{x},{y},{columns.max() / side - x},{rows.max() / side - y}")
    taught = with_shots(vague, [Shot(paths[0], box)], frame_tokens(encoder, paths[:1]), good)
    unseen = frame_tokens(encoder, paths[1:])
    card = report_card(taught, {"threads": unseen, "good": good})
    assert taught.form == "few-shot-1"
    assert card["threads"].median_peak > card["good"].median_peak


def test_a_frame_without_what_the_words_say_needs_a_box(
    stain: Normality, draw: Draw, encoder: ClipEncoder, good: FrameTokens
) -> None:
    paths = draw("clean", (), 1)
    silent = Normality(**{**vars(stain), "bias": stain.bias - np.array([[[0.0], [50.0]]], np.float32)})
    silent = Normality(**{**vars(silent), "encoder": good.encoder})
    with pytest.raises(NandEdgeError, match="no place that looks like"):
        with_shots(silent, [Shot(paths[0])], frame_tokens(encoder, paths), good)


def test_more_than_five_frames_are_refused(stain: Normality, stained: FrameTokens, good: FrameTokens) -> None:
    with pytest.raises(NandEdgeError, match="1 to 5"):
        with_shots(stain, [Shot(Path("a.png"))] * 6, stained, good)


def test_forms_join_and_survive_their_file(
    clip: Clip, stain: Normality, stained: FrameTokens, good: FrameTokens, tmp_path: Path
) -> None:
    shots = [Shot(Path("a.png")), Shot(Path("b.png"))]
    tokens = FrameTokens(stained.encoder, stained.grids, tuple(tap[:2] for tap in stained.taps))
    contrasted = with_contrast(stain, clip, keep=("crack",))
    joint = with_calibration(with_shots(contrasted, shots, tokens, good), good)
    assert joint.form == "contrast+few-shot-2+calibrated"
    write_normality(joint, tmp_path / "stain.normality")
    read = read_normality(tmp_path / "stain.normality")
    assert read.encoder == good.encoder
    for written, found in zip(stack([joint], 2), stack([read], 2), strict=True):
        np.testing.assert_array_equal(written, found)


def test_the_report_card_tells_folders_apart(stain: Normality, good: FrameTokens, stained: FrameTokens) -> None:
    card = report_card(stain, {"good": good, "stained": stained})
    assert card["stained"].median_peak > 0.5 > card["good"].median_peak
    assert card["good"].quiet > card["stained"].quiet
    assert card["stained"].to_json()["frames"] == 12
