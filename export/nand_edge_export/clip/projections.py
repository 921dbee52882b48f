"""Linear projections from the taps to the text space: our safetensors, or the official release's checkpoints."""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
_WEIGHT = re.compile(r"fc\.(\d+)\.weight")


@dataclass(frozen=True)
class Projections:
    """One linear layer a tap.

    Attributes:
        layers: For each tap, weight [D, channels] and bias [D], float32.
        source: Where they came from.
        logit_scale: Factor of the cosine that they were trained with.
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    source: WeightsSource
    logit_scale: float = LOGIT_SCALE

    def write(self, path: Path) -> None:
        """Write them as safetensors with the official release's names inside the checkpoint."""
        tensors = {name: tensor.contiguous() for name, tensor in _named(self.layers).items()}
        with whole_file(path) as temporary:
            save_file(tensors, temporary, metadata={"logit_scale": str(self.logit_scale)})


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
    tensors, logit_scale = _read(path)
    require_finite(tensors, f"projections {str(path)!r}")
    numbers = sorted(int(match.group(1)) for key in tensors if (match := _WEIGHT.fullmatch(key)))
    layers = tuple(_layer(tensors, number) for number in numbers)
    _check_shapes(path, layers, channels, width)
    licence = "Apache-2.0" if path.parent == NAND_TINY_FOLDER else "as its publisher states"
    label = clip_name if path.parent == NAND_TINY_FOLDER else path.name
    return Projections(
        layers, WeightsSource(name=label, sha256=sha256_of_tensors(_named(layers)), licence=licence), logit_scale
    )


def _named(layers: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The layers by the names that the official release has inside its checkpoints."""
    named = {}
    for number, (weight, bias) in enumerate(layers):
        named[f"fc.{number}.weight"], named[f"fc.{number}.bias"] = weight, bias
    return named


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
    return path


def _read(path: Path) -> tuple[dict[str, torch.Tensor], float]:
    logit_scale = LOGIT_SCALE
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
            with safe_open(path, framework="numpy") as stream:
                logit_scale = float((stream.metadata() or {}).get("logit_scale", LOGIT_SCALE))
        else:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            tensors = checkpoint[OFFICIAL_KEY]
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
    if not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise _unsuitable(path, "entries that are no tensors")
    return {name: tensor.float() for name, tensor in tensors.items()}, logit_scale


def _layer(tensors: dict[str, torch.Tensor], number: int) -> tuple[torch.Tensor, torch.Tensor]:
    weight = tensors[f"fc.{number}.weight"]
    return weight, tensors.get(f"fc.{number}.bias", torch.zeros(weight.shape[0]))


def _check_shapes(
    path: Path, layers: Sequence[tuple[torch.Tensor, torch.Tensor]], channels: Sequence[int], width: int
) -> None:
    found = [tuple(weight.shape) for weight, _ in layers]
    needed = [(width, count) for count in channels]
    if found != needed:
        raise NandEdgeError(
            f"projections {str(path)!r}",
            found=f"layers {found}",
            needed=f"{len(needed)} layers {needed}, one a tap",
            do="use projections that were trained for this CLIP, or other --taps",
        )


def _random(channels: Sequence[int], width: int) -> Projections:
    generator = torch.Generator().manual_seed(0)
    layers = tuple(
        (torch.randn(width, count, generator=generator) * count**-0.5, torch.zeros(width)) for count in channels
    )
    return Projections(layers, WeightsSource(name=RANDOM, sha256=sha256_of_tensors(_named(layers)), licence="none"))


def _unsuitable(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"projections {str(path)!r}",
        found=found,
        needed=f"safetensors with fc.0.weight, fc.0.bias, ..., or the official checkpoint with {OFFICIAL_KEY!r}",
        do="use another file",
    )
