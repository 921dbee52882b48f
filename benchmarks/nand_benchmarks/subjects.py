"""What is measured: detectors beside a CLIP, as modules of torch and as bundles that are exported once and kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from nand_benchmarks.frames import make_frames
from nand_benchmarks.sources import sources_digest
from nand_edge.files import whole_file
from nand_edge.manifest import ThresholdRecord
from nand_edge.normality import Normality, write_normality
from nand_edge_export.clip import Clip, ClipEncoder, load_clip
from nand_edge_export.detectors import AprilGan, Detector, PatchCore
from nand_edge_export.detectors.backbones import DEFAULT, load_backbone
from nand_edge_export.detectors.patchcore import PatchFeatures
from nand_edge_export.export import Export, export_bundle
from nand_edge_export.normality import make_normality

APRIL_GAN, PATCHCORE = "april-gan", "patchcore"
TINY = "nand-tiny"
LOGIT_SCALE = 100.0
RESNET18 = "resnet18"
INPUT_SIZE = 256
_SOURCES = (
    "export/nand_edge_export/clip",
    "export/nand_edge_export/detectors",
    "export/nand_edge_export/graph",
    "export/nand_edge_export/export.py",
    "nand_edge/signature.py",
    "nand_edge/manifest.py",
    "benchmarks/nand_benchmarks/subjects.py",
)
"""What a bundle depends on: when one of these changes, it is exported again."""


@dataclass(frozen=True)
class Subject:
    """A base detector and the CLIP of the normality detection.

    Attributes:
        name: What tables call it.
        detector: `april-gan`, on the CLIP's own tokens, or `patchcore`.
        clip: As `load_clip` takes it; random weights cost as much as others.
        image_size: Side of the CLIP's image, pixels; None for its own.
        memory_patches: PatchCore's.
        backbone: PatchCore's, a timm name; its image has 256 x 256 pixels.
    """

    name: str
    detector: str
    clip: str = TINY
    image_size: int | None = None
    memory_patches: int = 0
    backbone: str = DEFAULT

    @property
    def key(self) -> str:
        """A file name for it, the same for the same subject whatever it is called."""
        parts = {key: value for key, value in asdict(self).items() if key != "name"}
        return f"{self.detector}-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class Parts:
    """A subject's modules.

    Attributes:
        detector: The base detector, with an encoder pass of its own where it reads the CLIP's tokens.
        clip: The CLIP.
        encoder: The CLIP's image encoder with projections.
        normality: What is suppressed.
    """

    detector: Detector
    clip: Clip
    encoder: ClipEncoder
    normality: Normality


def make_parts(subject: Subject) -> Parts:
    """Make a subject's modules; weights and memory are the same each time."""
    clip = load_clip(subject.clip, image_size=subject.image_size)
    encoder = ClipEncoder(clip, projection=None if subject.clip == TINY else "random")
    normality = make_normality(clip, "dark stain", "part", name="stain")
    if subject.detector == APRIL_GAN:
        return Parts(_april_gan(clip, encoder), clip, encoder, normality)
    return Parts(_patchcore(subject), clip, encoder, normality)


def bundle_of(subject: Subject, work: Path, say: Callable[[str], None]) -> Path:
    """The subject's bundle, exported if `work` has none that today's sources would make.

    Args:
        subject: What to export.
        work: Where bundles are kept.
        say: Told what is being done.
    """
    digest = sources_digest(*_SOURCES)
    folder = work / subject.key
    bundle, made_of = folder / "subject.nand", folder / "sources"
    if bundle.is_dir() and made_of.is_file() and made_of.read_text(encoding="ascii") == digest:
        return bundle
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"{subject.name}: making the networks")
    parts = make_parts(subject)
    threshold = ThresholdRecord(value=1e-9, chosen_by="the benchmark")
    export = Export(
        parts.detector, parts.clip, parts.encoder, [parts.normality], threshold, logit_scale=logit_scale(subject)
    )
    export_bundle(export, bundle, on_phase=lambda phase: say(f"{subject.name}: {phase}"))
    with whole_file(made_of) as temporary:
        temporary.write_text(digest, encoding="ascii")
    return bundle


def normality_files(subject: Subject, count: int, work: Path) -> list[Path]:
    """So many normalities of different words for the subject's CLIP, as files."""
    folder = work / f"{subject.key}-normalities"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"normality-{number}.normality" for number in range(count)]
    clip = load_clip(subject.clip, image_size=subject.image_size)
    for number, file in enumerate(files):
        write_normality(make_normality(clip, f"stain number {number}", "part", name=file.stem), file)
    return files


def resnet18_weights(work: Path) -> Path:
    """A file of random weights for resnet18, so that two libraries can run the very same network."""
    import timm
    from safetensors.torch import save_file

    path = work / f"{RESNET18}.safetensors"
    if not path.is_file():
        work.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        network = timm.create_model(RESNET18, pretrained=False)
        with whole_file(path) as temporary:
            save_file(network.state_dict(), str(temporary))
    return path


def logit_scale(subject: Subject) -> float | None:
    """Factor of the cosine: APRIL-GAN's for projections of random weights, None for the projections' own."""
    return LOGIT_SCALE if subject.clip != TINY else None


def _april_gan(clip: Clip, encoder: ClipEncoder) -> AprilGan:
    features = [clip.text_features([prompt]) for prompt in ("a flawless part", "a damaged part")]
    return AprilGan(
        torch.from_numpy(np.stack(features)), encoder.identity(), object_name="part", weights=clip.weights
    ).eval()


def _patchcore(subject: Subject) -> PatchCore:
    """PatchCore with a memory of patches of noise: its cost depends on their number only."""
    backbone = load_backbone(subject.backbone, INPUT_SIZE)
    features = PatchFeatures(backbone)
    with torch.inference_mode():
        images = backbone.preprocessing.prepare(np.stack(make_frames(8)))
        patches = features(images).permute(0, 2, 3, 1).flatten(0, 2)
    drawn = torch.Generator().manual_seed(0)
    chosen = patches[torch.randint(len(patches), (subject.memory_patches,), generator=drawn)]
    # So that no two are equal, however many there are.
    moved = chosen + 0.01 * patches.std() * torch.randn(chosen.shape, generator=drawn)
    return PatchCore(features, backbone, moved.clone()).eval()
