"""`nand-edge fit`: fit a base detector on photographs of good parts; each method's options are in `methods`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge_export.commands.detector_output import require_suffix
from nand_edge_export.commands.fit_addition import run_addition
from nand_edge_export.commands.methods import METHODS
from nand_edge_export.commands.methods.composition import make_method, with_options_of
from nand_edge_export.commands.stage_bars import stage_bars
from nand_edge_export.detectors.files import write_detector
from nand_edge_export.fit import Fit
from nand_edge_export.fit import fit as fit_detector


@with_options_of(METHODS)
def fit(
    good_dir: Annotated[
        Path | None,
        typer.Argument(help="Folder of photographs of good parts; april-gan, winclip and onnx can do without."),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write, NAME.detector; with --to it may be left out."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help=f"How anomalies are found: {', '.join(METHODS)}; onnx with --onnx, else patchcore."),
    ] = None,
    holdout: Annotated[float, typer.Option(help="Share of the good frames that only chooses the threshold.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same detector.")] = 0,
    add: Annotated[
        Path | None, typer.Option(help="Instead: a folder of frames that a fitted patchcore is to count as good too.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="With --add: the patchcore detector, NAME.detector.")] = None,
    add_patches: Annotated[
        int | None, typer.Option(help="With --add: patches that the memory gets; a tenth of the frames'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    **options: Any,
) -> None:
    """Fit a base detector on photographs of good parts and choose its threshold.

    The threshold is the highest score of good frames that the detector has not seen. With fewer than 10 frames none is
    chosen, and the export asks for one.

    With --add DIR --to NAME.detector, frames are added to a patchcore that was fitted before, without the photographs
    of its fit. Its threshold stays.
    """
    if add is not None or to is not None or add_patches is not None:
        others = (good_dir, method, *options.values())
        run_addition(add, to, output, patches=add_patches, seed=seed, as_json=as_json, others=others)
        return
    if output is None:
        raise NandEdgeError("--output", found="none", needed="a file named NAME.detector", do="name it after -o")
    chosen = make_method(METHODS, method or ("onnx" if options.get("onnx") else "patchcore"), options)
    require_suffix(output)
    require_writable_parent(output)
    with stage_bars() as progress:
        fitted = fit_detector(chosen, good_dir, holdout=holdout, seed=seed, progress=progress)
    write_detector(fitted.detector, output)
    report = {"detector": str(output), **fitted.to_json()}
    print(json.dumps(report, indent=2) if as_json else _summary(fitted, output))


def _summary(fitted: Fit, output: Path) -> str:
    detector, threshold = fitted.detector, fitted.detector.threshold
    memory = detector.settings.get("memory_patches")
    parts = [f"{fitted.frames} good frames" if fitted.frames else "no frames needed"]
    if memory is not None:
        parts.append(f"{memory} patches in the memory")
    parts.append(f"{sum(fitted.seconds.values()):.1f} s")
    lines = [f"{output}: {detector.kind}, {', '.join(parts)}"]
    if threshold:
        lines.append(f"threshold {threshold.value:.4g} ({threshold.chosen_by})")
    else:
        lines.append("no threshold (fewer than 10 good frames): give one to `nand-edge export --threshold`")
    return "\n".join(lines)
