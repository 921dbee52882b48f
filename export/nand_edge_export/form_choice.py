"""The form that a user asks for: steps beyond the paper, the frames for them, and the report card that goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.images import list_images, read_frame
from nand_edge.normality import Normality
from nand_edge.region import Region, make_region, size_of_frames
from nand_edge_export.clip import Clip, ClipEncoder
from nand_edge_export.detectors.protocol import Progress, no_progress
from nand_edge_export.forms.calibrated import with_calibration
from nand_edge_export.forms.contrast import with_contrast
from nand_edge_export.forms.few_shot import Shot, with_shots
from nand_edge_export.forms.report_card import Line, report_card
from nand_edge_export.forms.tokens import FrameTokens, frame_tokens


@dataclass(frozen=True)
class FormWish:
    """What a user wants beyond the words.

    Attributes:
        contrast: Whether the generic damaged states are a further class.
        keep: Defects that must still be rejected, in words; they bring the contrast with them.
        shots: Frames that show what is to be normal.
        calibrate: Whether good frames shall be quiet.
        good: Folder of good frames; few shots and calibration need it.
        compare: Further folders for the report card.
    """

    contrast: bool = False
    keep: tuple[str, ...] = ()
    shots: tuple[Shot, ...] = ()
    calibrate: bool = False
    good: Path | None = None
    compare: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        for option, wanted in (("--shot", bool(self.shots)), ("--calibrate", self.calibrate)):
            if wanted and self.good is None:
                raise NandEdgeError(option, found="it without --good", needed="good frames too", do="add --good FOLDER")

    @property
    def needs_encoder(self) -> bool:
        """Whether frames are to be looked at."""
        return self.good is not None or bool(self.compare)


def find_shots(paths: Sequence[Path], boxes: Sequence[str]) -> tuple[Shot, ...]:
    """Frames with their boxes, given in the same order.

    Raises:
        NandEdgeError: A frame cannot be read, or the boxes are not as many as the frames.
    """
    if boxes and len(boxes) != len(paths):
        raise NandEdgeError(
            "--box",
            found=f"{len(boxes)} for {len(paths)} frames",
            needed="one for each --shot, in the same order, or none",
            do="add or leave out boxes",
        )
    places: Sequence[str | None] = boxes or [None] * len(paths)
    return tuple(Shot(path, _box(path, place)) for path, place in zip(paths, places, strict=True))


def _box(path: Path, text: str | None) -> Region | None:
    return make_region(rectangle=text, frame_size=size_of_frames([read_frame(path)]))


def shape(
    normality: Normality,
    clip: Clip,
    wish: FormWish,
    encoder: ClipEncoder | None,
    *,
    logit_scale: float | None = None,
    progress: Progress = no_progress,
) -> tuple[Normality, dict[str, Line]]:
    """Give a normality the wished form, and measure it on the frames at hand.

    Args:
        normality: In the paper's form.
        clip: The CLIP that embedded it.
        wish: The form.
        encoder: The image encoder that frames go through; only needed where the wish looks at frames.
        logit_scale: Factor of the cosine; None for the projections' own.
        progress: Told about every frame.

    Returns:
        The normality, and its report card by folder, empty where no frames are at hand.

    Raises:
        NandEdgeError: A step cannot be done.
    """
    if wish.contrast or wish.keep:
        normality = with_contrast(normality, clip, keep=wish.keep)
    if encoder is None or not wish.needs_encoder:
        return normality, {}
    folders = _encode(wish, encoder, logit_scale, progress)
    good = folders.get(str(wish.good))
    if wish.shots and good is not None:
        paths = [shot.path for shot in wish.shots]
        shots = frame_tokens(encoder, paths, logit_scale=logit_scale, progress=progress)
        normality = with_shots(normality, wish.shots, shots, good)
    if wish.calibrate and good is not None:
        normality = with_calibration(normality, good)
    return normality, report_card(normality, folders)


def _encode(
    wish: FormWish, encoder: ClipEncoder, logit_scale: float | None, progress: Progress
) -> Mapping[str, FrameTokens]:
    folders = dict.fromkeys(folder for folder in (wish.good, *wish.compare) if folder is not None)
    return {
        str(folder): frame_tokens(encoder, list_images(folder), logit_scale=logit_scale, progress=progress)
        for folder in folders
    }
