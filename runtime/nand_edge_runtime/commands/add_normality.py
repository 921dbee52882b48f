"""`nand-edge add-normality`: say on the device, without torch, what is to count as normal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge.normality import Normality, write_normality
from nand_edge.phrases.english import with_article
from nand_edge_runtime.commands.engine_options import Threads
from nand_edge_runtime.text_encoder import TextEncoder


def add_normality(
    bundle: Annotated[
        Path, typer.Argument(help="The bundle, NAME.nand, exported with --text-encoder.", show_default=False)
    ],
    text: Annotated[str, typer.Argument(help="The words, such as 'dark stain'.", show_default=False)],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file, NAME.normality.", show_default=False)],
    object_name: Annotated[str, typer.Option("--object", help="What is inspected, such as 'solar cell'.")] = "object",
    phrase: Annotated[
        list[str] | None, typer.Option(help="Use this phrase in the place of the ones derived from the words; repeat.")
    ] = None,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as one JSON object.")] = False,
) -> None:
    """Turn words into a normality file with the text encoder of a bundle.

    The file is the one that `nand-edge normality` makes on the workstation, for this bundle's CLIP; the bundle itself
    does not change. Take it into force with `nand-edge inspect --normality`, or in the settings of a station.
    """
    require_writable_parent(output)
    opened = open_bundle(bundle)
    encoder = _text_encoder(opened, threads)
    with Console(stderr=True).status("reading the words") as status:
        made = encoder.normality_of(
            text,
            name=output.stem,
            object_name=object_name,
            phrases=phrase,
            on_progress=lambda done: status.update(f"reading the words: {done} prompts"),
        )
    write_normality(made, output)
    typer.echo(json.dumps({"file": str(output), **made.to_json()}) if as_json else _sentences(made, output))


def _text_encoder(bundle: Bundle, threads: int | None) -> TextEncoder:
    encoder = TextEncoder.open(bundle, threads=threads)
    if encoder is None:
        raise NandEdgeError(
            f"bundle {bundle.name!r}",
            found="no text encoder",
            needed="one, so that words can be read on the device",
            do="export it again with --text-encoder, or make the normality on the workstation with "
            f"`nand-edge normality --clip {bundle.manifest.clip.model}`",
        )
    return encoder


def _sentences(made: Normality, output: Path) -> str:
    phrases = "\n".join(f"  {phrase}" for phrase in made.phrases)
    return (
        f"{output}: {made.text!r} of {with_article(made.object_name)}, {len(made.prompts)} prompts, "
        f"CLIP {made.clip_model}\nphrases ({made.phrases_from}):\n{phrases}"
    )
