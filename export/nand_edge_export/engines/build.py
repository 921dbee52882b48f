"""Building an engine into a bundle: the library call behind `nand-edge build`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nand_edge.bundle import Bundle, add_engine
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_export.engines import load_builder
from nand_edge_export.engines.protocol import BuildOptions, OnPhase

_ENGINES = "engines"


def build_engine(
    bundle: Bundle,
    target: Target,
    options: BuildOptions | None = None,
    *,
    on_phase: OnPhase = lambda _: None,
) -> Bundle:
    """Build an engine, write it into the bundle and record it in the manifest.

    An older engine for the same target and device is replaced. When anything fails, the bundle stays as it was.

    Args:
        bundle: An opened bundle.
        target: openvino, tensorrt or tensorrt-rtx.
        options: Device and limits.
        on_phase: Told what the build is doing.

    Returns:
        The bundle with its new manifest; the engine's record is the last of `manifest.engines`.

    Raises:
        NandEdgeError: The target's package is missing, the bundle's graph cannot be built for it, the folder cannot be
            written, or an engine that runs on this machine does not agree with the bundle's samples.
    """
    builder = load_builder(target)
    with _engine_folder(bundle.folder / _ENGINES / target.value):
        record = builder.build(bundle, options or BuildOptions(), on_phase)
    on_phase("recording it in the manifest")
    return add_engine(bundle, record)


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
