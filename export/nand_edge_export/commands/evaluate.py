"""`nand-edge evaluate`: what words change on a data set, by the paper's protocol."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.groups import read_groups
from nand_edge.evaluation.layouts import open_dataset
from nand_edge.files import require_writable_parent, whole_file
from nand_edge.normality import PAPER
from nand_edge_export.clip import NAND_TINY, Clip, ClipEncoder, load_clip, trained_image_size
from nand_edge_export.commands.candidates import ClipChoice, candidate_source
from nand_edge_export.commands.methods.common import parse_taps
from nand_edge_export.commands.stage_bars import stage_bars
from nand_edge_export.evaluation.eager import NormalityDetection
from nand_edge_export.evaluation.forms import STEPS, usual_forms
from nand_edge_export.evaluation.report import render_report
from nand_edge_export.evaluation.run import FRAMES, Evaluation, Plan
from nand_edge_export.evaluation.run import evaluate as evaluate_candidates
from nand_edge_export.evaluation.sources import BundleSource, CandidateSource
from nand_edge_export.evaluation.summary import figures_table, pairs_csv, scores_csv, summarise

RESULTS, PAIRS, SCORES, REPORT = "results.json", "pairs.csv", "scores.csv", "report.html"
_WIDTH_IN_A_FILE = 120


def evaluate(
    dataset: Annotated[
        Path, typer.Argument(help="MVTec AD, VisA, or a folder with train/good and test/<defect>.", show_default=False)
    ],
    *,
    groups: Annotated[
        Path | None, typer.Option(help="YAML: class: {group: [folder, ...]}; by default the groups of MVTec AD.")
    ] = None,
    object_name: Annotated[
        str | None, typer.Option("--object", help="What is inspected, where the groups file does not say.")
    ] = None,
    detector: Annotated[
        list[str] | None,
        typer.Option(help="NAME.detector, or a method of `fit` as in winclip:shots=5; repeat for several; patchcore."),
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="A bundle NAME.nand in the place of a detector.")] = None,
    class_name: Annotated[
        list[str] | None, typer.Option("--class", help="Only this class; repeat for several.")
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Form of suppression: {PAPER}, or {', '.join(STEPS)}, joined by +; repeat; the first counts."
        ),
    ] = None,
    clip: Annotated[
        str | None, typer.Option(help="nand-tiny, MODEL:TAG or MODEL:FILE; by default nand-tiny, or the bundle's.")
    ] = None,
    projection: Annotated[
        str | None, typer.Option(help="Projections of the taps: .safetensors, the official .pth, or 'random'.")
    ] = None,
    taps: Annotated[str | None, typer.Option(help="Blocks or stages counted from 1, such as 6,12,18,24.")] = None,
    image_size: Annotated[int | None, typer.Option(min=32, help="Side of the CLIP's input, pixels.")] = None,
    logit_scale: Annotated[
        float | None, typer.Option(min=0.0, help="Factor of the cosine; by default the projections' own.")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave damaged images out and count them.")] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder for the report, and for what an interrupted run goes on from."),
    ] = Path("evaluation"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file, too.")] = None,
) -> None:
    """Measure what words change on a data set: AUROC before and after, false rejects and misses, with intervals.

    Each group of defects is declared normal in words, one at a time. What is computed is kept in the output folder: a
    run that was interrupted goes on where it was when the same command is given again.
    """
    started = time.perf_counter()
    if bundle and (detector or projection or taps or image_size or logit_scale):
        raise typer.BadParameter("--bundle has its own detector, projections, taps, image size and logit scale")
    plan = Plan.make(
        open_dataset(dataset),
        read_groups(groups, object_name=object_name),
        chosen=class_name or (),
        forms=form or (PAPER,),
        skip_bad=skip_bad,
    )
    if not form:
        fewest = 0 if bundle else min(len(found.good) for found, _ in plan.classes)
        plan = replace(plan, forms=usual_forms(good_frames=fewest))
    require_writable_parent(output)
    if json_file:
        require_writable_parent(json_file)
    output.mkdir(exist_ok=True)
    with stage_bars(lasting=FRAMES) as progress:
        detection = None
        if bundle:
            opened = open_bundle(bundle)
            loaded = _clip_of(opened, clip)
            sources: list[CandidateSource] = [BundleSource(opened, output)]
        else:
            choice = ClipChoice(clip or NAND_TINY, projection, taps, image_size)
            detection = _detection(choice, logit_scale)
            loaded = detection.clip
            sources = [candidate_source(text, choice, detection, output) for text in detector or ("patchcore",)]
        evaluation = evaluate_candidates(plan, sources, loaded, detection, progress=progress)
        progress("report", 0, 1)
        summary = summarise(evaluation, clip=loaded.name, seconds=time.perf_counter() - started)
        _write(evaluation, summary, output, json_file)
        progress("report", 1, 1)
    _print(evaluation, summary, output)


def _clip_of(bundle: Bundle, name: str | None) -> Clip:
    """The bundle's CLIP, whose text tower makes the normalities."""
    record = bundle.manifest.clip
    loaded = load_clip(name or record.model)
    if loaded.sha256 != record.sha256:
        raise NandEdgeError(
            f"CLIP {loaded.name!r}",
            found=f"weights {loaded.sha256[:12]}…",
            needed=f"those of the bundle's CLIP {record.model!r}, {record.sha256[:12]}…",
            do="give the bundle's CLIP with --clip",
        )
    return loaded


def _detection(choice: ClipChoice, logit_scale: float | None) -> NormalityDetection:
    size = choice.image_size or trained_image_size(choice.projection)
    loaded = load_clip(choice.name, image_size=size)
    encoder = ClipEncoder(loaded, taps=parse_taps(choice.taps), projection=choice.projection)
    scale = encoder.projections.logit_scale if logit_scale is None else logit_scale
    return NormalityDetection(loaded, encoder, scale)


def _write(evaluation: Evaluation, summary: dict[str, Any], output: Path, json_file: Path | None) -> None:
    document = json.dumps(summary, indent=2) + "\n"
    texts = {
        output / RESULTS: document,
        output / PAIRS: pairs_csv(summary),
        output / SCORES: scores_csv(evaluation.results),
        output / REPORT: render_report(evaluation, summary),
    }
    if json_file:
        texts[json_file] = document
    for path, text in texts.items():
        with whole_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _print(evaluation: Evaluation, summary: dict[str, Any], output: Path) -> None:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_IN_A_FILE)
    console.print(figures_table(summary))
    for path, reason in evaluation.skipped.items():
        console.print(f"skipped {path}: {reason}", highlight=False, markup=False, soft_wrap=True)
    reused = f", {evaluation.reused} kept from an earlier run" if evaluation.reused else ""
    skipped = f", {len(evaluation.skipped)} skipped" if evaluation.skipped else ""
    console.print(
        f"{evaluation.computed} frames computed{reused}{skipped}; {summary['seconds']:.0f} s", highlight=False
    )
    console.print(f"report: {output / REPORT}", highlight=False, markup=False, soft_wrap=True)
