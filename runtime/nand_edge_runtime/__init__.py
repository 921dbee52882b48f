"""The device's side of NAND Edge: frames in, verdicts out, with numpy, OpenCV and one inference engine."""

from nand_edge.inspection import Inspection, Verdict
from nand_edge_runtime.inspector import Inspector

__all__ = ["Inspection", "Inspector", "Verdict"]
