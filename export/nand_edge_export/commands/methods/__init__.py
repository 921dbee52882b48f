"""The methods of `nand-edge fit` and their options: one file a method, whose function's parameters are its options."""

from __future__ import annotations

from collections.abc import Callable

from nand_edge_export.commands.methods.april_gan import april_gan
from nand_edge_export.commands.methods.onnx_model import onnx_model
from nand_edge_export.commands.methods.patchcore import patchcore
from nand_edge_export.commands.methods.winclip import winclip
from nand_edge_export.detectors.method import Method

METHODS: dict[str, Callable[..., Method]] = {
    "patchcore": patchcore,
    "april-gan": april_gan,
    "winclip": winclip,
    "onnx": onnx_model,
}
"""By the names that users type, what makes a method from the options that were given.

All parameters are keywords, annotated as typer wants it, and None when they were not given. Methods may share an
option: it then has the same annotation (see `common`).
"""

__all__ = ["METHODS"]
