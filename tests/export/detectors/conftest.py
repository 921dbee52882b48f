"""Real exports of anomalib, made in its own environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("export_anomalib.py")


@pytest.fixture(scope="session")
def anomalib_export(repository: Path) -> Callable[[str], Path]:
    """From a name in `export_anomalib.py` to the .onnx file that anomalib wrote; kept from one run to the next."""
    environment = repository / os.environ.get("VENV_ANOMALIB", ".venv-anomalib")
    python = environment / "bin" / "python"
    pins = repository / "constraints-anomalib.txt"
    key = hashlib.sha256(SCRIPT.read_bytes() + pins.read_bytes()).hexdigest()[:12]

    def export(name: str) -> Path:
        if not python.is_file():
            pytest.fail(
                f"{environment} is missing: run tools/setup_anomalib.sh, or leave these tests out: -m 'not anomalib'"
            )
        kept = environment / f"exports-{key}" / name
        if not kept.is_dir():
            kept.parent.mkdir(exist_ok=True)
            made = Path(tempfile.mkdtemp(dir=kept.parent))
            done = subprocess.run(
                [python, SCRIPT, name, made], capture_output=True, text=True, timeout=300, check=False
            )
            if done.returncode != 0:
                shutil.rmtree(made)
                pytest.fail(f"anomalib did not export {name}: {done.stderr}")
            try:
                made.rename(kept)
            except OSError:  # another test process was faster
                shutil.rmtree(made)
        return kept / "weights" / "onnx" / "model.onnx"

    return export
