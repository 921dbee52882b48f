"""Options of APRIL-GAN."""

from __future__ import annotations

from typing import Annotated

import typer

from nand_edge_export.commands.methods.common import (
    ClipName,
    InputSize,
    ObjectName,
    ShotsText,
    given,
    parse_taps,
    required_object,
)
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.shots import parse_shots


def april_gan(
    *,
    object_name: ObjectName = None,
    shots: ShotsText = None,
    clip: ClipName = None,
    input_size: InputSize = None,
    projection: Annotated[str | None, typer.Option(help="File of the CLIP's projections.")] = None,
    taps: Annotated[str | None, typer.Option(help="The CLIP's blocks or stages to read, such as 3,6,9,12.")] = None,
) -> AprilGanMethod:
    """APRIL-GAN with the options that were given."""
    return AprilGanMethod(
        required_object(object_name),
        **given(
            shots=parse_shots(shots),
            clip=clip,
            image_size=input_size,
            projection=projection,
            taps=parse_taps(taps),
        ),
    )
