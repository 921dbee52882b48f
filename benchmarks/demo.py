"""Take the figures of a finished `make demo` over into `benchmarks/results`, for the README."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"

_DEVICES = {
    "onnx": "any CPU, by ONNX Runtime; NVIDIA GPUs with `--provider cuda`",
    "openvino": "Intel CPUs, by OpenVINO",
    "tensorrt-rtx": "NVIDIA RTX GPUs; built anywhere, without a GPU",
    "tensorrt": "Jetson and data-centre GPUs; built on the device",
}
_NOT_TRIED = {
    "tensorrt": "written, neither built nor run: its libraries are not on PyPI; it shares its code with tensorrt-rtx",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write `demo.txt`, `demo.json` and `targets.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo", type=Path, nargs="?", default=ROOT / "demo", help="the demo's output folder")
    folder = parser.parse_args(arguments).demo
    if not (folder / "summary.json").is_file():
        print(f"{folder}: found no summary.json, needed a finished demo; run `make demo` first.", file=sys.stderr)
        return 1
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    RESULTS.mkdir(exist_ok=True)
    output = (folder / "output.txt").read_text(encoding="utf-8")
    (RESULTS / "demo.txt").write_text("\n".join(line.rstrip() for line in output.splitlines()) + "\n", encoding="utf-8")
    _write("demo-summary.json", summary)
    _write("targets.json", targets_table(summary))
    return 0


def targets_table(summary: dict[str, Any]) -> dict[str, Any]:
    """A row for every target: where it runs, and what was really run of it in the demo."""
    machine = summary["machine"]
    engines = {engine["target"]: engine for engine in summary["engines"]}
    rows = [[f"`{target}`", device, _proof(target, engines.get(target))] for target, device in _DEVICES.items()]
    note = f"Engines of the demo's bundle, on {machine['cores']} cores of {machine['processor']} without a GPU."
    return {"columns": ["target", "for", "what was really run"], "rows": rows, "note": note}


def _proof(target: str, engine: dict[str, Any] | None) -> str:
    if engine is None:
        return _NOT_TRIED.get(target, "not built")
    if engine["state"] != "parity-checked":
        return f"{engine['name']}: {engine['state']}, {engine['reason']} ({engine['built_with']})"
    agreed = engine["verify"]["verdicts_equal"]
    return f"parity-checked: maps within {engine['max_map_error']:.1e} of PyTorch, {agreed} verdicts equal"


def _write(name: str, document: dict[str, Any]) -> None:
    (RESULTS / name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
