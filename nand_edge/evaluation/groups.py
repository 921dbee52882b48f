"""The groups file: for each class the groups of defects that are declared normal one by one, and the words for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nand_edge.errors import NandEdgeError
from nand_edge.evaluation.dataset import GOOD, DatasetClass
from nand_edge.files import whole_file
from nand_edge.images import list_images

MVTEC = "mvtec_groups.yaml"
"""The anomaly groups of MVTec AD as Table 1 of NAND prints them, used where no groups file is given."""

_OBJECT = "object"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Group:
    """Defects that are declared normal together.

    Attributes:
        name: The group's name.
        folders: The data set's names for these defects.
        words: What is declared normal, in words.
        object_name: What is inspected, in words.
        phrases: State-level phrases in the place of those that the words' rule gives; empty for the rule.
        shots: Photographs that show what is declared normal, none of them a test frame, for forms that look at some.
    """

    name: str
    folders: tuple[str, ...]
    words: str
    object_name: str
    phrases: tuple[str, ...] = ()
    shots: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Groups:
    """A groups file.

    Attributes:
        source: The file's name for messages.
        built_in: Whether it is the one of MVTec AD that comes with the package.
        classes: By class, its groups. A file for a data set of one class may leave the class's name out; then the one
            key is the empty string.
    """

    source: str
    built_in: bool
    classes: Mapping[str, tuple[Group, ...]]

    def choose(self, class_names: Sequence[str], chosen: Sequence[str] = ()) -> dict[str, tuple[Group, ...]]:
        """The groups by the data set's classes.

        Of the built-in file only the classes that the data set has are taken; a file of the user's own must fit.

        Args:
            class_names: The data set's classes.
            chosen: Those to evaluate; empty for all in the file.

        Raises:
            NandEdgeError: A class has no groups, or there are groups for a class that the data set lacks.
        """
        groups = self._named(class_names)
        wanted = list(chosen) or [name for name in groups if name in class_names or not self.built_in]
        if not wanted:
            raise self._unfit(f"none of the classes {', '.join(class_names)}", "groups for the data set's classes")
        for name in wanted:
            if name not in groups:
                raise self._unfit(f"no class {name!r}", f"groups for each class, here for {name!r}")
            if name not in class_names:
                raise self._unfit(f"class {name!r}", f"classes that the data set has: {', '.join(class_names)}")
        return {name: groups[name] for name in wanted}

    def _named(self, class_names: Sequence[str]) -> Mapping[str, tuple[Group, ...]]:
        if "" not in self.classes:
            return self.classes
        if len(class_names) != 1:
            raise self._unfit(f"groups without a class, for {len(class_names)} classes", "class: {group: [folders]}")
        return {class_names[0]: self.classes[""]}

    def _unfit(self, found: str, needed: str) -> NandEdgeError:
        return NandEdgeError(f"groups file {self.source!r}", found=found, needed=needed, do="correct it, or the path")


def read_groups(path: Path | None = None, *, object_name: str | None = None) -> Groups:
    """Read a groups file, or the built-in one.

    The file is YAML: `class: {group: [folder, ...]}`, or `{group: [folder, ...]}` alone for a data set of one class. In
    the place of the list a group may be `{folders: [...], words: "dark stain", phrases: [...], shots: FOLDER}`; without
    `words` they are the group's name with blanks for `_`, and the folder of shots lies beside the file. Beside its
    groups a class may say what it is: `object: solar cell`.

    Args:
        path: The file; None for the built-in one.
        object_name: What is inspected, where the file does not say; None for the class's name with blanks for `_`.

    Raises:
        NandEdgeError: The file is missing, no YAML, or not made so.
    """
    source = str(path) if path else MVTEC
    document = _load(source, _text(path) if path else files("nand_edge.evaluation").joinpath(MVTEC).read_text("utf-8"))
    classes = {"": document} if _is_class(document) else {str(name): groups for name, groups in document.items()}
    return Groups(
        source=source,
        built_in=path is None,
        classes={
            name: _class_groups(source, name, groups, object_name, path.parent if path else None)
            for name, groups in classes.items()
        },
    )


def write_groups(path: Path, groups: Sequence[Group]) -> None:
    """Write the groups of one class as a groups file."""
    document: dict[str, Any] = {_OBJECT: groups[0].object_name}
    for group in groups:
        document[group.name] = {"folders": list(group.folders), "words": group.words}
        if group.phrases:
            document[group.name]["phrases"] = list(group.phrases)
        if group.shots:
            document[group.name]["shots"] = Path(os.path.relpath(group.shots[0].parent, path.parent)).as_posix()
    with whole_file(path) as temporary:
        temporary.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def check_groups(found: DatasetClass, groups: Sequence[Group]) -> None:
    """Refuse groups that the class's test frames cannot answer.

    Raises:
        NandEdgeError: A folder of a group is not there, or no other defect is left to tell it from.
    """
    for group in groups:
        missing = [folder for folder in group.folders if folder not in found.kinds]
        if missing:
            raise NandEdgeError(
                f"group {group.name!r} of class {found.name!r}",
                found=f"no test frame of {', '.join(map(repr, missing))}",
                needed=f"names among {', '.join(found.kinds) or 'none, since all test frames are good'}",
                do="correct the groups file or complete the data set",
            )
        if not set(found.kinds) - set(group.folders):
            raise NandEdgeError(
                f"group {group.name!r} of class {found.name!r}",
                found="no test frame of any other defect",
                needed="some that must still be rejected",
                do="leave the group out, or add such frames",
            )


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    folders: list[str] = Field(min_length=1)
    words: str | None = Field(default=None, min_length=1)
    phrases: list[str] = []
    shots: str | None = None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise NandEdgeError(
                f"groups file {str(path)!r}", found="over 1 MiB", needed="a groups file", do="check the path"
            )
        return path.read_text(encoding="utf-8")
    except OSError as error:
        found = error.strerror or "a file that cannot be read"
        raise NandEdgeError(
            f"groups file {str(path)!r}", found=found, needed="a YAML file", do="check the path"
        ) from None
    except UnicodeDecodeError:
        raise NandEdgeError(
            f"groups file {str(path)!r}", found="no text in UTF-8", needed="a YAML file", do="check the path"
        ) from None


def _load(source: str, text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise NandEdgeError(
            f"groups file {source!r}", found=" ".join(str(error).split()), needed="YAML", do="correct it"
        ) from None
    if not isinstance(document, dict) or not document:
        raise _malformed(source, f"{type(document).__name__} at the top")
    return document


def _is_class(document: Mapping[str, Any]) -> bool:
    """Whether the file's top is one class's groups: lists, or mappings with `folders`."""
    return any(
        isinstance(value, list | str) or (isinstance(value, dict) and "folders" in value) for value in document.values()
    )


def _class_groups(
    source: str, name: str, groups: Any, object_name: str | None, beside: Path | None
) -> tuple[Group, ...]:
    if not isinstance(groups, dict) or not set(groups) - {_OBJECT}:
        raise _malformed(source, f"no group of class {name!r}")
    inspected = str(groups.get(_OBJECT) or object_name or _words_of(name))
    if not inspected:
        raise NandEdgeError(
            "object",
            found=f"no name of it in {source!r}",
            needed="what is inspected, in words",
            do='give --object "solar cell", say, or `object:` in the file',
        )
    found = (_group(source, str(key), value, inspected) for key, value in groups.items() if key != _OBJECT)
    return tuple(replace(group, shots=_shots(shots, beside)) for group, shots in found)


def _shots(folder: str | None, beside: Path | None) -> tuple[Path, ...]:
    return tuple(list_images(beside / folder)) if folder is not None and beside is not None else ()


def _group(source: str, name: str, value: Any, object_name: str) -> tuple[Group, str | None]:
    """A group without its shots, and the folder of these."""
    try:
        group = _Group.model_validate({"folders": value} if isinstance(value, list) else value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _malformed(source, f"group {name!r}: {where}: {first['msg']}") from None
    if GOOD in group.folders:
        raise _malformed(source, f"{GOOD!r} in group {name!r}, which is normal anyway")
    made = Group(name, tuple(group.folders), group.words or _words_of(name), object_name, tuple(group.phrases))
    return made, group.shots


def _words_of(name: str) -> str:
    return name.replace("_", " ").strip()


def _malformed(source: str, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"groups file {source!r}",
        found=found,
        needed="class: {group: [folder, ...]}, or group: {folders: [...], words: ..., phrases: [...]}",
        do="correct it",
    )
