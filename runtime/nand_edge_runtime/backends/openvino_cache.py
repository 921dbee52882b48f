"""Where OpenVINO keeps what it compiled, so that the next start need not compile it again."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path, PurePosixPath

from nand_edge.bundle import Bundle
from nand_edge.cache_folder import cache_folder, private_folder

_log = logging.getLogger(__name__)


def model_cache(bundle: Bundle, file: str, version: str) -> Path | None:
    """The folder of an engine's compiled models for one version of OpenVINO, in the user's cache folder.

    It is never within the bundle, whose files are hashed. Its name has the hashes of the engine's files, because
    OpenVINO tells models apart by their paths. `XDG_CACHE_HOME` (`LOCALAPPDATA` on Windows) moves it.

    Args:
        bundle: The bundle, already checked.
        file: The engine's file in it.
        version: OpenVINO's.

    Returns:
        The folder; None where none can be made: then the model is compiled at every start.

    Raises:
        NandEdgeError: Other users can write to the folder, and so could put a model there.
    """
    folder = cache_folder() / "openvino" / f"{_identity(bundle, file)}-{version.partition('-')[0]}"
    try:
        return private_folder(folder)
    except OSError as error:
        _log.info("compiled models are not kept: folder %s cannot be made (%s)", folder, error.strerror)
        return None


def _identity(bundle: Bundle, file: str) -> str:
    """What no two engines share: a hash over those of the files in the engine's folder."""
    folder = PurePosixPath(file).parent
    hashes = (
        record.sha256 for name, record in sorted(bundle.manifest.files.items()) if folder in PurePosixPath(name).parents
    )
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]
