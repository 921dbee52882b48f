"""Options of WinCLIP."""

from __future__ import annotations

from nand_edge_export.commands.methods.common import ClipName, InputSize, ObjectName, ShotsText, given, required_object
from nand_edge_export.detectors.fit_winclip import WinClipMethod
from nand_edge_export.detectors.shots import parse_shots


def winclip(
    *,
    object_name: ObjectName = None,
    shots: ShotsText = None,
    clip: ClipName = None,
    input_size: InputSize = None,
) -> WinClipMethod:
    """WinCLIP with the options that were given."""
    return WinClipMethod(
        required_object(object_name), **given(shots=parse_shots(shots), clip=clip, image_size=input_size)
    )
