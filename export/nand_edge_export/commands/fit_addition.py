"""`nand-edge fit --add`: add frames to a fitted PatchCore."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge_export.commands.detector_output import require_suffix
from nand_edge_export.commands.stage_bars import stage_bars
from nand_edge_export.detectors.adding import Addition, add_frames
from nand_edge_export.detectors.files import read_detector, write_detector


def run_addition(
    add: Path | None,
    to: Path | None,
    output: Path | None,
    *,
    patches: int | None,
    seed: int,
    as_json: bool,
    others: Iterable[object],
) -> None:
    """Add frames to a detector, write it and print the report.

    Args:
        add: Folder of the frames.
        to: The detector's file.
        output: The file to write; None for `to` itself.
        patches: How many patches are added; None for a tenth of the frames'.
        seed: Of all that is random.
        as_json: Whether the report is JSON.
        others: The arguments of a fit, which must all be None.

    Raises:
        NandEdgeError: An option is missing or does not belong, or what `add_frames` refuses.
    """
    if add is None or to is None:
        missing, present = ("--to", "--add") if add is not None else ("--add", "--to or --add-patches")
        raise NandEdgeError(
            missing, found=f"none beside {present}", needed="--add DIR and --to NAME.detector", do="give both"
        )
    if any(value is not None for value in others):
        raise NandEdgeError(
            "--add",
            found="arguments of a fit beside it",
            needed="--add DIR --to NAME.detector, with no more than -o, --add-patches, --seed and --json",
            do="leave the others out: the detector has them in it",
        )
    detector, output = read_detector(to), output or to
    require_suffix(output)
    require_writable_parent(output)
    with stage_bars() as progress:
        addition = add_frames(detector, add, patches=patches, seed=seed, progress=progress)
    write_detector(addition.detector, output)
    report = {"detector": str(output), **addition.to_json()}
    print(json.dumps(report, indent=2) if as_json else _summary(addition, output))


def _summary(addition: Addition, output: Path) -> str:
    threshold = addition.detector.threshold
    frames, patches = addition.frames, addition.patches
    memory = addition.detector.settings["memory_patches"]
    lines = [
        f"{output}: {patches} patches of {frames} frames added, {memory} in the memory now, {addition.seconds:.1f} s",
        f"their highest score: {max(addition.scores_before):.4g} before, {max(addition.scores_after):.4g} now",
    ]
    if threshold:
        lines.append(f"threshold {threshold.value:.4g} ({threshold.chosen_by})")
    return "\n".join(lines)
