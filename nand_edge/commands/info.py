"""`nand-edge info`: show what a bundle, a normality or another of our safetensors files holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.description import describe_file
from nand_edge.manifest import EngineRecord, Manifest, ThresholdRecord, WeightsSource


def info(
    path: Annotated[Path, typer.Argument(help="A bundle NAME.nand, a NAME.normality or a NAME.detector.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Show what a bundle, a normality or a detector file holds.

    A bundle is checked first: every file against the sha256 in its manifest.
    """
    if path.is_file():
        document = describe_file(path)
        tables: RenderableType = _pairs(path.name, document)
    else:
        bundle = open_bundle(path)
        document = {"kind": "bundle", "bundle": bundle.sha256, **bundle.manifest.model_dump(mode="json")}
        tables = _bundle_tables(bundle)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        Console().print(tables)


def _bundle_tables(bundle: Bundle) -> Group:
    manifest = bundle.manifest
    return Group(
        _identity(bundle),
        _detector(manifest),
        _clip(manifest),
        _normalities(manifest),
        _engines(manifest.engines),
        *_accuracy(manifest.engines),
        _signature(manifest),
        _weights(manifest),
        _files(manifest),
        _pairs("Versions at the export", manifest.versions),
    )


def _identity(bundle: Bundle) -> Table:
    manifest = bundle.manifest
    return _pairs(
        f"Bundle {manifest.name}",
        {
            "sha256": bundle.sha256,
            "created": manifest.created,
            "precision": manifest.precision,
            "threshold": _threshold(manifest.threshold),
            "region": _region(manifest),
        },
    )


def _threshold(threshold: ThresholdRecord) -> str:
    told = f"{threshold.value:.6g}, chosen by {threshold.chosen_by}"
    if threshold.interval_95 is None:
        return told
    low, high = ("open" if end is None else f"{end:.6g}" for end in threshold.interval_95)
    return f"{told}; its 95 % interval: {low} to {high}"


def _region(manifest: Manifest) -> str:
    region = manifest.region
    return "the whole frame" if region is None else f"{region.given_as}: {region.share:.0%} of the frame"


def _detector(manifest: Manifest) -> Table:
    detector = manifest.detector
    return _pairs(
        "Base detector",
        {
            "kind": detector.kind,
            "input size": f"{detector.input_size} x {detector.input_size}",
            "shares the CLIP's pass": "yes" if detector.shares_clip else "no",
            **detector.settings,
        },
    )


def _clip(manifest: Manifest) -> Table:
    clip = manifest.clip
    return _pairs(
        "CLIP",
        {
            "model": clip.model,
            "sha256": _short(clip.sha256),
            "input size": f"{clip.input_size} x {clip.input_size}",
            "taps": ", ".join(map(str, clip.taps)),
            "text feature": f"{clip.width} numbers",
            "logit scale": f"{clip.logit_scale:.6g}",
            "text encoder": _text_encoder(manifest),
        },
    )


def _text_encoder(manifest: Manifest) -> str:
    record = manifest.text_encoder
    if record is None:
        return "none: sentences are read on the workstation"
    return f"{record.context_length} tokens, features within {record.max_feature_error:.1e} of torch"


def _normalities(manifest: Manifest) -> Table:
    table = _table("Normalities", "name", "words", "at the start", "file")
    for record in manifest.normalities:
        table.add_row(*_texts(record.name, record.text, "active" if record.active else "not active", record.file))
    return table


def _engines(engines: tuple[EngineRecord, ...]) -> Table:
    columns = ("target", "state", "precision", "compute capability", "built with", "built on", "map error", "file")
    rows = [
        (
            engine.target.value,
            f"{engine.state.value}: {engine.reason}" if engine.reason else engine.state.value,
            engine.precision,
            engine.compute_capability,
            engine.built_with,
            engine.built_on,
            "" if engine.max_map_error is None else f"{engine.max_map_error:.1e}",
            engine.file,
        )
        for engine in engines
    ]
    told = [column for column in range(len(columns)) if any(row[column] for row in rows)]
    table = _table("Engines", *(columns[column] for column in told))
    for row in rows:
        table.add_row(*_texts(*(row[column] for column in told)))
    return table


def _accuracy(engines: tuple[EngineRecord, ...]) -> list[Table]:
    """What lower precisions give away and gain; nothing where no engine was compared with fp32."""
    told = {}
    for engine in engines:
        lines = [engine.accuracy.sentence()] if engine.accuracy else []
        lines += [f"chosen as {engine.chosen_because}"] if engine.chosen_because else []
        if lines:
            told[" ".join(filter(None, (engine.target.value, engine.precision, engine.compute_capability)))] = lines
    return [_pairs("Accuracy of lower precisions", told)] if told else []


def _signature(manifest: Manifest) -> Table:
    graph = manifest.graph
    table = _table(f"Graph (opset {graph.opset}, maps {graph.map_size} x {graph.map_size})", "tensor", "type", "shape")
    for direction, tensors in (("in", graph.inputs), ("out", graph.outputs)):
        for name, tensor in tensors.items():
            shape = ", ".join("free" if size < 0 else str(size) for size in tensor.shape)
            table.add_row(*_texts(f"{direction}  {name}", tensor.dtype, f"[{shape}]"))
    return table


def _weights(manifest: Manifest) -> Table:
    table = _table("Weights", "of", "name", "licence", "sha256")
    sources: dict[str, WeightsSource] = {
        "base detector": manifest.detector.weights,
        "CLIP": manifest.clip.weights,
        "projection": manifest.clip.projection,
    }
    for part, source in sources.items():
        table.add_row(*_texts(part, source.name, source.licence, _short(source.sha256)))
    return table


def _files(manifest: Manifest) -> Table:
    table = _table("Files", "file", "bytes", "sha256")
    for name, record in manifest.files.items():
        table.add_row(*_texts(name, f"{record.bytes:,}", _short(record.sha256)))
    return table


def _pairs(title: str, values: dict[str, Any]) -> Table:
    table = _table(title)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in values.items():
        shown = "\n".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        table.add_row(*_texts(name, shown))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold cyan", show_header=bool(columns), min_width=40)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _short(sha256: str) -> str:
    return f"{sha256[:12]}…"


def _texts(*values: str) -> list[Text]:
    # As Text, because words in square brackets would be read as a style.
    return [Text(value) for value in values]
