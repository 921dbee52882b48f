"""`nand-edge normality`: say in words what is to count as normal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge.normality import Normality, write_normality
from nand_edge.phrases.english import with_article
from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.commands.methods.common import parse_taps
from nand_edge_export.commands.stage_bars import stage_bars
from nand_edge_export.form_choice import FormWish, find_shots, shape
from nand_edge_export.forms.report_card import QUIET, Line
from nand_edge_export.language_model import KEY_VARIABLE, LanguageModel, user_cache
from nand_edge_export.normality import make_normality
from nand_edge_export.phrase_choice import ChosenPhrases, choose_phrases


def normality(
    text: Annotated[str, typer.Argument(help="The words, such as 'dark stain'.", show_default=False)],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file, NAME.normality.", show_default=False)
    ] = None,
    object_name: Annotated[str, typer.Option("--object", help="What is inspected, such as 'solar cell'.")] = "object",
    clip: Annotated[str, typer.Option(help="nand-tiny, MODEL:TAG, MODEL:FILE or MODEL:random.")] = NAND_TINY,
    phrase: Annotated[
        list[str] | None, typer.Option(help="Use this phrase in the place of the ones derived from the words; repeat.")
    ] = None,
    llm_url: Annotated[
        str | None,
        typer.Option(
            help=f"Ask a language model for phrases: an OpenAI-compatible endpoint; its key from {KEY_VARIABLE}."
        ),
    ] = None,
    llm_model: Annotated[str | None, typer.Option(help="The language model's name at the endpoint.")] = None,
    llm_timeout: Annotated[float, typer.Option(min=1, max=600, help="Seconds that the endpoint may be silent.")] = 60,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Ask the language model again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Take the language model's phrases without asking.")] = False,
    contrast: Annotated[
        bool, typer.Option("--contrast", help="Tell it apart from other damage, not only from the flawless object.")
    ] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="A defect that must still be rejected, in words; repeat. With contrast.")
    ] = None,
    good: Annotated[
        Path | None, typer.Option(help="Folder of good frames, for --shot, --calibrate and the report card.")
    ] = None,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Lower it until the good frames are quiet.")] = False,
    shot: Annotated[
        list[Path] | None, typer.Option(help="A frame that shows what is to be normal; repeat, up to five.")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="x,y,width,height in a --shot, pixels or fractions; without it the words find the place."),
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(help="Further folder of frames for the report card; repeat.")
    ] = None,
    projection: Annotated[str | None, typer.Option(help="With frames: projections, as for `export`.")] = None,
    taps: Annotated[str | None, typer.Option(help="With frames: taps, as for `export`.")] = None,
    image_size: Annotated[int | None, typer.Option(min=32, help="Side of the CLIP's input, as for `export`.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the phrases and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as one JSON object.")] = False,
) -> None:
    """Turn words into a normality file: phrases, prompts, features and the hash of the CLIP.

    The phrases come from rules, offline; with --llm-url, from a language model, and are shown to you for approval.

    The form is the paper's unless you ask for contrast, frames or calibration. With frames at hand, the report card
    says how much the normality would suppress on them: good ones should be quiet.
    """
    language_model = _language_model(llm_url, llm_model, timeout=llm_timeout, cached=not no_cache)
    if dry_run:
        chosen = choose_phrases(text, object_name, typed=phrase, language_model=language_model, approved=True)
        _show(chosen, text, object_name, as_json=as_json)
        return
    if output is None:
        raise typer.BadParameter("it is missing; --dry-run goes without it", param_hint="'--output' / '-o'")
    require_writable_parent(output)
    shots = find_shots(shot or [], box or [])
    wish = FormWish(contrast, tuple(keep or ()), shots, calibrate, good, tuple(compare or ()))
    chosen = choose_phrases(text, object_name, typed=phrase, language_model=language_model, approved=yes)
    with Console(stderr=True).status(f"embedding with {clip}"):
        loaded = load_clip(clip, image_size=image_size)
        made = make_normality(
            loaded, text, object_name, name=output.stem, phrases=chosen.phrases, phrases_from=chosen.source
        )
        encoder = ClipEncoder(loaded, taps=parse_taps(taps), projection=projection) if wish.needs_encoder else None
    with stage_bars() as progress:
        made, card = shape(made, loaded, wish, encoder, progress=progress)
    write_normality(made, output)
    if as_json:
        typer.echo(json.dumps(_document(made, output, card)))
        return
    typer.echo(
        f"{output}: {text!r} of {with_article(object_name)}, {len(made.prompts)} prompts, CLIP {made.clip_model}, "
        f"form {made.form}"
    )
    _list_phrases(chosen)
    if card:
        Console().print(_table(card))


def _document(made: Normality, output: Path, card: Mapping[str, Line]) -> dict[str, object]:
    return {
        "file": str(output),
        **made.to_json(),
        "report_card": {folder: line.to_json() for folder, line in card.items()},
    }


def _table(card: Mapping[str, Line]) -> Table:
    table = Table(title="report card: suppression on the frames at hand")
    table.add_column("folder")
    for heading in ("frames", "peak, median", "peak, highest", f"quiet (below {QUIET})", "area over 0.5"):
        table.add_column(heading, justify="right")
    for folder, line in card.items():
        figures = (f"{line.median_peak:.2f}", f"{line.highest_peak:.2f}", f"{line.quiet:.0%}", f"{line.area:.1%}")
        table.add_row(folder, str(line.frames), *figures)
    return table


def _language_model(url: str | None, name: str | None, *, timeout: float, cached: bool) -> LanguageModel | None:
    if (url is None) != (name is None):
        given, missing = ("--llm-url", "--llm-model") if name is None else ("--llm-model", "--llm-url")
        raise NandEdgeError(given, found=f"it without {missing}", needed="both or none", do=f"add {missing}")
    if url is None or name is None:
        return None
    return LanguageModel(url, name, timeout=timeout, cache=user_cache() if cached else None)


def _show(chosen: ChosenPhrases, text: str, object_name: str, *, as_json: bool) -> None:
    if as_json:
        words = {"text": text, "object": object_name, "phrases": chosen.phrases, "phrases_from": chosen.source}
        typer.echo(json.dumps(words))
        return
    _list_phrases(chosen)


def _list_phrases(chosen: ChosenPhrases) -> None:
    typer.echo(f"phrases ({chosen.source}):")
    for phrase in chosen.phrases:
        typer.echo(f"  {phrase}")
