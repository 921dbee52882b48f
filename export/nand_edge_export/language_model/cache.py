"""Replies of language models on disk, so that the same question gives the same phrases and costs nothing twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge_export.language_model.packages import package
from nand_edge_export.language_model.reply import MAX_REPLY_CHARACTERS

_MAX_BYTES = 4 * MAX_REPLY_CHARACTERS


@dataclass(frozen=True)
class ReplyCache:
    """Replies that held phrases, a file each, named by the hash of the question; the oldest go first.

    Args:
        folder: Where they lie; it is made when the first is written.
        max_entries: How many are kept.
    """

    folder: Path
    max_entries: int = 500

    def read(self, key: str) -> str | None:
        """The reply to a question, or None; what was read must be checked like any reply."""
        path = self.folder / f"{key}.txt"
        try:
            if path.stat().st_size > _MAX_BYTES:
                return None
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def write(self, key: str, reply: str) -> None:
        """Keep a reply; a folder that cannot be written is no fault, because the phrases are at hand."""
        with contextlib.suppress(OSError, NandEdgeError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with whole_file(self.folder / f"{key}.txt") as temporary:
                temporary.write_text(reply, encoding="utf-8")
            by_age = sorted(self.folder.glob("*.txt"), key=lambda path: path.stat().st_mtime)
            for path in by_age[: -self.max_entries]:
                path.unlink()


def cache_key(*question: object) -> str:
    """The hash of a question: endpoint, model and messages, never a key."""
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def user_cache() -> ReplyCache:
    """The cache in the user's own folder for such things (~/.cache/nand-edge on Linux).

    Raises:
        NandEdgeError: The package that knows the folder is not installed.
    """
    return ReplyCache(Path(package("platformdirs").user_cache_path("nand-edge", appauthor=False)) / "replies")
