"""The journal: facts are on the disk before anything acts on them, whatever the database does meanwhile."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.files import require_writable_parent, whole_file
from nand_edge_runtime.history import facts, segments
from nand_edge_runtime.history.segments import Position
from nand_edge_runtime.station.frames import CameraFrame
from nand_edge_runtime.station.hub import Changed, StateChanged
from nand_edge_runtime.station.records import FrameRecord

_LOG = logging.getLogger(__name__)

SEGMENT_BYTES = 8 << 20

_IDENTITY = "identity"
_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_AT_A_TIME = 64
"""Lines of the backlog that are written before others get their turn."""


class Journal:
    """Append-only segments in a folder, a line a fact; safe from any thread, and no method for facts raises.

    A line is handed to the system in one write: it survives the end of this process at any moment. `sync` makes it
    survive a power cut. Where a write fails, lines wait in memory until there is room again.

    Args:
        folder: Its own folder, on a disk of this machine.
        backlog_bytes: Memory for lines that wait.
        segment_bytes: Size of a segment.
    """

    def __init__(self, folder: Path, *, backlog_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.folder = folder
        self._segment_bytes, self._backlog_bytes = segment_bytes, backlog_bytes
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._name, self._offset, self._number = "", 0, 0
        self._backlog: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._unsynced: list[int] = []
        self._is_open, self._has_spare = False, True
        self._untold = 0
        self._synced = ("", 0)
        self._flushed_name = ""
        self.identity = ""
        self.written = 0
        """Facts that are on the disk since the start."""
        self.lost = 0
        """Facts that found no room in memory either."""
        self.trouble = ""
        """Why lines wait; empty when all is well."""

    @property
    def waiting(self) -> int:
        """Facts that wait in memory for room on the disk."""
        return len(self._backlog)

    def open(self, run: str) -> None:
        """Begin a segment of this run; facts that came before wait behind its first line.

        Raises:
            NandEdgeError: The folder cannot be made or written. A full disk is no reason: lines wait in memory then.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            names = segments.segments(self.folder)
            self._open_identity()
        except (OSError, NandEdgeError) as error:
            raise NandEdgeError(
                f"journal {str(self.folder)!r}",
                found=getattr(error, "strerror", None) or "a folder that cannot be written",
                needed="a folder that can be made and written",
                do="set another state_folder, or give this user the right to write there",
            ) from None
        self._number = segments.number_of(names[-1]) if names else 0
        self.prepare()
        with self._lock:
            self._backlog.appendleft(facts.run_line(run, time.time()))
            self._waiting_bytes += len(self._backlog[0])
            self._is_open = True
        self.retry()

    def entered(self, frame: CameraFrame) -> None:
        """Write down that a frame entered."""
        # In memory alone it would be of no use: it is for the case that this process ends.
        self._append(facts.entered_line(frame), needed=False)

    def decided(self, record: FrameRecord) -> None:
        """Write down a verdict."""
        self._append(facts.decided_line(record))

    def audit(self, changed: Changed) -> None:
        """Write down that somebody changed something."""
        self._append(facts.audit_line(changed))

    def state(self, changed: StateChanged) -> None:
        """Write down that the station went into another state."""
        self._append(facts.state_line(changed))

    def end(self) -> Position:
        """The end of what is on the disk."""
        return self.mark()[0]

    def mark(self) -> tuple[Position, int]:
        """The end of what is on the disk, and how many facts came there since the start."""
        with self._lock:
            return Position(self._name, self._offset), self.written

    def retry(self) -> None:
        """Write what waits, if there is room again."""
        while self._is_open:
            with self._lock:
                for _ in range(min(_AT_A_TIME, len(self._backlog))):
                    if not self._write(self._backlog[0]):
                        return
                    self._waiting_bytes -= len(self._backlog.popleft())
                if self._backlog:
                    continue
                lost, self._untold = self._untold, 0
            if lost:
                what = f"lost {lost} facts: neither the disk nor the memory had room"
                self.audit(Changed("station", what, {"facts": lost}))
            return

    def prepare(self) -> None:
        """Take the room for the next segment, and mend what somebody removed."""
        self._restore()
        try:
            segments.make_spare(self.folder, self._segment_bytes)
            self._has_spare = True
        except OSError as error:
            if self._has_spare:
                _LOG.warning("no room can be taken for the journal's next segment (%s)", error.strerror)
            self._has_spare = False
        if self.identity and not (self.folder / _IDENTITY).exists():
            self._keep_identity()

    def sync(self) -> None:
        """Make all that is written survive a power cut."""
        with self._lock:
            closed, self._unsynced = self._unsynced, []
            is_new = self._synced != (self._name, self._offset) and self._descriptor is not None
            current = os.dup(self._descriptor) if is_new and self._descriptor is not None else None
            self._synced = name, _ = self._name, self._offset
        if name != self._flushed_name:
            with suppress(OSError):
                segments.flush_names(self.folder)
                self._flushed_name = name
        for descriptor in [*closed, *([] if current is None else [current])]:
            try:
                _flush(descriptor)
            except OSError as error:
                _LOG.warning("the journal cannot be flushed to its disk (%s)", error.strerror)
            finally:
                os.close(descriptor)

    def forget(self, before: str, keep_bytes: int) -> None:
        """Remove segments before this one, oldest first, but for the newest of so many bytes."""
        names = [name for name in segments.segments(self.folder) if name < before]
        for name in reversed(names):
            path = self.folder / name
            keep_bytes -= path.stat().st_size
            if keep_bytes < 0:
                path.unlink()

    def close(self) -> None:
        """Write what can be written, and no more afterwards; `sync` may follow."""
        self.retry()
        with self._lock:
            self._is_open = False
            self._end_segment()
            if self._backlog:
                _LOG.error("%d facts could not be written before the end, and are lost", len(self._backlog))

    def _open_identity(self) -> None:
        """Know what tells this journal from all others that use the same database.

        Raises:
            OSError, NandEdgeError: It cannot be read, or the folder cannot be written.
        """
        self.identity = identity_of(self.folder) or secrets.token_hex(16)
        if not identity_of(self.folder):
            require_writable_parent(self.folder / _IDENTITY)
            self._keep_identity()

    def _keep_identity(self) -> None:
        try:
            with whole_file(self.folder / _IDENTITY) as temporary, temporary.open("w", encoding="ascii") as stream:
                stream.write(self.identity)
                stream.flush()
                os.fsync(stream.fileno())
        except (OSError, NandEdgeError) as error:
            _LOG.warning("the journal's identity cannot be kept (%s)", getattr(error, "strerror", error))

    def _restore(self) -> None:
        """Write the open segment again where it was removed: what is in it is not lost as long as it is open."""
        with self._lock:
            if self._descriptor is None or not hasattr(os, "pread") or (self.folder / self._name).exists():
                return
            _LOG.error("the journal's folder was removed while it was in use; it is made again")
            try:
                again = segments.restored(self.folder, self._name, self._descriptor, self._offset)
            except OSError as error:
                self.trouble = f"the journal was removed and cannot be made again: {error.strerror}"
                return
            os.close(self._descriptor)
            self._descriptor, self._synced, self._flushed_name = again, ("", 0), ""

    def _append(self, line: bytes, *, needed: bool = True) -> None:
        with self._lock:
            if self._is_open and not self._backlog and self._write(line):
                return
            room = self._backlog_bytes if needed else self._backlog_bytes // 2
            if self._waiting_bytes + len(line) > room:
                self.lost += needed
                self._untold += needed
                return
            self._backlog.append(line)
            self._waiting_bytes += len(line)

    def _write(self, line: bytes) -> bool:
        """Write a line at the end, whole or, to be overwritten by the next try, in part."""
        try:
            if self._descriptor is None or self._offset + len(line) > self._segment_bytes:
                self._next_segment()
            self._write_whole(line)
        except OSError as error:
            self._stumbled(error)
            return False
        self._offset += len(line)
        self.written += 1
        self.trouble = ""
        return True

    def _write_whole(self, line: bytes) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            raise OSError(errno.EBADF, "no segment is open")
        done = os.write(descriptor, line)
        while done < len(line):
            done += os.write(descriptor, line[done:])

    def _stumbled(self, error: OSError) -> None:
        if not self.trouble:
            _LOG.error("the journal cannot be written (%s): records wait in memory", error.strerror or error)
        self.trouble = f"the journal cannot be written: {error.strerror or error}"
        if self._descriptor is None:
            return
        if error.errno in _NO_ROOM:
            with suppress(OSError):
                os.lseek(self._descriptor, self._offset, os.SEEK_SET)
                return
        self._end_segment()  # its disk may be gone for good; the next try opens another

    def _next_segment(self) -> None:
        name, descriptor = segments.new_segment(self.folder, self._number + 1)
        self._end_segment()
        self._number += 1
        self._name, self._offset, self._descriptor = name, 0, descriptor

    def _end_segment(self) -> None:
        if self._descriptor is None:
            return
        with suppress(OSError):
            os.ftruncate(self._descriptor, self._offset)
        self._unsynced.append(self._descriptor)
        self._descriptor = None


def identity_of(folder: Path) -> str:
    """What tells the journal in a folder from all others; empty where nothing does yet."""
    with suppress(FileNotFoundError):
        return (folder / _IDENTITY).read_text(encoding="ascii", errors="replace").strip()
    return ""


def _flush(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)
