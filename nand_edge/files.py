"""Files that are whole or absent: written beside and renamed, hashed, and never outside their folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nand_edge.errors import NandEdgeError

_CHUNK_BYTES = 1 << 20


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's content, as 64 lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, on any error it is removed.

    Raises:
        NandEdgeError: The folder of `path` does not exist or cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    require_writable_parent(path)
    try:
        yield temporary
        # safetensors writes for its owner alone, but a station often runs as another user than the one who exported.
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success it takes the place of `path`, on any error it is removed.

    An older folder at `path` stays until the new one is complete.

    Raises:
        NandEdgeError: The parent of `path` does not exist or cannot be written.
    """
    require_writable_parent(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        if path.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.replace(retired / path.name)
            temporary.replace(path)
            shutil.rmtree(retired)
        else:
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def inside(folder: Path, relative: str) -> Path:
    """The path of `relative` in `folder`.

    Raises:
        NandEdgeError: `relative` is absolute or leads out of `folder`.
    """
    path = (folder / relative).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise NandEdgeError(
            f"path {relative!r} in {str(folder)!r}",
            found="a path that leaves the folder",
            needed="a path inside the folder",
            do="use only files from a source that you trust",
        )
    return path


def require_writable_parent(path: Path) -> None:
    """Refuse an output that cannot be written, before any work is done for it.

    Raises:
        NandEdgeError: The folder of `path` does not exist or cannot be written.
    """
    parent = path.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise NandEdgeError(
            f"output {str(path)!r}",
            found=f"the folder {str(parent)!r} {'cannot be written' if parent.exists() else 'does not exist'}",
            needed="an existing folder that can be written",
            do="create it or choose another output",
        )
