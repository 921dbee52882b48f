"""The device's part, a process of its own in which torch cannot be imported: `python -m solar_cells.on_device REQUEST`.

It prints a line a step and leaves its results beside the request.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solar_cells.refusal import prove_refused, refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nand_edge.inspection import Inspection
    from nand_edge_runtime import Inspector

REFUSED = ("torch", "torchvision", "open_clip", "timm", "onnx", "PIL", "nand_edge_export")
WITHOUT_WORDS, SCORED, JUDGED = "without words", "scored", "judged"
"""The passes over all frames: no normality; one, with the gate open for every frame; one, at the bundle's threshold."""

RESULTS = "results.json"
_REACHED_BY_ALL = -1e30
_WARM_UP = 5


def main(request_file: Path) -> None:
    """Inspect the frames of a request without words and with each normality alone, then verify the bundle."""
    refuse(REFUSED)
    from nand_edge.bundle import open_bundle
    from nand_edge.images import read_frame
    from nand_edge_runtime import Inspector
    from nand_edge_runtime.verification import verify_bundle

    request = json.loads(request_file.read_text(encoding="utf-8"))
    folder = request_file.parent
    frames = {Path(path).name: read_frame(path) for path in request["frames"]}
    bundle = open_bundle(request["bundle"])
    passes: list[tuple[str, str | None]] = [(WITHOUT_WORDS, None)]
    passes += [(kind, name) for name in request["normalities"] for kind in (SCORED, JUDGED)]
    with Inspector(bundle, target="onnx") as inspector:
        _warm_up(inspector, next(iter(frames.values())))
        records = [_pass(inspector, frames, folder, kind, normality) for kind, normality in passes]
    checks = [check.to_json() for check in verify_bundle(bundle, on_check=lambda _: _tell("verified"))]
    results = {"passes": records, "checks": checks, "device": inspector.device, "refused": prove_refused(REFUSED)}
    (folder / RESULTS).write_text(json.dumps(results), encoding="utf-8")


def _pass(
    inspector: Inspector, frames: dict[str, NDArray[np.uint8]], folder: Path, kind: str, normality: str | None
) -> dict[str, Any]:
    """Inspect all frames with one normality or none."""
    inspector.set_normalities([normality] if normality else [])
    inspector.threshold = _REACHED_BY_ALL if kind == SCORED else inspector.bundle.manifest.threshold.value
    inspections = []
    for name, frame in frames.items():
        inspections.append(inspector.inspect(frame, name=name))
        _tell("inspected")
    if kind == SCORED:
        _save_maps(inspections, folder / f"{normality}.npz")
    return {"kind": kind, "normality": normality, "inspections": [each.to_json() for each in inspections]}


def _warm_up(inspector: Inspector, frame: NDArray[np.uint8]) -> None:
    """Let both sides of the gate run a few times before anything is measured."""
    for threshold in (_REACHED_BY_ALL, -_REACHED_BY_ALL):
        inspector.threshold = threshold
        for _ in range(_WARM_UP):
            inspector.inspect(frame)


def _save_maps(inspections: list[Inspection], path: Path) -> None:
    import numpy as np

    # Half precision is enough for pictures.
    np.savez(
        path,
        base_map=np.stack([each.base_map for each in inspections]).astype(np.float16),
        suppression_map=np.stack([each.suppression_map for each in inspections]).astype(np.float16),
        anomaly_map=np.stack([each.anomaly_map for each in inspections]).astype(np.float16),
    )


def _tell(step: str) -> None:
    print(step, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
