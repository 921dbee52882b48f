"""The line's bundle: the detector of the parts beside the embedded CLIP, exported once and kept."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx

from nand_benchmarks.line.parts import THRESHOLD, detector_model
from nand_benchmarks.sources import sources_digest
from nand_edge.files import whole_file

NORMALITIES = ("thread", "smudge")
"""Both are in the bundle and in force; neither covers a bad part."""

_SOURCES = (
    "export/nand_edge_export/clip",
    "export/nand_edge_export/detectors",
    "export/nand_edge_export/graph",
    "export/nand_edge_export/export.py",
    "nand_edge/signature.py",
    "nand_edge/manifest.py",
    "benchmarks/nand_benchmarks/line/parts.py",
    "benchmarks/nand_benchmarks/line/bundle.py",
)
"""What the bundle depends on: when one of these changes, it is exported again."""


def line_bundle(work: Path, say: Callable[[str], None]) -> Path:
    """The bundle, exported if `work` has none that today's sources would make; who comes second waits for it.

    Args:
        work: Where bundles are kept.
        say: Told what is being done.
    """
    work.mkdir(parents=True, exist_ok=True)
    with (work / "line.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _kept_or_made(work / "line", say)


def _kept_or_made(folder: Path, say: Callable[[str], None]) -> Path:
    digest = sources_digest(*_SOURCES)
    bundle, made_of = folder / "line.nand", folder / "sources"
    if bundle.is_dir() and made_of.is_file() and made_of.read_text(encoding="ascii") == digest:
        return bundle
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _export(folder, bundle, say)
    with whole_file(made_of) as temporary:
        temporary.write_text(digest, encoding="ascii")
    return bundle


def _export(folder: Path, bundle: Path, say: Callable[[str], None]) -> None:
    # Torch, which a line does without, is loaded only where a bundle is made.
    from nand_edge.manifest import ThresholdRecord
    from nand_edge_export.clip import ClipEncoder, load_clip
    from nand_edge_export.detectors.onnx_interface import Wishes
    from nand_edge_export.detectors.onnx_model import OnnxModel
    from nand_edge_export.export import Export, export_bundle
    from nand_edge_export.normality import make_normality

    say("the line's bundle: making the networks")
    model = folder / "brightness.onnx"
    onnx.save(detector_model(), model)
    detector = OnnxModel.from_file(model, Wishes(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    clip = load_clip("nand-tiny")
    words = [make_normality(clip, name, "part", name=name) for name in NORMALITIES]
    threshold = ThresholdRecord(value=THRESHOLD, chosen_by="the benchmark")
    export = Export(detector, clip, ClipEncoder(clip), words, threshold)
    export_bundle(export, bundle, on_phase=lambda phase: say(f"the line's bundle: {phase}"))
