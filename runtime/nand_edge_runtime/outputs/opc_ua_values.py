"""What is written into an OPC UA variable, in the type that the server gives it."""

from __future__ import annotations

import math
from typing import NamedTuple

from asyncua import ua

from nand_edge_runtime.outputs.protocol import OutputFault
from nand_edge_runtime.outputs.told import counted

_Type = ua.VariantType

_INTEGERS = {
    _Type.SByte: (-(1 << 7), (1 << 7) - 1),
    _Type.Byte: (0, (1 << 8) - 1),
    _Type.Int16: (-(1 << 15), (1 << 15) - 1),
    _Type.UInt16: (0, (1 << 16) - 1),
    _Type.Int32: (-(1 << 31), (1 << 31) - 1),
    _Type.UInt32: (0, (1 << 32) - 1),
    _Type.Int64: (-(1 << 63), (1 << 63) - 1),
    _Type.UInt64: (0, (1 << 64) - 1),
}


class Value(NamedTuple):
    """A value before its variable's type is known.

    Attributes:
        number: As a number; None where it has none.
        text: As a text.
        counts: Whether it is a count, which begins again at 1 after the largest value that fits.
    """

    number: float | None
    text: str
    counts: bool = False


def variant(name: str, value: Value, kind: ua.VariantType) -> ua.Variant:
    """The value in a variable's type.

    Args:
        name: What it is, for the complaint.
        value: The value.
        kind: The variable's type.

    Raises:
        OutputFault: The value cannot be written into that type.
    """
    if kind is _Type.String:
        return ua.Variant(value.text, kind)
    number = value.number
    if kind in (_Type.Float, _Type.Double):
        return ua.Variant(math.nan if number is None else float(number), kind)
    if kind is _Type.Boolean and number is not None:
        return ua.Variant(bool(number), kind)
    if kind in _INTEGERS and (number is not None or name == "position"):
        return ua.Variant(_whole(value, *_INTEGERS[kind]), kind)
    raise OutputFault(f"the variable for {name} is of type {kind.name}, which cannot hold it")


def _whole(value: Value, smallest: int, largest: int) -> int:
    """As an integer; the smallest is that of a place that nothing tells, and what does not fit is the nearest."""
    if value.number is None:
        return smallest
    if value.counts:
        return counted(int(value.number), largest)
    return min(max(round(value.number), smallest), largest)
