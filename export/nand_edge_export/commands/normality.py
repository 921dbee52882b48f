"""`nand-edge normality`: say in words what is to count as normal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nand_edge.files import require_writable_parent
from nand_edge.normality import write_normality
from nand_edge_export.clip import NAND_TINY, load_clip
from nand_edge_export.normality import make_normality


def normality(
    text: Annotated[str, typer.Argument(help="The words, such as 'dark stain'.", show_default=False)],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, NAME.normality.", show_default=False)],
    object_name: Annotated[str, typer.Option("--object", help="What is inspected, such as 'solar cell'.")] = "object",
    clip: Annotated[str, typer.Option(help="nand-tiny, MODEL:TAG, MODEL:FILE or MODEL:random.")] = NAND_TINY,
    phrase: Annotated[
        list[str] | None, typer.Option(help="Use this phrase in the place of the ones derived from the words; repeat.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as one JSON object.")] = False,
) -> None:
    """Turn words into a normality file: phrases, prompts, text features and the hash of the CLIP."""
    require_writable_parent(output)
    with Console(stderr=True).status(f"embedding with {clip}"):
        made = make_normality(load_clip(clip), text, object_name, name=output.stem, phrases=phrase)
        write_normality(made, output)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "file": str(output),
                    "name": made.name,
                    "text": made.text,
                    "object": made.object_name,
                    "phrases": made.phrases,
                    "prompts": len(made.prompts),
                    "clip": made.clip_model,
                    "clip_sha256": made.clip_sha256,
                }
            )
        )
        return
    typer.echo(f"{output}: {text!r} of a {object_name}, {len(made.prompts)} prompts, CLIP {made.clip_model}")
    for state in made.phrases:
        typer.echo(f"  {state}")
