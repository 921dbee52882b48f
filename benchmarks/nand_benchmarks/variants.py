"""The engines that are tried for a bundle: which targets and precisions, and building those that must be built."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2

from nand_benchmarks.children import NotHereError
from nand_benchmarks.frames import make_contrasts
from nand_benchmarks.sources import sources_digest
from nand_edge.files import whole_file

_SOURCES = (
    "export/nand_edge_export/engines",
    "export/nand_edge_export/precision",
    "runtime/nand_edge_runtime/backends",
)
_CALIBRATION_FRAMES = 8


@dataclass(frozen=True)
class Variant:
    """A target with a precision.

    Attributes:
        target: As `--target` takes it.
        precision: As `--precision` takes it.
    """

    target: str
    precision: str

    def __str__(self) -> str:
        """The two, as tables show them."""
        return f"{self.target} {self.precision}"


REFERENCE = Variant("onnx", "fp32")
VARIANTS = (
    REFERENCE,
    Variant("onnx", "int8"),
    Variant("openvino", "fp32"),
    Variant("openvino", "bf16"),
    Variant("openvino", "int8"),
)
"""What runs on a processor; engines for a GPU are measured on the GPU's machine by `nand-edge bench`."""


def build(bundle: Path, variant: Variant, say: Callable[[str], None]) -> None:
    """Build the variant's engine into the bundle, unless it is there already or needs none.

    Raises:
        NotHereError: It cannot be built; the message is the command's own.
    """
    if variant == REFERENCE:
        return
    note = bundle.parent / f"{variant.target}-{variant.precision}.built"
    digest = sources_digest(*_SOURCES)
    if note.is_file() and note.read_text(encoding="utf-8").partition("\n")[0] == digest:
        failure = note.read_text(encoding="utf-8").partition("\n")[2]
    else:
        say(f"building {variant} for {bundle.parent.name}")
        frames = _calibration_frames(bundle.parent) if variant.precision == "int8" else None
        failure = run_build(bundle, variant, frames)
        with whole_file(note) as temporary:
            temporary.write_text(f"{digest}\n{failure}", encoding="utf-8")
    if failure:
        raise NotHereError(failure)


def run_build(bundle: Path, variant: Variant, frames: Path | None) -> str:
    """Build a variant's engine with the command, calibrated on these frames; what it says when it fails."""
    command = [
        *(
            sys.executable,
            "-c",
            "import sys; from nand_edge.command_line import main; sys.exit(main())",
            "build",
            str(bundle),
        ),
        *("--target", variant.target, "--precision", variant.precision),
    ]
    if frames is not None:
        command += ["--frames", str(frames)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode == 0:
        return ""
    # A result is read elsewhere, where this machine's folders say nothing.
    said = " ".join(done.stderr.split()).replace(f"{bundle.parent}/", "")
    return said[-400:] or f"exit code {done.returncode}"


def _calibration_frames(folder: Path) -> Path:
    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    for number, frame in enumerate(make_contrasts(_CALIBRATION_FRAMES)):
        cv2.imwrite(str(frames / f"{number}.png"), frame)
    return frames
