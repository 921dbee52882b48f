"""What one of our safetensors files (a normality, a detector) says of itself, read without loading its tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from nand_edge import normality
from nand_edge.errors import NandEdgeError
from nand_edge.files import sha256_of_file


def describe_file(path: Path) -> dict[str, Any]:
    """Describe a `.normality`, a `.detector` or another safetensors file of ours.

    Returns:
        `kind` (the format's name and number), `sha256`, the metadata with its JSON unfolded, and `tensors`, each as
        `name: dtype [shape]`. A normality is also checked as if it were to be used.

    Raises:
        NandEdgeError: The file is no safetensors file, is none of ours, or holds a damaged normality.
    """
    metadata, tensors = _read_header(path)
    kind = metadata.pop("format", "")
    if not kind.startswith("nand-edge "):
        raise _foreign(path, f"a safetensors file of the format {kind!r}" if kind else "a safetensors file of others")
    if kind == normality.FORMAT:
        normality.read_normality(path)
    document: dict[str, Any] = {"kind": kind.removeprefix("nand-edge "), "sha256": sha256_of_file(path)}
    for name, text in metadata.items():
        value = _unfolded(text)
        document.update(value if isinstance(value, dict) else {name: value})
    return {**document, "tensors": tensors}


def _read_header(path: Path) -> tuple[dict[str, str], list[str]]:
    try:
        with safe_open(str(path), framework="np") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118 - no mapping, has only keys()
            tensors = [f"{name}: {part.get_dtype()} {part.get_shape()}" for name, part in slices.items()]
            return dict(opened.metadata() or {}), tensors
    except SafetensorError:
        raise _foreign(path, "no safetensors file, or one that was cut short") from None
    except OSError as error:
        raise _foreign(path, error.strerror or str(error)) from None


def _unfolded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _foreign(path: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"file {str(path)!r}",
        found=found,
        needed="a bundle NAME.nand, a NAME.normality or a NAME.detector",
        do="check the path or make the file again",
    )
