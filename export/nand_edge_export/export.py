"""Export: a base detector, a CLIP and normalities become one bundle, checked against the torch reference."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import importlib.metadata
import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from nand_edge import __version__
from nand_edge.bundle import GRAPH, PARITY, Bundle, open_bundle, write_manifest
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_folder
from nand_edge.inspection import decide
from nand_edge.manifest import (
    ClipRecord,
    EngineRecord,
    EngineState,
    Manifest,
    NormalityRecord,
    RegionRecord,
    Target,
    ThresholdRecord,
)
from nand_edge.normality import Normality, stack, write_normality
from nand_edge.region import REGION_FILE, Region, whole_frame, write_region
from nand_edge.samples import Samples, write_samples
from nand_edge.signature import REGION, SCORE
from nand_edge.suppression import NormalityTensors
from nand_edge_export.clip import Clip, ClipEncoder
from nand_edge_export.detectors.protocol import Detector
from nand_edge_export.graph.assembly import EVERYTHING, GraphOptions, Parts, assemble, convert_parts, graph_record
from nand_edge_export.graph.files import write_graphs
from nand_edge_export.graph.lowering import LOWERINGS, PORTABLE, Lowering
from nand_edge_export.parity import GraphParity, check_graph, level_error, resize_by_graph
from nand_edge_export.reference import Reference, Resize, pillow_resize
from nand_edge_export.text_encoder import write_text_encoder

SUFFIX = ".nand"
MAX_MAP_ERROR = 1e-4
"""What an fp32 map may be off by."""

MAX_SAMPLES = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_REPORTED_PACKAGES = ("torch", "open_clip_torch", "timm", "onnx", "onnxruntime-gpu", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True)
class Export:
    """What goes into a bundle.

    Attributes:
        detector: The base detector.
        clip: The CLIP.
        encoder: Its image encoder with projections.
        normalities: At least one, each made with this CLIP; all are active.
        threshold: What the score is compared with.
        logit_scale: Factor of the cosine; None for the one that the projections were trained with.
        region: Where frames are inspected; None for everywhere.
        graph: What the graph gives, and when it stops.
        text_encoder: Whether the CLIP's text tower goes along, so that the device can read sentences.
    """

    detector: Detector
    clip: Clip
    encoder: ClipEncoder
    normalities: Sequence[Normality]
    threshold: ThresholdRecord
    logit_scale: float | None = None
    region: Region | None = None
    graph: GraphOptions = EVERYTHING
    text_encoder: bool = False

    @property
    def scale(self) -> float:
        """The factor of the cosine that is used."""
        return self.encoder.projections.logit_scale if self.logit_scale is None else self.logit_scale

    @property
    def stacked(self) -> NormalityTensors:
        """All normalities for the encoder's taps."""
        return stack(self.normalities, len(self.encoder.taps))

    @property
    def inspected(self) -> Region:
        """Where frames are inspected: the region, or all of a frame."""
        return self.region or whole_frame(self.detector.map_size)

    @property
    def inputs(self) -> dict[str, NDArray[np.float32]]:
        """Normalities and region by the signature's names: the graph's defaults."""
        return {**self.stacked.inputs(), REGION: self.inspected.map}

    def clip_record(self) -> ClipRecord:
        """The CLIP's entry in the manifest."""
        return ClipRecord(
            model=self.clip.name,
            sha256=self.clip.sha256,
            input_size=self.encoder.preprocessing.size,
            taps=self.encoder.taps,
            width=self.encoder.width,
            logit_scale=self.scale,
            weights=self.clip.weights,
            projection=self.encoder.projections.source,
        )


