"""The journal's segments: files of facts, numbered in their order, read again from any place in them."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_edge_runtime.history.facts import MAX_LINE, parsed

SPARE = "spare"
"""The segment that comes next, whose room on the disk is taken already."""

_NAME = re.compile(r"(\d{12})-[0-9a-f]{8}\.journal")
_CHUNK_BYTES = 4 * MAX_LINE
_BINARY = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, order=True)
class Position:
    """A place in the journal.

    Attributes:
        segment: The segment's file name; names sort as the segments follow each other.
        offset: Bytes from its beginning.
    """

    segment: str
    offset: int


@dataclass(frozen=True)
class Fact:
    """A fact and where its line begins.

    Attributes:
        at: The line's place, which tells it from all other facts of this journal.
        content: What it says.
    """

    at: Position
    content: dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """Some facts in a row.

    Attributes:
        facts: In their order.
        end: Where the next ones begin.
        damaged: Lines that could not be read.
        more: Whether there is more to read now.
    """

    facts: tuple[Fact, ...]
    end: Position
    damaged: int
    more: bool


def segments(folder: Path) -> list[str]:
    """The names of all segments, oldest first."""
    return sorted(path.name for path in folder.iterdir() if _NAME.fullmatch(path.name))


def number_of(name: str) -> int:
    """A segment's number."""
    return int(name[:12])


def new_segment(folder: Path, number: int) -> tuple[str, int]:
    """Open a new segment, in the place of the spare one if there is one.

    Returns:
        Its name and its file descriptor, at its beginning.

    Raises:
        OSError: There is no room, or the disk is gone.
    """
    name = f"{number:012d}-{secrets.token_hex(4)}.journal"
    try:
        # A spare's room is taken already: the journal goes on though the disk is full.
        (folder / SPARE).rename(folder / name)
        flags = os.O_RDWR
    except FileNotFoundError:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    return name, os.open(folder / name, flags | _BINARY, 0o640)


def make_spare(folder: Path, size: int) -> None:
    """Take the room for the next segment, if that is not done.

    Raises:
        OSError: There is no room, or the disk is gone.
    """
    spare, part = folder / SPARE, folder / f"{SPARE}.part"
    if spare.exists():
        return
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o640)
    try:
        reserve(descriptor, size)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    part.replace(spare)


def reserve(descriptor: int, size: int) -> None:
    """Take room on the disk for a file, as zeros; where the system cannot, nothing happens.

    Raises:
        OSError: There is no room.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)


def flush_names(folder: Path) -> None:
    """Make the names of the files in a folder survive a power cut, where the system can.

    Raises:
        OSError: The disk is gone.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def restored(folder: Path, name: str, descriptor: int, size: int) -> int:
    """Write a segment again that somebody removed while it was open, and give the new file's descriptor, at its end.

    Raises:
        OSError: There is no room, or the disk is gone.
    """
    content = os.pread(descriptor, size, 0)
    folder.mkdir(parents=True, exist_ok=True)
    again = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _BINARY, 0o640)
    done = 0
    try:
        while done < len(content):
            done += os.write(again, content[done:])
    except OSError:
        os.close(again)
        (folder / name).unlink(missing_ok=True)
        raise
    return again


def lines_after(folder: Path, start: Position | None) -> int:
    """How many lines there are from a place on, or in all.

    Raises:
        OSError: A segment cannot be read.
    """
    start = first(folder, start, "")
    lines = 0
    for name in segments(folder):
        if name >= start.segment:
            with (folder / name).open("rb") as stream:
                stream.seek(start.offset if name == start.segment else 0)
                while chunk := stream.read(_CHUNK_BYTES):
                    lines += chunk.count(b"\n")
    return lines


def first(folder: Path, start: Position | None, current: str) -> Position:
    """Where to read on: at `start`, or at the journal's beginning where that place is there no more."""
    names = segments(folder)
    if start is not None and start.segment in names:
        return start
    return Position(names[0] if names else current, 0)


def read(folder: Path, start: Position, written: Position) -> Batch:
    """Read the facts from a place on, as many as make a good batch.

    Args:
        folder: The journal's.
        start: Where to begin.
        written: The end of what is written; a segment before this one is read to the end of its file.

    Raises:
        OSError: The segment cannot be read.
    """
    is_current = start.segment == written.segment
    with (folder / start.segment).open("rb") as stream:
        stream.seek(start.offset)
        wanted = min(_CHUNK_BYTES, written.offset - start.offset) if is_current else _CHUNK_BYTES
        chunk = stream.read(max(wanted, 0))
    at_end = len(chunk) < _CHUNK_BYTES
    whole = chunk.rfind(b"\n") + 1
    facts, damaged = _facts(chunk[:whole], start)
    if whole == 0 and not at_end:
        # No line is as long as this: lost room of a disk that lost its power.
        whole = len(chunk)
    end = Position(start.segment, start.offset + whole)
    if at_end and is_current and end < written:
        end, damaged = written, damaged + 1  # the disk has not kept what was written up to here
    elif at_end and not is_current:
        following = [name for name in segments(folder) if name > start.segment]
        end = Position(following[0] if following else written.segment, 0)
    return Batch(tuple(facts), end, damaged, more=not at_end or end < written)


def _facts(content: bytes, start: Position) -> tuple[list[Fact], int]:
    facts: list[Fact] = []
    damaged, offset = 0, start.offset
    for line in content.split(b"\n")[:-1]:
        # Room that was taken and not written to is zeros, also between lines where a power cut lost some.
        stripped = line.lstrip(b"\0")
        fact = parsed(stripped)
        if fact is not None:
            facts.append(Fact(Position(start.segment, offset), fact))
        else:
            damaged += 1
        offset += len(line) + 1
    return facts, damaged
