"""Graph files of a bundle: two lowerings that share one file of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import onnx
from onnx import TensorProto
from onnx.external_data_helper import set_external_data

from nand_edge_export.graph.nodes import all_initializers

WEIGHTS = "weights.bin"
_SMALL_BYTES = 1024
_ALIGNMENT = 64


def write_graphs(models: Mapping[str, onnx.ModelProto], folder: Path) -> None:
    """Write each model to `folder`, checked; weights that are equal stand once in `weights.bin`.

    Args:
        models: File name to model; the models lose their weights to the file.
        folder: The bundle's folder.
    """
    places: dict[bytes, tuple[int, int]] = {}
    with (folder / WEIGHTS).open("wb") as stream:
        for model in models.values():
            for tensor in all_initializers(model.graph):
                if len(tensor.raw_data) > _SMALL_BYTES:
                    _move(tensor, stream, places)
    for name, model in models.items():
        onnx.save_model(model, folder / name)
        onnx.checker.check_model(str(folder / name), full_check=True)


def _move(tensor: TensorProto, stream: BinaryIO, places: dict[bytes, tuple[int, int]]) -> None:
    key = hashlib.sha256(tensor.raw_data).digest()
    if key not in places:
        stream.write(bytes(-stream.tell() % _ALIGNMENT))
        places[key] = (stream.tell(), len(tensor.raw_data))
        stream.write(tensor.raw_data)
    offset, length = places[key]
    set_external_data(tensor, WEIGHTS, offset=offset, length=length)
    tensor.ClearField("raw_data")
