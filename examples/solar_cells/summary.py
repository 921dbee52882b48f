"""The demo's figures as one JSON object and as a table for the terminal."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from nand_edge.bundle import Bundle
from nand_edge.evaluation.protocol import means
from nand_edge.manifest import EngineRecord, Target
from nand_edge_runtime.latency import Latency
from nand_edge_runtime.machine import processor_name
from solar_cells.device import DeviceResult
from solar_cells.making import Refused
from solar_cells.protocol import GroupResult

NOT_BUILT = "not built"
_DIGITS = 6
"""Enough that who rounds a figure to three digits gets the figure's own."""


@dataclass(frozen=True)
class Run:
    """A run of the demo.

    Attributes:
        bundle: The bundle with its engines.
        refused: Targets that no engine could be built for.
        device: What the device's process found.
        fitted_on: Good cells that the detector's memory was made from.
    """

    bundle: Bundle
    refused: tuple[Refused, ...]
    device: DeviceResult
    fitted_on: int


def summarise(run: Run) -> dict[str, Any]:
    """The figures of a run: areas under curves 0 to 1, latencies in milliseconds."""
    groups, manifest = run.device.groups, run.bundle.manifest
    figures = means([result.pair for result in groups])
    return {
        "mean_auroc_before": round(figures["mean_auroc_before"], _DIGITS),
        "mean_auroc_after": round(figures["mean_auroc_after"], _DIGITS),
        "mean_auroc_change_95_percent": [round(end, _DIGITS) for end in figures["mean_auroc_change_interval_95"]],
        "groups": {result.pair.group.name: _group(result) for result in groups},
        "engines": [
            *(_engine(run.bundle, record, run.device.checks) for record in manifest.engines),
            *(_not_built(refused) for refused in run.refused),
        ],
        "latency_ms": {
            "with_clip": _latency(run.device.with_clip),
            "gate_shut": _latency(run.device.without_clip),
        },
        "threshold": manifest.threshold.model_dump(),
        "detector": {"kind": manifest.detector.kind, "fitted_on": run.fitted_on, **manifest.detector.settings},
        "clip": manifest.clip.model,
        "bundle": {"name": run.bundle.folder.name, "sha256": run.bundle.sha256},
        "device_process": {
            "engine": Target.ONNX.value,
            "device": run.device.device,
            "imports_refused": list(run.device.refused),
        },
        "machine": machine(),
        "versions": manifest.versions,
    }


def machine() -> dict[str, Any]:
    """The machine that this ran on."""
    return {
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def closing_table(summary: dict[str, Any]) -> Table:
    """The groups before and after, for the terminal."""
    cells = next(iter(summary["groups"].values()))["cells"]
    table = Table(title=f"{cells} cells, each row with its words alone in force", title_justify="left")
    for column in ("declared normal, in words", "AUROC before", "after", "right verdicts before", "after "):
        table.add_column(column, justify="left" if "words" in column else "right")
    for group in summary["groups"].values():
        verdicts = group["right_verdicts"]
        table.add_row(
            f"“{group['text']}” ({group['cells_declared_normal']} cells)",
            f"{group['auroc_before']:.3f}",
            f"{group['auroc_after']:.3f}",
            f"{verdicts['before']} of {cells}",
            f"{verdicts['after']} of {cells}",
        )
    table.add_section()
    table.add_row("mean", f"{summary['mean_auroc_before']:.3f}", f"[bold]{summary['mean_auroc_after']:.3f}[/]", "", "")
    return table


def engines_table(summary: dict[str, Any]) -> Table:
    """The engines and what is known of each, for the terminal."""
    table = Table()
    for column in ("engine", "state", "size", "map error", "verify here"):
        table.add_column(column, justify="right" if column in ("size", "map error") else "left")
    for engine in summary["engines"]:
        error, size = engine.get("max_map_error"), engine.get("mib")
        table.add_row(
            engine["name"],
            engine["state"],
            "" if size is None else f"{size:.1f} MiB",
            "" if error is None else f"{error:.1e}",
            engine["verify"]["outcome"] if "verify" in engine else "",
        )
    return table


def _group(result: GroupResult) -> dict[str, Any]:
    pair = result.pair
    return {
        "text": pair.group.words,
        "auroc_before": round(pair.auroc_before, _DIGITS),
        "auroc_after": round(pair.auroc_after, _DIGITS),
        "cells": len(pair.frames),
        "cells_declared_normal": int(pair.added.sum()),
        "right_verdicts": {
            "before": result.right_verdicts(result.verdicts_before),
            "after": result.right_verdicts(result.verdicts_after),
        },
        "reject_to_pass": {
            "right": [cell.path.name for cell in result.released],
            "wrong": [cell.path.name for cell in result.missed],
        },
    }


def _engine(bundle: Bundle, record: EngineRecord, checks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    size = sum(bundle.manifest.files[file].bytes for file in _files(bundle, record))
    (check,) = (each for each in checks if each["target"] == record.target.value)
    capability = f" {record.compute_capability}" if record.compute_capability else ""
    return {
        "target": record.target.value,
        "name": record.target.value + capability,
        "state": record.state.value,
        "reason": record.reason,
        "file": record.file,
        "mib": round(size / (1 << 20), 2),
        "max_map_error": record.max_map_error,
        "compute_capability": record.compute_capability,
        "built_with": record.built_with,
        "verify": {key: check[key] for key in ("outcome", "reason", "device", "max_map_error", "verdicts_equal")},
    }


def _not_built(refused: Refused) -> dict[str, Any]:
    return {"target": refused.target.value, "name": refused.target.value, "state": NOT_BUILT, "reason": refused.reason}


def _files(bundle: Bundle, record: EngineRecord) -> list[str]:
    """The files that make up an engine: its folder, or the graph with its weights."""
    parent = Path(record.file).parent.as_posix()
    if parent == ".":
        return [file for file in (record.file, "weights.bin") if file in bundle.manifest.files]
    return [file for file in bundle.manifest.files if file.startswith(f"{parent}/")]


def _latency(latency: Latency) -> dict[str, float]:
    figures = {"p50": latency.p50, "p90": latency.percentile(90), "mean": latency.mean}
    return {**{name: round(value, 2) for name, value in figures.items()}, "frames": len(latency.milliseconds)}
