"""The bundle: the folder NAME.nand that a line receives, opened only when it is whole and unaltered."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nand_edge.errors import NandEdgeError
from nand_edge.files import inside, sha256_of_file, whole_file
from nand_edge.manifest import SCHEMA_VERSION, EngineRecord, FileRecord, Manifest, Target, ThresholdRecord
from nand_edge.normality import Normality, read_normality
from nand_edge.region import Region, read_region_map, whole_frame

MANIFEST = "manifest.json"
GRAPH = "graph.onnx"
GRAPH_FOR_TENSORRT = "graph.tensorrt.onnx"
GRAPH_FOR_OPENVINO = "graph.openvino.onnx"
PARITY = "parity.json"
SAMPLES = "samples"
TEXT_ENCODER = "text_encoder"
CHOICE = "choice.json"
"""What a device measured; it may lie in the folder, and is no part of the bundle."""
_MAX_MANIFEST_BYTES = 4 << 20
_COPY_AGAIN = "copy the bundle again from where it was exported"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its folder and its validated manifest."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """The bundle's name, without `.nand`."""
        return self.manifest.name

    @property
    def sha256(self) -> str:
        """The bundle's identity."""
        return self.manifest.sha256()

    def path(self, relative: str) -> Path:
        """The path of one of the bundle's files."""
        return inside(self.folder, relative)

    def normality(self, name: str) -> Normality:
        """A normality that the bundle carries.

        Raises:
            NandEdgeError: The bundle has no normality of that name, or its file is damaged.
        """
        for record in self.manifest.normalities:
            if record.name == name:
                return read_normality(self.path(record.file))
        names = ", ".join(record.name for record in self.manifest.normalities) or "none"
        raise NandEdgeError(
            f"normality {name!r} of bundle {self.name!r}",
            found=f"the bundle's normalities: {names}",
            needed="one of these, or a path to a .normality file",
            do="correct the name or give the file",
        )

    def region(self) -> Region:
        """Where frames are inspected.

        Raises:
            NandEdgeError: The bundle's mask is damaged.
        """
        record, size = self.manifest.region, self.manifest.graph.map_size
        if record is None:
            return whole_frame(size)
        return Region(read_region_map(self.path(record.file), size), record.given_as, record.aspect)


def open_bundle(folder: Path | str, *, check_files: bool = True) -> Bundle:
    """Open a bundle and check it.

    Args:
        folder: The folder `NAME.nand`.
        check_files: Also compare every file's sha256 with the manifest (about 1 ms a MiB).

    Raises:
        NandEdgeError: The folder is missing, cut short, altered or made for another schema.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    for relative, record in manifest.files.items():
        path = inside(folder, relative)
        _check_presence(folder, relative, path, record)
        if check_files:
            _check_content(folder, relative, path, record)
    return Bundle(folder, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write the manifest over the files now in `folder`, with their hashes, and return it.

    `manifest.files` is computed here; the manifest's own hash is stored beside it in the file.
    """
    files = {
        path.relative_to(folder).as_posix(): FileRecord(sha256=sha256_of_file(path), bytes=path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, CHOICE) and not path.name.endswith(".part")
    }
    manifest = manifest.model_copy(update={"files": files})
    document = {"manifest_sha256": manifest.sha256(), **manifest.model_dump(mode="json")}
    with whole_file(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return manifest


def add_engine(bundle: Bundle, engine: EngineRecord) -> Bundle:
    """Record an engine whose files are in the bundle's folder.

    One for the same target, device and precision is replaced, and so is one whose file was written over.
    """
    others = tuple(
        record
        for record in bundle.manifest.engines
        if _purpose(record) != _purpose(engine) and record.file != engine.file
    )
    manifest = bundle.manifest.model_copy(update={"engines": (*others, engine)})
    return Bundle(bundle.folder, write_manifest(bundle.folder, manifest))


def remove_engine(bundle: Bundle, target: Target, precision: str) -> Bundle:
    """Take a target's engines of a precision out of the bundle, with their files; its graphs stay."""
    engines = bundle.manifest.engines
    removed = [each for each in engines if (each.target, each.precision) == (target, precision) and "/" in each.file]
    kept = tuple(engine for engine in engines if engine not in removed)
    for engine in removed:
        # An engine of several files has a folder of its own, ENGINES/TARGET/PRECISION; one of a single file has not.
        path = bundle.path(engine.file)
        own = path.parent if path.parent.parent.name == target.value else None
        if own is not None:
            shutil.rmtree(own)
        else:
            for file in (path, path.with_suffix(".weights.bin")):
                file.unlink(missing_ok=True)
    manifest = bundle.manifest.model_copy(update={"engines": kept})
    return Bundle(bundle.folder, write_manifest(bundle.folder, manifest))


def _purpose(engine: EngineRecord) -> tuple[Target, str, str]:
    return engine.target, engine.compute_capability, engine.precision


def set_threshold(bundle: Bundle, threshold: ThresholdRecord) -> Bundle:
    """Put another threshold into the bundle; its engines hold for any."""
    manifest = bundle.manifest.model_copy(update={"threshold": threshold})
    return Bundle(bundle.folder, write_manifest(bundle.folder, manifest))


def _read_manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise NandEdgeError(
            f"bundle {str(folder)!r}",
            found="no folder" if not folder.exists() else "no manifest.json in it",
            needed="a folder NAME.nand written by `nand-edge export`",
            do="check the path or copy the bundle again",
        )
    if path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise _altered(folder, "a manifest.json over 4 MiB", "a manifest as `nand-edge export` writes it")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError):
        raise _altered(folder, "a manifest.json that is no JSON", "the manifest as it was exported") from None
    if not isinstance(document, dict):
        raise _altered(folder, "a manifest.json that is no object", "the manifest as it was exported")
    _check_schema(folder, document)
    stored = document.pop("manifest_sha256", "")
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _altered(folder, f"manifest.json's {where}: {first['msg']}", "the manifest as it was exported") from None
    if manifest.sha256() != stored:
        raise _altered(folder, "a manifest.json that was changed after the export", "its own sha256 inside it")
    return manifest


def _check_schema(folder: Path, document: dict[str, Any]) -> None:
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise NandEdgeError(
            f"bundle {str(folder)!r}",
            found=f"schema version {version}",
            needed=f"schema version {SCHEMA_VERSION}",
            do="export it again with this version of nand-edge, or install the version that made it",
        )


def _check_presence(folder: Path, relative: str, path: Path, record: FileRecord) -> None:
    if not path.is_file():
        raise _altered(folder, f"no {relative}", f"{relative} with {record.bytes} bytes")
    if path.stat().st_size != record.bytes:
        raise _altered(folder, f"{relative} with {path.stat().st_size} bytes", f"{record.bytes} bytes")


def _check_content(folder: Path, relative: str, path: Path, record: FileRecord) -> None:
    found = sha256_of_file(path)
    if found != record.sha256:
        raise _altered(folder, f"{relative} with sha256 {found[:12]}…", f"{record.sha256[:12]}…")


def _altered(folder: Path, found: str, needed: str) -> NandEdgeError:
    return NandEdgeError(f"bundle {str(folder)!r}", found=found, needed=needed, do=_COPY_AGAIN)