def export_bundle(
    export: Export,
    output: Path,
    *,
    frames: Sequence[NDArray[np.uint8]] = (),
    on_phase: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write a bundle, whole or not at all.

    Args:
        export: What goes into it.
        output: The folder `NAME.nand`; an older bundle there is replaced when the new one is complete.
        frames: Sample frames, uint8 [H, W, 3] BGR, of which the first few are kept in the bundle; without any,
            pictures of noise stand in.
        on_phase: Told what is being done.

    Raises:
        NandEdgeError: The parts do not fit together, or a graph does not compute what the reference does.
    """
    _check(export, output)
    for frame in frames:
        export.inspected.require_aspect(frame.shape[1], frame.shape[0])
    export = dataclasses.replace(export, detector=export.detector.beside(export.encoder))
    on_phase("converting the networks")
    parts = convert_parts(export.detector, export.encoder, export.scale)
    on_phase("computing the reference")
    chosen = list(frames or noise_frames(export.inspected.aspect))[:MAX_SAMPLES]
    samples = {lowering: _samples(export, chosen, resize_by_graph(lowering)) for lowering in LOWERINGS}
    with whole_folder(output) as folder:
        on_phase("assembling the graphs")
        _write_graphs(parts, export, folder)
        for lowering in LOWERINGS:
            write_samples(folder, samples[lowering], lowering.file)
        normalities = _write_normalities(export.normalities, folder)
        if export.region is not None:
            write_region(export.region, folder / REGION_FILE)
        on_phase("comparing with the reference")
        parity = _check_graphs(export, samples, folder)
        (folder / PARITY).write_text(json.dumps(_parity_document(parity), indent=2) + "\n", encoding="utf-8")
        manifest = _manifest(export, output, parts, normalities, parity[0])
        if export.text_encoder:
            on_phase("writing the text encoder")
            manifest = manifest.model_copy(update={"text_encoder": write_text_encoder(export.clip, folder)})
        write_manifest(folder, manifest)
    return open_bundle(output)


def noise_frames(aspect: float | None = None) -> list[NDArray[np.uint8]]:
    """Pictures of smooth noise in three sizes, for an export without photographs at hand.

    Args:
        aspect: Width over height of them all; None for different ones.
    """
    generator = np.random.default_rng(0)
    frames = []
    for height, usual_width in ((240, 240), (480, 640), (300, 410)):
        width = usual_width if aspect is None else max(16, round(height * aspect))
        coarse = generator.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        frames.append(np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8))
    return frames


def _check(export: Export, output: Path) -> None:
    if output.suffix != SUFFIX or not _NAME.fullmatch(output.stem):
        raise NandEdgeError(
            f"output {str(output)!r}",
            found=f"the name {output.name!r}",
            needed=f"NAME{SUFFIX} of letters, digits, '.', '_' and '-'",
            do="choose another name",
        )
    if not export.normalities:
        raise NandEdgeError(
            "export", found="no normality", needed="at least one", do="make one with `nand-edge normality`"
        )
    names = [normality.name for normality in export.normalities]
    for normality in export.normalities:
        normality.require_encoder(export.clip_record())
        if names.count(normality.name) > 1 or not _NAME.fullmatch(normality.name):
            raise NandEdgeError(
                f"normality {normality.name!r}",
                found="this name twice" if names.count(normality.name) > 1 else "a name unfit for a file",
                needed="different names of letters, digits, '.', '_' and '-'",
                do="rename its file and make it again",
            )


def _samples(export: Export, frames: Sequence[NDArray[np.uint8]], resize: Resize) -> Samples:
    """The frames with the reference's results, given how frames are resized."""
    reference = Reference(export.detector, export.encoder, export.scale)
    normalities, region = export.stacked, export.inspected.map
    results = [reference.run(frame[None], normalities, region=region, resize=resize) for frame in frames]
    joined = {name: np.concatenate([result[name] for result in results]) for name in results[0]}
    return Samples(tuple(f"{place}.png" for place in range(len(frames))), tuple(frames), joined)


def _write_graphs(parts: Parts, export: Export, folder: Path) -> None:
    models = {lowering.file: assemble(parts, lowering, export.inputs, export.graph) for lowering in LOWERINGS}
    write_graphs(models, folder)


def _write_normalities(normalities: Sequence[Normality], folder: Path) -> tuple[NormalityRecord, ...]:
    (folder / "normalities").mkdir()
    records = []
    for normality in normalities:
        file = f"normalities/{normality.name}.safetensors"
        write_normality(normality, folder / file)
        records.append(NormalityRecord(name=normality.name, file=file, text=normality.text))
    return tuple(records)


def _region_record(region: Region | None) -> RegionRecord | None:
    if region is None:
        return None
    return RegionRecord(file=REGION_FILE, given_as=region.given_as, share=region.share, aspect=region.aspect)


def _check_graphs(export: Export, samples: Mapping[Lowering, Samples], folder: Path) -> list[GraphParity]:
    threshold = export.threshold.value
    truth = _samples(export, samples[PORTABLE].frames, pillow_resize)
    networks = (export.encoder.preprocessing, export.detector.preprocessing or export.encoder.preprocessing)
    return [
        check_graph(
            folder / lowering.file,
            samples[lowering],
            export.inputs,
            threshold=threshold,
            expected=[decide(float(score), threshold) for score in truth.reference[SCORE]],
            max_level_error=level_error(truth.frames, networks, resize_by_graph(lowering)),
            allowed_map_error=MAX_MAP_ERROR,
        )
        for lowering in LOWERINGS
    ]


def _parity_document(parity: Sequence[GraphParity]) -> dict[str, object]:
    return {"reference": f"torch {torch.__version__}", "graphs": [result.to_json() for result in parity]}


def _manifest(
    export: Export, output: Path, parts: Parts, normalities: tuple[NormalityRecord, ...], parity: GraphParity
) -> Manifest:
    engine = EngineRecord(
        target=Target.ONNX,
        file=GRAPH,
        state=EngineState.PARITY_CHECKED,
        built_with=f"nand-edge {__version__}",
        built_on=platform.machine(),
        max_map_error=parity.max_map_error,
    )
    return Manifest(
        name=output.stem,
        created=dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds"),
        detector=export.detector.record(),
        clip=export.clip_record(),
        threshold=export.threshold,
        normalities=normalities,
        region=_region_record(export.region),
        graph=graph_record(parts, export.graph),
        engines=(engine,),
        precision="fp32",
        versions=_versions(),
        files={},
    )


def _versions() -> dict[str, str]:
    found = {"nand-edge": __version__}
    for package in _REPORTED_PACKAGES:
        # Of the two packages of ONNX Runtime only one is installed.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
