"""What all weights go through: the refusal of broken ones, and their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch

from nand_edge.errors import NandEdgeError


def require_finite(tensors: Mapping[str, torch.Tensor], name: str) -> None:
    """Refuse weights with NaN or infinity.

    Raises:
        NandEdgeError: A tensor of `tensors` has a value that is no finite number.
    """
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NandEdgeError(
                name,
                found=f"NaN or infinity in {key!r}",
                needed="finite weights",
                do="use an undamaged file, or train it again",
            )


def sha256_of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hash over the names, types, shapes and values of tensors, for weights that did not come from a file of ours."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        array = tensors[key].detach().cpu().contiguous().numpy()
        digest.update(f"{key} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
