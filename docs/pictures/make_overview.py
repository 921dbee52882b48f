# ruff: noqa: INP001 - a script, run by its path
"""Make overview.png: `PYTHONPATH=training python docs/pictures/make_overview.py`.

A procedural part, a grey panel with bars and fingers of a style that the embedded CLIP was not trained on, goes
through the real product: PatchCore is fitted on flawless frames, "dark stain" is declared normal, and a frame with a
stain and one with a crack are inspected. Nothing is drawn by hand, and no photograph of a data set is in the picture.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.fit import fit
from nand_edge_export.normality import make_normality
from nand_edge_runtime import Inspection, Inspector, Verdict
from nand_edge_runtime.lettering import write
from nand_edge_runtime.overlay import draw_panels
from nand_tiny.canvas import Canvas
from nand_tiny.defects import DEFECTS
from nand_tiny.noise import smooth_noise
from nand_tiny.surfaces import SURFACES

OUTPUT = Path(__file__).with_name("overview.png")
SURFACE, WORDS, OBJECT = "cell with bright bars", "dark stain", "solar cell"
SIZE, FLAWLESS, PART_SEED = 300, 60, 5
EXAMPLES = (("stain", 23), ("crack", 5))
"""A defect and the seed of its shape, for each row of the picture."""

PANEL, GAP, HEAD, VERDICT = 236, 14, 46, 210
_BACKGROUND, _TEXT, _QUIET = (30, 26, 24), (240, 238, 236), (172, 164, 158)
_COLOURS = {Verdict.PASS: (96, 174, 60), Verdict.REJECT: (64, 60, 222)}

Frame = NDArray[np.uint8]


def main() -> int:
    """Fit, export, inspect and draw."""
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as name, console.status("drawing frames") as status:
        folder = Path(name)
        (folder / "good").mkdir()
        for place, frame in enumerate(flawless(FLAWLESS)):
            cv2.imwrite(str(folder / "good" / f"{place:03d}.png"), frame)
        frames = [damaged(kind, seed) for kind, seed in EXAMPLES]
        status.update("fitting")
        method = PatchCoreMethod(memory_patches=1000)
        detector = fit(method, folder / "good").detector
        if detector.threshold is None:
            raise AssertionError(f"{FLAWLESS} frames are enough for a threshold")
        status.update("exporting")
        clip = load_clip(NAND_TINY)
        normality = make_normality(clip, WORDS, OBJECT, name="stain")
        parts = Export(detector, clip, ClipEncoder(clip), [normality], detector.threshold)
        bundle = export_bundle(parts, folder / "panel.nand", frames=frames)
        status.update("inspecting")
        with Inspector(bundle) as inspector:
            rows = [(frame, inspector.inspect(frame)) for frame in frames]
    cv2.imwrite(str(OUTPUT), draw(rows), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    for (kind, _), (_, inspection) in zip(EXAMPLES, rows, strict=True):
        scores = f"score {inspection.base_score:.3f} -> {inspection.score:.3f}"
        console.print(f"{kind}: {scores}, threshold {inspection.threshold:.3f}, {inspection.verdict.value}")
    return 0


def flawless(count: int) -> Iterator[Frame]:
    """Frames of flawless parts."""
    for place in range(count):
        yield photograph(part(), np.random.default_rng((PART_SEED, place)))


def damaged(kind: str, seed: int) -> Frame:
    """A frame of a part with one defect."""
    canvas = part()
    DEFECTS[kind].draw(np.random.default_rng(seed), canvas)
    return photograph(canvas, np.random.default_rng((PART_SEED, FLAWLESS + seed)))


def part() -> Canvas:
    """The part as it should be: all of a line's parts look the same."""
    return SURFACES[SURFACE].render(np.random.default_rng(PART_SEED), SIZE)


def photograph(canvas: Canvas, rng: np.random.Generator) -> Frame:
    """Photograph a part as a line does: not quite in place, under light that is never the same, with sensor noise."""
    place = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), rng.uniform(-1.5, 1.5), 1.0)
    place[:, 2] = place[:, 2] + rng.uniform(-4, 4, 2)
    image = cv2.warpAffine(canvas.image, place, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    clouds = 1 + 0.04 * smooth_noise(rng, SIZE, SIZE / 4)[..., None]
    image = image * clouds * rng.uniform(0.85, 1.1) + rng.normal(0, 0.02, image.shape)
    return np.asarray(np.clip(image[..., ::-1] * 255, 0, 255), dtype=np.uint8)


def draw(rows: list[tuple[Frame, Inspection]]) -> Frame:
    """One row a frame: frame, base map, what the words suppress, final map, verdict."""
    width = GAP + 4 * (PANEL + GAP) + VERDICT
    picture: Frame = np.empty((HEAD + len(rows) * (PANEL + GAP), width, 3), dtype=np.uint8)
    picture[:] = _BACKGROUND
    for column, label in enumerate(("frame", "base detector", f'"{WORDS}"', "what is left", "verdict")):
        write(picture, label, (GAP + column * (PANEL + GAP), HEAD - 16), 19, _TEXT)
    for row, (frame, inspection) in enumerate(rows):
        top = HEAD + row * (PANEL + GAP)
        for column, panel in enumerate(draw_panels(frame, inspection).values()):
            left = GAP + column * (PANEL + GAP)
            shrunk = cv2.resize(panel, (PANEL, PANEL), interpolation=cv2.INTER_AREA)
            picture[top : top + PANEL, left : left + PANEL] = shrunk
        draw_verdict(picture, inspection, top)
    return picture


def draw_verdict(picture: Frame, inspection: Inspection, top: int) -> None:
    """The last column of a row."""
    left = GAP + 4 * (PANEL + GAP)
    right, middle = left + VERDICT - GAP, top + PANEL // 2
    colour = _COLOURS[inspection.verdict]
    cv2.rectangle(picture, (left, middle - 56), (right, middle + 8), colour, -1)
    write(
        picture, inspection.verdict.value.upper(), ((left + right) // 2, middle - 13), 30, (255, 255, 255),
        anchor="middle", bold=True,
    )  # fmt: skip
    sign = "<" if inspection.verdict is Verdict.PASS else ">="
    write(picture, f"score {inspection.score:.2f} {sign} {inspection.threshold:.2f}", (left, middle + 38), 17, _TEXT)
    write(picture, f"without words {inspection.base_score:.2f}", (left, middle + 64), 17, _QUIET)


if __name__ == "__main__":
    sys.exit(main())
