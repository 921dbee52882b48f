"""Linear projections from the taps to the text space: our safetensors, or the official release's checkpoints."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.manifest import WeightsSource
from nand_edge_export.clip.loading import NAND_TINY, NAND_TINY_FOLDER, RANDOM
from nand_edge_export.tensors import require_finite, sha256_of_tensors

LOGIT_SCALE = 100.0
"""Factor of the cosine in the official release."""

OFFICIAL_KEY = "trainable_linearlayer"
OFFICIAL_IMAGE_SIZE = 518
"""Side of the images that the official release's projections were trained on, pixels."""

_WEIGHT = re.compile(r"fc\.(\d+)\.weight")
_TRAINING = "training"
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class TrainingRecord:
    """How projections were trained, as `nand-edge train-projection` writes it into their file.

    Attributes:
        clip: Name of the CLIP.
        clip_sha256: Its hash; the projections fit no other weights.
        taps: Blocks or stages that the layers belong to.
        image_size: Side of the images, pixels.
        data_set: Name of the data set.
        epochs: How often every image was seen.
        recipe: Learning rate, batch and the like.
    """

    clip: str
    clip_sha256: str
    taps: tuple[int, ...]
    image_size: int
    data_set: str
    epochs: int
    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class Projections:
    """One linear layer a tap.

    Attributes:
        layers: For each tap, weight [D, channels] and bias [D], float32.
        source: Where they came from.
        logit_scale: Factor of the cosine that they were trained with.
        image_size: Side of the images that they were trained on, pixels; None where nobody wrote it down.
        training: How they were trained, where the file says it.
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    source: WeightsSource
    logit_scale: float = LOGIT_SCALE
    image_size: int | None = None
    training: TrainingRecord | None = None

    def write(self, path: Path) -> None:
        """Write them as safetensors with the official release's names inside the checkpoint."""
        tensors = {name: tensor.contiguous() for name, tensor in _named(self.layers).items()}
        metadata = {"logit_scale": str(self.logit_scale)}
        if self.training is not None:
            metadata[_TRAINING] = json.dumps(asdict(self.training))
        with whole_file(path) as temporary:
            save_file(tensors, temporary, metadata=metadata)

    def require_clip(self, name: str, sha256: str, taps: Sequence[int]) -> None:
        """Refuse to be used with another CLIP, or at other taps, than the file says that they were trained for.

        Raises:
            NandEdgeError: The CLIP with hash `sha256`, or its taps, are others.
        """
        if self.training is None:
            return
        if self.training.clip_sha256 != sha256:
            raise NandEdgeError(
                f"projections {self.source.name!r}",
                found=f"layers that were trained for the CLIP {self.training.clip!r} "
                f"({self.training.clip_sha256[:12]}…)",
                needed=f"layers for {name!r} ({sha256[:12]}…)",
                do=f"use --clip {self.training.clip}, or train them for this CLIP with `nand-edge train-projection`",
            )
        if self.training.taps != tuple(taps):
            trained = ",".join(map(str, self.training.taps))
            raise NandEdgeError(
                f"projections {self.source.name!r}",
                found=f"layers of the taps {trained}",
                needed=f"layers of the taps {','.join(map(str, taps))}",
                do=f"give --taps {trained}",
            )


def load_projections(name: str | None, *, clip_name: str, channels: Sequence[int], width: int) -> Projections:
    """Load the projections for an encoder.

    Args:
        name: A file (`.safetensors`, or the official `.pth`), `random` (for timing), or None for the ones that come
            with the CLIP.
        clip_name: The CLIP's name; only `nand-tiny` comes with projections.
        channels: Channels of each tap.
        width: Length D of a text feature.

    Raises:
        NandEdgeError: No projections given or found, a damaged file, or layers of another number or width.
    """
    if name == RANDOM:
        return _random(channels, width)
    path = _file_of(name, clip_name)
    tensors, logit_scale, training = _read(path)
    require_finite(tensors, f"projections {str(path)!r}")
    layers = _layers(path, tensors)
    _check_shapes(path, layers, channels, width)
    licence = "Apache-2.0" if path.parent == NAND_TINY_FOLDER else "as its publisher states"
    label = clip_name if path.parent == NAND_TINY_FOLDER else path.name
    return Projections(
        layers,
        source_of_layers(layers, name=label, licence=licence),
        logit_scale,
        _image_size(path, training),
        training,
    )


def trained_image_size(name: str | None) -> int | None:
    """Side of the images that a file's projections were trained on, pixels; None where the file does not say it.

    Raises:
        NandEdgeError: The file is missing or damaged.
    """
    if name is None or name == RANDOM:
        return None
    path = _file_of(name, "")
    return _image_size(path, _read(path)[2])


def source_of_layers(layers: Sequence[tuple[torch.Tensor, torch.Tensor]], *, name: str, licence: str) -> WeightsSource:
    """The record of layers' source, with their hash."""
    return WeightsSource(name=name, sha256=sha256_of_tensors(_named(layers)), licence=licence)


