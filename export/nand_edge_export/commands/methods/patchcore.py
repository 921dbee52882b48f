"""Options of PatchCore."""

from __future__ import annotations

from typing import Annotated

import typer

from nand_edge_export.commands.methods.common import InputSize, given
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod


def patchcore(
    *,
    input_size: InputSize = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            help="Any timm network, NAME, NAME:FILE or NAME:random; nand-tiny or clip:CLIP; tf_efficientnet_lite0."
        ),
    ] = None,
    memory_patches: Annotated[int | None, typer.Option(help="Patches in the memory; 4000. Fewer are faster.")] = None,
    memory_share: Annotated[
        float | None, typer.Option(help="Size of the memory as a share of all patches, such as 0.1.")
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(min=0, help="Patches drawn at random to choose the memory from; 0: all; 8 times the memory."),
    ] = None,
    image_score: Annotated[
        str | None, typer.Option(help="maximum of the map, or reweighted as in PatchCore's paper; maximum.")
    ] = None,
) -> PatchCoreMethod:
    """PatchCore with the options that were given."""
    return PatchCoreMethod(
        **given(
            input_size=input_size,
            backbone=backbone,
            memory_patches=memory_patches,
            memory_share=memory_share,
            candidates=candidates,
            image_score=image_score,
        )
    )
