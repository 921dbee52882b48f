"""The station's own copy of its bundle: whoever swaps the bundle on the disk does not change a running line."""

from __future__ import annotations

import shutil
from pathlib import Path

from nand_edge.bundle import Bundle, open_bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import sha256_of_file, whole_folder

_FOLDER = "bundles"
_KEY_LENGTH = 16
_MANIFEST = "manifest.json"


def pin(bundle: Path, state_folder: Path) -> Bundle:
    """Copy a bundle into the state folder, unless it is there, check it, and open the copy.

    Copies of other bundles are removed: the one in force is all that a station needs to come back.

    Raises:
        NandEdgeError: The bundle is damaged, or the copy cannot be written.
    """
    original = open_bundle(bundle, check_files=False)
    folder = state_folder / _FOLDER / original.sha256[:_KEY_LENGTH]
    copy = folder / original.folder.resolve().name
    try:
        pinned = open_bundle(copy)
        if pinned.sha256 == original.sha256:
            return pinned
    except NandEdgeError:
        pass
    # Not there, cut short or altered: it is copied again, from an original that is whole.
    open_bundle(bundle)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with whole_folder(copy) as temporary:
            shutil.copytree(original.folder, temporary, dirs_exist_ok=True)
        for other in folder.parent.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    except OSError as error:
        raise NandEdgeError(
            f"the station's copy of bundle {str(bundle)!r} in {str(folder)!r}",
            found=error.strerror or type(error).__name__,
            needed="a folder with room for the bundle",
            do="make room, or set another state_folder",
        ) from None
    return open_bundle(copy)


def swapped(bundle: Path, pinned: Bundle) -> str:
    """What is to be said when the bundle on the disk is no longer the pinned one; empty while it is."""
    manifest, own = bundle / _MANIFEST, pinned.folder / _MANIFEST
    try:
        same = sha256_of_file(manifest) == sha256_of_file(own)
    except OSError:
        return f"bundle {str(bundle)!r} is gone; the station goes on with its own copy"
    if same:
        return ""
    return f"bundle {str(bundle)!r} was changed; the station goes on with its own copy until it is started again"