def _named(layers: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The layers by the names that the official release has inside its checkpoints."""
    named = {}
    for number, (weight, bias) in enumerate(layers):
        named[f"fc.{number}.weight"], named[f"fc.{number}.bias"] = weight, bias
    return named


def _image_size(path: Path, training: TrainingRecord | None) -> int | None:
    if training is not None:
        return training.image_size
    return None if path.suffix == ".safetensors" else OFFICIAL_IMAGE_SIZE


def _file_of(name: str | None, clip_name: str) -> Path:
    if name is None and clip_name == NAND_TINY:
        return NAND_TINY_FOLDER / "projections.safetensors"
    if name is None:
        raise NandEdgeError(
            f"projections of {clip_name!r}",
            found="none given",
            needed="the linear layers that were trained for its taps",
            do=f"give --projection FILE (.safetensors or the official .pth), or --projection {RANDOM} to measure speed",
        )
    path = Path(name)
    if not path.is_file():
        raise NandEdgeError(f"projections {name!r}", found="no such file", needed="a file", do="check the path")
    if path.stat().st_size > _MAX_BYTES:
        raise _unsuitable(path, f"{path.stat().st_size >> 20} MiB, at most {_MAX_BYTES >> 20} are read")
    return path


def _read(path: Path) -> tuple[dict[str, torch.Tensor], float, TrainingRecord | None]:
    """Tensors by name, the factor of the cosine, and how they were trained."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as stream:
                metadata = stream.metadata() or {}
            tensors = load_file(path)
        else:
            metadata = {}
            tensors = _official_layers(path, torch.load(path, map_location="cpu", weights_only=True))
        logit_scale = float(metadata.get("logit_scale", LOGIT_SCALE))
        training = _training(json.loads(metadata[_TRAINING])) if _TRAINING in metadata else None
    except (
        SafetensorError,
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        OSError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise _unsuitable(path, f"a file that cannot be read ({type(error).__name__})") from error
    return {name: tensor.float() for name, tensor in tensors.items()}, logit_scale, training


def _official_layers(path: Path, checkpoint: Any) -> dict[str, torch.Tensor]:
    if not isinstance(checkpoint, dict) or not isinstance(checkpoint.get(OFFICIAL_KEY), dict):
        keys = ", ".join(repr(key) for key in checkpoint) if isinstance(checkpoint, dict) else type(checkpoint).__name__
        raise _unsuitable(path, f"a checkpoint without {OFFICIAL_KEY!r} ({keys[:80]})")
    layers: dict[str, torch.Tensor] = checkpoint[OFFICIAL_KEY]
    if not all(isinstance(tensor, torch.Tensor) for tensor in layers.values()):
        raise _unsuitable(path, "entries that are no tensors")
    return layers


def _training(record: dict[str, Any]) -> TrainingRecord:
    return TrainingRecord(
        clip=str(record["clip"]),
        clip_sha256=str(record["clip_sha256"]),
        taps=tuple(int(tap) for tap in record["taps"]),
        image_size=int(record["image_size"]),
        data_set=str(record["data_set"]),
        epochs=int(record["epochs"]),
        recipe=dict(record["recipe"]),
    )


def _layers(path: Path, tensors: Mapping[str, torch.Tensor]) -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    """The layers in order; each has a weight and a bias, and there is nothing else in the file."""
    count = sum(bool(_WEIGHT.fullmatch(key)) for key in tensors)
    names = [f"fc.{number}.{part}" for number in range(count) for part in ("weight", "bias")]
    missing, foreign = [name for name in names if name not in tensors], [key for key in tensors if key not in names]
    if not count or missing or foreign:
        problems = [f"no {name!r}" for name in missing or ["fc.0.weight"][count:]]
        raise _unsuitable(path, ", ".join([*problems, *(f"an unknown {key!r}" for key in foreign)][:4]))
    return tuple((tensors[f"fc.{number}.weight"], tensors[f"fc.{number}.bias"]) for number in range(count))


def _check_shapes(
    path: Path, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], channels: Sequence[int], width: int
) -> None:
    name = f"projections {str(path)!r}"
    if len(layers) != len(channels):
        raise NandEdgeError(
            name,
            found=f"{len(layers)} layers",
            needed=f"{len(channels)} layers, one a tap",
            do=f"give {len(layers)} --taps, or use projections that were trained for these",
        )
    for number, ((weight, bias), count) in enumerate(zip(layers, channels, strict=True)):
        if tuple(weight.shape) != (width, count) or tuple(bias.shape) != (width,):
            raise NandEdgeError(
                name,
                found=f"layer {number} with a weight {list(weight.shape)} and a bias {list(bias.shape)}",
                needed=f"a weight [{width}, {count}] and a bias [{width}], from the tap's channels to a text feature's",
                do="use projections that were trained for this CLIP, or other --taps",
            )


def _random(channels: Sequence[int], width: int) -> Projections:
    generator = torch.Generator().manual_seed(0)
    layers = tuple(
        (torch.randn(width, count, generator=generator) * count**-0.5, torch.zeros(width)) for count in channels
    )
    return Projections(layers, source_of_layers(layers, name=RANDOM, licence="none"))


def _unsuitable(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"projections {str(path)!r}",
        found=found,
        needed=f"safetensors with fc.0.weight, fc.0.bias, ..., or the official checkpoint with {OFFICIAL_KEY!r}",
        do="use another file",
    )
