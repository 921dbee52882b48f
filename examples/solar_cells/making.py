"""The workstation's part: fit the detector, put the words into normalities, export the bundle, build its engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import LabelledFrame
from nand_edge.evaluation.groups import Group
from nand_edge.images import read_frame
from nand_edge.manifest import Target, ThresholdRecord
from nand_edge.normality import Normality, write_normality
from nand_edge_export.clip import NAND_TINY, ClipEncoder, load_clip
from nand_edge_export.detectors.files import write_detector
from nand_edge_export.detectors.fit_patchcore import PatchCoreMethod
from nand_edge_export.detectors.protocol import Progress
from nand_edge_export.engines import BuildOptions
from nand_edge_export.engines.build import build_engine
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.fit import Fit
from nand_edge_export.fit import fit as fit_detector
from nand_edge_export.normality import make_normality

COMPUTE_CAPABILITY = "8.6"
TARGETS = (Target.OPENVINO, Target.TENSORRT_RTX)


@dataclass(frozen=True)
class Refused:
    """A target without an engine, and why."""

    target: Target
    reason: str


def fit(good: Path, output: Path, method: PatchCoreMethod, progress: Progress) -> Fit:
    """Fit PatchCore on a folder of good cells and write it to `output`, NAME.detector."""
    fitted = fit_detector(method, good, progress=progress)
    write_detector(fitted.detector, output)
    return fitted


def make_normalities(groups: Sequence[Group], folder: Path) -> tuple[Normality, ...]:
    """Embed the groups' words with the embedded CLIP, and write NAME.normality for each into `folder`."""
    clip = load_clip(NAND_TINY)
    made = tuple(make_normality(clip, group.words, group.object_name, name=group.name) for group in groups)
    for normality in made:
        write_normality(normality, folder / f"{normality.name}.normality")
    return made


def export(
    fitted: Fit,
    normalities: Sequence[Normality],
    cells: Sequence[LabelledFrame],
    output: Path,
    on_phase: Callable[[str], None],
) -> Bundle:
    """Export one graph into the bundle `output`, and compare it with torch on a cell of each group."""
    threshold: ThresholdRecord | None = fitted.detector.threshold
    if threshold is None:
        raise NandEdgeError(
            "good cells", found=f"{fitted.frames}, too few to choose a threshold", needed="10", do="fit on more"
        )
    clip = load_clip(NAND_TINY)
    parts = Export(
        detector=fitted.detector,
        clip=clip,
        encoder=ClipEncoder(clip),
        normalities=normalities,
        threshold=threshold,
        text_encoder=True,
    )
    first_of_each = {cell.label: cell for cell in reversed(cells)}
    return export_bundle(
        parts, output, frames=[read_frame(cell.path) for cell in first_of_each.values()], on_phase=on_phase
    )


def build(bundle: Bundle, target: Target, on_phase: Callable[[str], None]) -> Bundle | Refused:
    """Build an engine into the bundle; where the target's package is missing, say so instead."""
    options = BuildOptions(compute_capability=COMPUTE_CAPABILITY)
    try:
        return build_engine(bundle, target, options, on_phase=on_phase)
    except NandEdgeError as error:
        return Refused(target, str(error))
