"""What becomes of a hot folder's file whose frame is on record: it is moved, remembered or deleted."""

from __future__ import annotations

import json
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge_runtime.cameras.arrivals import Identity, identity_of
from nand_edge_runtime.cameras.settings import CameraSettings, WhenTaken

_LOG = logging.getLogger(__name__)

DONE = "done"
MEMORY = ".nand-edge-taken.jsonl"
_MEMORY_BYTES = 256 << 20
_SLACK = 1000
"""So many more lines or files than wanted are put up with, so that tidying up is rare."""


class TakenFiles(ABC):
    """Puts files away, and knows those that were taken and are still there.

    Args:
        folder: The hot folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Identity] = {}
        self._has_warned = False

    def was_taken(self, name: str, identity: Identity) -> bool:
        """Whether this very file was taken: another one under its name was not."""
        return self._known.get(name) == identity

    def put_away(self, name: str, identity: Identity) -> None:
        """Put a file away; one that took its place meanwhile stays, and is taken in its turn."""
        path = self._folder / name
        try:
            if identity_of(path.lstat()) == identity:
                self._put_away(path, identity)
        except FileNotFoundError:
            pass
        except (OSError, NandEdgeError) as error:
            self._known[name] = identity
            if not self._has_warned:
                self._has_warned = True
                _LOG.warning(
                    "hot folder %r: files that were taken cannot be put away (%s); they will be taken again at the "
                    "next start: give the station the right to write there", str(self._folder), error,
                )  # fmt: skip

    def forget_missing(self, there: AbstractSet[str]) -> None:
        """Forget files that are no longer there."""
        if self._known:
            self._known = {name: identity for name, identity in self._known.items() if name in there}

    @abstractmethod
    def _put_away(self, path: Path, identity: Identity) -> None: ...


class Moved(TakenFiles):
    """Moves files into `done`, from which the oldest are removed when there are too many.

    Args:
        folder: The hot folder.
        keep: How many stay in `done`.

    Raises:
        OSError: `done` cannot be made, or is a link.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        super().__init__(folder)
        self._done, self._keep = folder / DONE, keep
        self._done.mkdir(exist_ok=True)
        if self._done.is_symlink():
            raise NotADirectoryError(0, f"{DONE} is a link, which may lead anywhere")
        self._count = sum(1 for _ in self._done.iterdir())

    def _put_away(self, path: Path, identity: Identity) -> None:  # noqa: ARG002 - a file that is gone needs no memory
        target = self._done / path.name
        if os.path.lexists(target):
            target = self._done / f"{path.stem}.{time.time_ns()}{path.suffix}"
        path.rename(target)
        self._count += 1
        if self._count > self._keep + min(_SLACK, self._keep // 10):
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        with os.scandir(self._done) as entries:
            files = sorted(
                (entry.stat(follow_symlinks=False).st_ctime_ns, entry.name)
                for entry in entries
                if entry.is_file(follow_symlinks=False)
            )
        for _, name in files[: max(len(files) - self._keep, 0)]:
            (self._done / name).unlink(missing_ok=True)
        self._count = min(len(files), self._keep)


class Deleted(TakenFiles):
    """Deletes files."""

    def _put_away(self, path: Path, identity: Identity) -> None:  # noqa: ARG002 - a file that is gone needs no memory
        path.unlink()


class Remembered(TakenFiles):
    """Leaves files where they are, and remembers them in a hidden file beside them.

    Args:
        folder: The hot folder.

    Raises:
        OSError: The hidden file cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._memory = folder / MEMORY
        self._known = _read(self._memory)
        self.forget_missing({entry.name for entry in folder.iterdir()} if self._known else set())
        self._write_anew()

    def _put_away(self, path: Path, identity: Identity) -> None:
        self._known[path.name] = identity
        with self._memory.open("a", encoding="utf-8") as stream:
            stream.write(_line(path.name, identity))
        self._lines += 1
        if self._lines > 2 * len(self._known) + _SLACK:
            self._write_anew()

    def _write_anew(self) -> None:
        with whole_file(self._memory) as temporary:
            lines = (_line(name, identity) for name, identity in self._known.items())
            temporary.write_text("".join(lines), encoding="utf-8")
        self._lines = len(self._known)


def taken_files(settings: CameraSettings, folder: Path) -> TakenFiles:
    """What the settings want of a hot folder's taken files.

    Raises:
        OSError: The folder cannot be used so.
    """
    if settings.when_taken is WhenTaken.MOVE:
        return Moved(folder, settings.keep_done)
    if settings.when_taken is WhenTaken.DELETE:
        return Deleted(folder)
    return Remembered(folder)


def _line(name: str, identity: Identity) -> str:
    return json.dumps([name, *identity]) + "\n"


def _read(memory: Path) -> dict[str, Identity]:
    known: dict[str, Identity] = {}
    if not memory.exists():
        return known
    if memory.is_symlink() or memory.stat().st_size > _MEMORY_BYTES:
        raise OSError(0, f"{MEMORY} is no file of ours")
    for line in memory.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            name, size, changed = json.loads(line)
            known[str(name)] = (int(size), int(changed))
        except (ValueError, TypeError):
            continue  # the last line, cut short when the power went
    return known
