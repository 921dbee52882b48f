"""`nand-edge fit`: fit a base detector on photographs of good parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent
from nand_edge_export.detectors.files import write_detector
from nand_edge_export.detectors.fit_april_gan import AprilGanMethod
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.method import Method
from nand_edge_export.detectors.protocol import Progress
from nand_edge_export.fit import Fit
from nand_edge_export.fit import fit as fit_detector


class MethodName(str, Enum):
    """The methods by the names that users type."""

    PATCHCORE = "patchcore"
    APRIL_GAN = "april-gan"


def fit(
    good_dir: Annotated[
        Path | None, typer.Argument(help="Folder of photographs of good parts; april-gan can do without.")
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write, NAME.detector.", show_default=False)
    ],
    method: Annotated[MethodName, typer.Option(help="How anomalies are found.")] = MethodName.PATCHCORE,
    input_size: Annotated[
        int | None, typer.Option(help="Side that frames are resized to, pixels; 256, or the CLIP's own.")
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(help="patchcore: any timm network, NAME or NAME:FILE; tf_efficientnet_lite0.")
    ] = None,
    memory_patches: Annotated[
        int | None, typer.Option(help="patchcore: patches in the memory; 4000. Fewer are faster.")
    ] = None,
    candidates: Annotated[
        int | None, typer.Option(help="patchcore: patches that the memory is chosen from; 8 times the memory.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option(help="april-gan: nand-tiny, MODEL:TAG, MODEL:FILE or MODEL:random; nand-tiny.")
    ] = None,
    projection: Annotated[str | None, typer.Option(help="april-gan: file of the CLIP's projections.")] = None,
    taps: Annotated[
        str | None, typer.Option(help="april-gan: the CLIP's blocks or stages to read, such as 3,6,9,12.")
    ] = None,
    object_name: Annotated[
        str | None, typer.Option("--object", help='april-gan: what is inspected, such as "solar cell".')
    ] = None,
    holdout: Annotated[float, typer.Option(help="Share of the good frames that only chooses the threshold.")] = 0.1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same detector.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Fit a base detector on photographs of good parts and choose its threshold.

    The threshold is the highest score of good frames that the detector has not seen. With fewer than 10 frames none is
    chosen, and the export asks for one.
    """
    patchcore_options = {"backbone": backbone, "memory_patches": memory_patches, "candidates": candidates}
    april_gan_options = {"clip": clip, "projection": projection, "taps": taps, "object": object_name}
    chosen: Method
    if method is MethodName.PATCHCORE:
        _refuse_options(april_gan_options, method, MethodName.APRIL_GAN)
        chosen = PatchCoreMethod(**_given(patchcore_options), **_given({"input_size": input_size}))
    else:
        _refuse_options(patchcore_options, method, MethodName.PATCHCORE)
        chosen = AprilGanMethod(
            _required_object(object_name),
            **_given({"clip": clip, "projection": projection, "image_size": input_size, "taps": _parse_taps(taps)}),
        )
    _require_suffix(output)
    require_writable_parent(output)
    with _bars() as progress:
        fitted = fit_detector(chosen, good_dir, holdout=holdout, seed=seed, progress=progress)
    write_detector(fitted.detector, output)
    report = {"detector": str(output), **fitted.to_json()}
    print(json.dumps(report, indent=2) if as_json else _summary(fitted, output))


@contextmanager
def _bars() -> Iterator[Progress]:
    """One bar a stage on stderr, so that stdout stays clean for `--json`."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def progress(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield progress


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


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _refuse_options(options: dict[str, Any], method: MethodName, other: MethodName) -> None:
    for name in _given(options):
        raise NandEdgeError(
            f"--{name.replace('_', '-')}",
            found=f"it with --method {method.value}",
            needed=f"--method {other.value}, whose option it is",
            do="leave it out or change the method",
        )


def _required_object(object_name: str | None) -> str:
    if object_name is None or not object_name.strip():
        raise NandEdgeError(
            "--object", found="none", needed="what is inspected, in words", do='give --object "solar cell", say'
        )
    return object_name


def _parse_taps(taps: str | None) -> tuple[int, ...] | None:
    if taps is None:
        return None
    try:
        return tuple(int(tap) for tap in taps.split(","))
    except ValueError:
        raise NandEdgeError("--taps", found=repr(taps), needed="numbers such as 3,6,9,12", do="correct it") from None


def _require_suffix(output: Path) -> None:
    if output.suffix != ".detector" or output.is_dir():
        raise NandEdgeError(
            "--output", found=repr(str(output)), needed="a file named NAME.detector", do="choose such a name"
        )
