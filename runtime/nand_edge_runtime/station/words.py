"""The station's words: which normalities can be switched on, which are, and that this outlives a crash."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.files import whole_file
from nand_edge.normality import Normality, read_normality, write_normality
from nand_edge_runtime.normalities import NORMALITY_SUFFIX, activate
from nand_edge_runtime.station.control import InForce, NormalityEntry

_LOG = logging.getLogger(__name__)

_FOLDER = "normalities"
_FILE = "in-force.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MAX_BYTES = 1 << 20
_HASHES = 256
"""So many of the last sets of normalities have their hashes kept."""


class Words:
    """The normalities of the bundle, of the settings and those that were added here, and what is in force.

    What an operator put in force is in force again after a crash, unless the settings or the bundle have changed since.

    Args:
        bundle: The bundle.
        wished: What the settings want in force: names of the bundle and paths of .normality files, and the threshold;
            None takes the bundle's.
        state_folder: Where added normalities and what is in force are kept.

    Raises:
        NandEdgeError: A normality is damaged, made for another CLIP, or not there.
    """

    def __init__(
        self,
        bundle: Bundle,
        wished: Sequence[str | Path] | None,
        threshold: float | None,
        state_folder: Path,
    ) -> None:
        self._bundle, self._folder, self._file = bundle, state_folder / _FOLDER, state_folder / _FILE
        self._lock = threading.Lock()
        self._known: dict[str, Normality] = {}
        self._added: set[str] = set()
        for record in bundle.manifest.normalities:
            self._know(bundle.normality(record.name))
        if wished is None:
            names = [record.name for record in bundle.manifest.normalities if record.active]
        else:
            names = [self._wish(choice) for choice in wished]
        for path in sorted(self._folder.glob(f"*{NORMALITY_SUFFIX}")):
            self._read_added(path)
        chosen = InForce(tuple(names), _finite(bundle.manifest.threshold.value if threshold is None else threshold))
        self._settings = _digest(bundle, chosen, [self._known[name] for name in names])
        self._in_force = self._checked(self._kept() or chosen)
        self._hashes = {self._in_force.normalities: self._hash(self._in_force.normalities)}

    @property
    def in_force(self) -> InForce:
        """What frames are judged by."""
        return self._in_force

    def entries(self) -> tuple[NormalityEntry, ...]:
        """All normalities that can be switched on."""
        with self._lock:
            active = self._in_force.normalities
            return tuple(
                NormalityEntry(name, known.text, known.object_name, name in active, name in self._added)
                for name, known in self._known.items()
            )

    def choices(self, proposed: InForce) -> list[Normality]:
        """The normalities of a proposal.

        Raises:
            NandEdgeError: One is unknown, or the threshold is not finite.
        """
        with self._lock:
            self._checked(proposed)
            return [self._known[name] for name in proposed.normalities]

    def put_in_force(self, proposed: InForce) -> None:
        """Keep that this is in force from now on.

        Raises:
            NandEdgeError: One is unknown, or the threshold is not finite; then nothing changes.
        """
        with self._lock:
            self._checked(proposed)
            # Old ones stay: frames that were judged by them may still be on their way.
            self._hashes[proposed.normalities] = self._hash(proposed.normalities)
            while len(self._hashes) > _HASHES:
                del self._hashes[next(names for names in self._hashes if names != proposed.normalities)]
            self._in_force = proposed
            self._keep(proposed)

    def sha256(self, names: tuple[str, ...]) -> str:
        """Hash of the vectors and bias of normalities that are or were in force; empty for others."""
        return self._hashes.get(names, "")

    def add(self, normality: Normality) -> NormalityEntry:
        """Keep a new normality, not in force.

        Raises:
            NandEdgeError: Its name is taken or no name, it was made for another CLIP, or it cannot be written.
        """
        with self._lock:
            if _NAME.fullmatch(normality.name) is None or normality.name in self._known:
                taken = normality.name in self._known
                raise NandEdgeError(
                    f"normality {normality.name[:80]!r}",
                    found="a name that is taken" if taken else "a name that cannot be a file's",
                    needed="a new name of at most 64 lower-case letters, digits, - and _",
                    do="choose another name",
                )
            normality.require_encoder(self._bundle.manifest.clip)
            self._write(normality)
            self._known[normality.name] = normality
            self._added.add(normality.name)
            return NormalityEntry(normality.name, normality.text, normality.object_name, active=False, added=True)

    def _write(self, normality: Normality) -> None:
        path = self._folder / f"{normality.name}{NORMALITY_SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_normality(normality, path)
        except (OSError, SafetensorError) as error:
            raise NandEdgeError(
                f"normality {str(path)!r}",
                found=getattr(error, "strerror", None) or str(error),
                needed="a folder with room for it",
                do="make room, or set another state_folder",
            ) from None

    def _know(self, normality: Normality) -> str:
        normality.require_encoder(self._bundle.manifest.clip)
        self._known[normality.name] = normality
        return normality.name

    def _wish(self, choice: str | Path) -> str:
        if isinstance(choice, str) and not choice.endswith(NORMALITY_SUFFIX):
            if choice not in self._known:
                self._bundle.normality(choice)  # raises, with the names that there are
            return choice
        normality = read_normality(choice)
        if normality.name in self._known:
            raise NandEdgeError(
                f"normality {str(choice)!r}",
                found=f"the name {normality.name!r}, which the bundle has too",
                needed="each name once",
                do="give the normality another name, or take the bundle's",
            )
        return self._know(normality)

    def _read_added(self, path: Path) -> None:
        try:
            normality = read_normality(path)
            if normality.name not in self._known:
                self._added.add(self._know(normality))
        except NandEdgeError as error:
            # One that was made for an earlier bundle, say: the line must not stand still for it.
            _LOG.warning("%s", error)

    def _checked(self, proposed: InForce) -> InForce:
        _finite(proposed.threshold)
        for name in proposed.normalities:
            if name not in self._known:
                raise NandEdgeError(
                    f"normality {name[:80]!r}",
                    found="no normality of that name in this station",
                    needed=f"one of {', '.join(self._known) or 'none'}",
                    do="correct the name, or add the normality first",
                )
        activate(self._bundle, [self._known[name] for name in proposed.normalities])
        return proposed

    def _hash(self, names: Sequence[str]) -> str:
        digest = hashlib.sha256()
        for name in names:
            normality = self._known[name]
            digest.update(f"{name}\0{normality.features.shape}\0".encode())
            digest.update(normality.features.tobytes() + normality.bias.tobytes())
        return digest.hexdigest()

    def _kept(self) -> InForce | None:
        """What was in force when the station ended, if the settings and the bundle are still the same."""
        try:
            if self._file.stat().st_size > _MAX_BYTES:
                return None
            document: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            if document["settings"] != self._settings:
                return None
            return self._checked(InForce(tuple(document["normalities"]), float(document["threshold"])))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, NandEdgeError) as error:
            _LOG.warning("what was in force cannot be taken over (%s); the settings hold", type(error).__name__)
            return None

    def _keep(self, in_force: InForce) -> None:
        document = {
            "settings": self._settings, "normalities": list(in_force.normalities), "threshold": in_force.threshold
        }  # fmt: skip
        try:
            with whole_file(self._file) as temporary:
                temporary.write_text(json.dumps(document), encoding="utf-8")
        except (OSError, NandEdgeError) as error:
            _LOG.error("what is in force cannot be kept for the next start (%s)", error)


def _digest(bundle: Bundle, chosen: InForce, normalities: Sequence[Normality]) -> str:
    """What the settings and the bundle say, as one hash."""
    digest = hashlib.sha256(f"{bundle.sha256}\0{chosen.threshold!r}".encode())
    for normality in normalities:
        digest.update(f"\0{normality.name}\0".encode() + normality.features.tobytes())
    return digest.hexdigest()


def _finite(threshold: float) -> float:
    if not math.isfinite(threshold):
        raise NandEdgeError(
            "threshold", found=str(threshold), needed="a finite number", do="give the threshold as a number"
        )
    return float(threshold)
