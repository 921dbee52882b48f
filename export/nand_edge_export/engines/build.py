"""Building an engine into a bundle: the library call behind `nand-edge build`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nand_edge.bundle import Bundle, add_engine
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import EngineRecord, Target
from nand_edge_export.engines import load_builder
from nand_edge_export.engines.protocol import BuildOptions, OnPhase
from nand_edge_export.precision import check_precision
from nand_edge_export.precision.accuracy import Frames, measure
from nand_edge_export.precision.frames import frame_files
from nand_edge_export.precision.labels import LabelledFrames

_ENGINES = "engines"


def build_engine(
    bundle: Bundle,
    target: Target,
    options: BuildOptions | None = None,
    *,
    labels: LabelledFrames | None = None,
    on_phase: OnPhase = lambda _: None,
) -> Bundle:
    """Build an engine, write it into the bundle and record it in the manifest.

    An older engine for the same target, device and precision is replaced. When anything fails, the bundle stays as it
    was. With frames in the options, an engine that runs here is compared with fp32 on them, and the record says so.

    Args:
        bundle: An opened bundle.
        target: What to build for.
        options: Precision, frames, device and limits.
        labels: Test frames of a data set; then the record also has the AUROC before and after.
        on_phase: Told what the build is doing.

    Returns:
        The bundle with its new manifest; the engine's record is the last of `manifest.engines`.

    Raises:
        NandEdgeError: The target's package is missing, the bundle's graph cannot be built for it, the folder cannot be
            written, or an engine that runs on this machine does not agree with the bundle's samples.
    """
    options = options or BuildOptions()
    check_precision(target, options.precision)
    # Before a long build, so that a wrong path is told at once.
    frames = Frames(frame_files(options.frames, most=options.calibration_frames), labels) if options.frames else None
    builder = load_builder(target)
    with _engine_folder(bundle.folder / _ENGINES / target.value):
        record = builder.build(bundle, options, on_phase)
    on_phase("recording it in the manifest")
    built = add_engine(bundle, record)
    return built if frames is None else _with_accuracy(built, record, frames, on_phase)


def _with_accuracy(bundle: Bundle, record: EngineRecord, frames: Frames, on_phase: OnPhase) -> Bundle:
    accuracy = measure(bundle, record, frames, told=on_phase)
    return bundle if accuracy is None else add_engine(bundle, record.model_copy(update={"accuracy": accuracy}))


@contextmanager
def _engine_folder(path: Path) -> Iterator[None]:
    """The target's folder of engines, which goes again if it stays empty."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NandEdgeError(
            f"folder {str(path)!r}",
            found=f"that it cannot be made ({error.strerror})",
            needed="a bundle that can be written",
            do="copy the bundle to a disk of yours and build there",
        ) from None
    try:
        yield
    finally:
        for folder in (path, path.parent):
            if not any(folder.iterdir()):
                folder.rmdir()
