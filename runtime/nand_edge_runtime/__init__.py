"""The device's side of NAND Edge: frames in, verdicts out, with numpy, OpenCV and one inference engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nand_edge.inspection import Inspection, Verdict
    from nand_edge_runtime.inspector import Inspector

__all__ = ["Inspection", "Inspector", "Verdict"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `nand-edge doctor` must start where numpy or OpenCV does not."""
    if name == "Inspector":
        from nand_edge_runtime.inspector import Inspector

        return Inspector
    if name in ("Inspection", "Verdict"):
        from nand_edge import inspection

        return getattr(inspection, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
