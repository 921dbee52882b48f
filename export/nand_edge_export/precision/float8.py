"""The 8-bit floating point E4M3 without infinities (Micikevicius et al. 2022), which numpy does not have."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

LARGEST_E4M3 = 448.0
_SIGN = 0x80


def e4m3_tensor(values: NDArray[np.float32], name: str = "") -> onnx.TensorProto:
    """Values rounded to the nearest of E4M3, those beyond its range to its ends."""
    known = _positive_values()
    codes = np.searchsorted((known[1:] + known[:-1]) / 2, np.abs(values)).astype(np.uint8)
    codes = codes | np.where(np.signbit(values) & (codes > 0), _SIGN, 0).astype(np.uint8)
    return helper.make_tensor(name, TensorProto.FLOAT8E4M3FN, values.shape, codes.tobytes(), raw=True)


def _positive_values() -> NDArray[np.float32]:
    """The numbers from 0 to 448 that E4M3 has, in the order of their codes: 4 bits of exponent, 3 of mantissa."""
    codes = np.arange(0x7F)
    exponent, mantissa = codes >> 3, (codes & 7) / 8
    return np.where(exponent == 0, mantissa * 2.0**-6, (1 + mantissa) * 2.0 ** (exponent - 7.0)).astype(np.float32)
