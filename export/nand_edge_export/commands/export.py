"""`nand-edge export`: make a bundle of a detector, a CLIP and normalities."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge.images import list_images, read_frame
from nand_edge.manifest import ThresholdRecord
from nand_edge.normality import read_normality
from nand_edge.region import make_region, parse_frame_size, size_of_frames
from nand_edge.signature import OUTPUTS, SCORES
from nand_edge_export.clip import ClipEncoder, load_clip, trained_image_size
from nand_edge_export.commands.methods.common import parse_taps
from nand_edge_export.commands.methods.onnx_model import show_choices
from nand_edge_export.detectors import OnnxModel
from nand_edge_export.detectors.files import read_detector
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.export import MAX_SAMPLES, Export, export_bundle
from nand_edge_export.graph.assembly import GraphOptions


class GraphOutputs(str, Enum):
    """Choices of `--outputs`."""

    ALL = "all"
    SCORE = "score"


def export(
    detector: Annotated[
        Path, typer.Option(help="File of `nand-edge fit`, or an .onnx model with --threshold.", show_default=False)
    ],
    *,
    normality: Annotated[
        list[Path], typer.Option(help="File of `nand-edge normality`; repeat for several.", show_default=False)
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The bundle, NAME.nand.", show_default=False)],
    clip: Annotated[
        str | None, typer.Option(help="nand-tiny, MODEL:TAG, MODEL:FILE; by default the normalities' one.")
    ] = None,
    projection: Annotated[
        str | None, typer.Option(help="Projections of the taps: .safetensors, the official .pth, or 'random'.")
    ] = None,
    taps: Annotated[str | None, typer.Option(help="Blocks or stages counted from 1, such as 6,12,18,24.")] = None,
    image_size: Annotated[
        int | None,
        typer.Option(min=32, help="Side of the CLIP's input, pixels; by default the projections' or its own."),
    ] = None,
    logit_scale: Annotated[
        float | None, typer.Option(min=0.0, help="Factor of the cosine; by default the projections' own.")
    ] = None,
    threshold: Annotated[float | None, typer.Option(help="In the place of the one that `fit` chose.")] = None,
    samples: Annotated[
        Path | None, typer.Option(help=f"Folder of frames; {MAX_SAMPLES} go into the bundle for checks.")
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            help="Inspect this rectangle alone: x,y,width,height in pixels, or in fractions of the frame, 0 to 1."
        ),
    ] = None,
    region_mask: Annotated[
        Path | None, typer.Option(help="PNG over a whole frame; only what is not zero (white) in it is inspected.")
    ] = None,
    ignore_mask: Annotated[
        Path | None, typer.Option(help="PNG over a whole frame; what is not zero (white) in it is ignored.")
    ] = None,
    frame_size: Annotated[
        str | None,
        typer.Option(help="WIDTHxHEIGHT that the region was drawn for, pixels; by default that of the samples."),
    ] = None,
    outputs: Annotated[
        GraphOutputs, typer.Option(help="What the graph gives: all, or score alone, without maps to show.")
    ] = GraphOutputs.ALL,
    early_exit: Annotated[
        bool,
        typer.Option(
            "--early-exit", help="Leave taps out once the verdict is certain; score and maps are bounds then."
        ),
    ] = False,
    text_encoder: Annotated[
        bool,
        typer.Option("--text-encoder", help="Put the CLIP's text tower in, so that the device can read sentences."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as one JSON object.")] = False,
) -> None:
    """Export a base detector with normalities as one graph in a bundle, and compare it with torch."""
    require_writable_parent(output)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        fitted = _read_detector(detector)
        normalities = [read_normality(path) for path in normality]
        size = image_size or trained_image_size(projection)
        loaded = load_clip(clip or normalities[0].clip_model, image_size=size)
        frames = _read_samples(samples)
        parts = Export(
            detector=fitted,
            clip=loaded,
            encoder=ClipEncoder(loaded, taps=parse_taps(taps), projection=projection),
            normalities=normalities,
            threshold=_threshold(fitted, detector, threshold),
            logit_scale=logit_scale,
            region=make_region(
                rectangle=region,
                region_mask=region_mask,
                ignore_mask=ignore_mask,
                frame_size=parse_frame_size(frame_size) if frame_size else size_of_frames(frames),
            ),
            graph=GraphOptions(OUTPUTS if outputs is GraphOutputs.ALL else SCORES, early_exit),
            text_encoder=text_encoder,
        )
        bundle = export_bundle(
            parts,
            output,
            frames=frames,
            on_phase=lambda phase: progress.update(task, description=phase),
        )
    typer.echo(json.dumps(_summary(bundle)) if as_json else _sentence(bundle))


def _read_detector(path: Path) -> Detector:
    """A fitted detector, or an ONNX model as it is, with what is guessed of it shown."""
    return OnnxModel.from_file(path, on_choices=show_choices) if path.suffix == ".onnx" else read_detector(path)


def _threshold(fitted: Detector, path: Path, given: float | None) -> ThresholdRecord:
    if given is not None:
        return ThresholdRecord(value=given, chosen_by="given at export")
    if fitted.threshold is None:
        raise NandEdgeError(
            f"threshold of detector {str(path)!r}",
            found="none, since it has seen too few good frames to choose one",
            needed="a threshold",
            do="give --threshold, or fit it on at least 10 good frames",
        )
    return fitted.threshold


def _read_samples(folder: Path | None) -> list[NDArray[np.uint8]]:
    return [read_frame(path) for path in list_images(folder)[:MAX_SAMPLES]] if folder else []


def _summary(bundle: Bundle) -> dict[str, object]:
    manifest = bundle.manifest
    engine = manifest.engines[0]
    return {
        "bundle": str(bundle.folder),
        "sha256": bundle.sha256,
        "normalities": [record.name for record in manifest.normalities],
        "threshold": manifest.threshold.model_dump(),
        "region": manifest.region.model_dump() if manifest.region else None,
        "text_encoder": manifest.text_encoder is not None,
        "max_map_error": engine.max_map_error,
        "megabytes": round(sum(record.bytes for record in manifest.files.values()) / 1e6, 1),
    }


def _sentence(bundle: Bundle) -> str:
    summary = _summary(bundle)
    return (
        f"{summary['bundle']}: {summary['megabytes']} MB, threshold {bundle.manifest.threshold.value:.4g}, "
        f"maps within {summary['max_map_error']:.1e} of the torch reference on both sides of the gate"
    )
