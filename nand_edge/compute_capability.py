"""Compute capabilities of NVIDIA GPUs as engines record them: one, several, or one and all later ones."""

from __future__ import annotations

import re

from nand_edge.errors import NandEdgeError

_LATER = "+"
_ONE = re.compile(r"[1-9][0-9]?\.[0-9]")


def parse_capabilities(text: str) -> tuple[str, ...]:
    """The capabilities that a person gave, "8.6" or "8.6,8.9", in ascending order and each once.

    Raises:
        NandEdgeError: It is no list of capabilities.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(_ONE.fullmatch(part) for part in parts):
        raise NandEdgeError(
            "compute capability",
            found=repr(text),
            needed="a number such as 8.6, or several as in 8.6,8.9",
            do="correct it (RTX 20 series: 7.5, RTX 30: 8.6, RTX 40: 8.9, RTX 50: 12.0)",
        )
    return tuple(sorted(set(parts), key=as_pair))


def recorded(capabilities: tuple[str, ...], *, and_later: bool = False) -> str:
    """What an engine's record says: "8.6", "8.6,8.9", or "8.0+" for a capability and all later ones."""
    return ",".join(capabilities) + (_LATER if and_later else "")


def runs_on(record: str, device: str) -> bool:
    """Whether an engine with this record was built for the device's capability; an empty record fits every device."""
    if not record:
        return True
    if record.endswith(_LATER):
        return as_pair(device) >= as_pair(record.removesuffix(_LATER))
    return device in record.split(",")


def file_name(record: str) -> str:
    """A record as part of a file's name: "sm86", "sm86-sm89", "sm80-and-later"."""
    names = [f"sm{part.removesuffix(_LATER).replace('.', '')}" for part in record.split(",")]
    return "-".join(names) + ("-and-later" if record.endswith(_LATER) else "")


def as_pair(capability: str) -> tuple[int, int]:
    """A capability as numbers that can be compared: "8.6" is (8, 6)."""
    major, _, minor = capability.partition(".")
    return int(major), int(minor)
