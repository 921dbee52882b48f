"""What `--detector` of `nand-edge evaluate` stands for: a file, or a method with options of `nand-edge fit`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter, ValidationError

from nand_edge.errors import NandEdgeError
from nand_edge.files import sha256_of_file
from nand_edge_export.clip import NAND_TINY
from nand_edge_export.commands.methods import METHODS
from nand_edge_export.detectors.files import read_detector
from nand_edge_export.evaluation.eager import NormalityDetection
from nand_edge_export.evaluation.sources import SUFFIX, CandidateSource, FileSource, MethodSource

_OBJECT = "object_name"


@dataclass(frozen=True)
class ClipChoice:
    """The CLIP that the user chose, as the options of the command have it."""

    name: str = NAND_TINY
    projection: str | None = None
    taps: str | None = None
    image_size: int | None = None

    def options(self) -> dict[str, Any]:
        """The same as options of a method that reads this CLIP."""
        options = {"clip": self.name, "projection": self.projection, "taps": self.taps, "input_size": self.image_size}
        return {name: value for name, value in options.items() if value is not None}


def candidate_source(text: str, clip: ClipChoice, detection: NormalityDetection, output: Path) -> CandidateSource:
    """The source of candidates for a detector as the user typed it.

    Args:
        text: `NAME.detector`, or a method, alone or with options of `nand-edge fit`: `winclip:shots=5`,
            `patchcore:backbone=wide_resnet50_2,memory_share=0.1`.
        clip: The command's CLIP; a method that reads its tokens is made with it.
        detection: The same, loaded.
        output: The evaluation's folder.

    Raises:
        NandEdgeError: It is neither a file of ours nor a method, or an option is none of the method's.
    """
    name, _, rest = text.partition(":")
    if name in METHODS:
        options = _parse(name, rest)
        make = METHODS[name]
        parameters = inspect.signature(make).parameters
        shared = clip.options() if "projection" in parameters else {}
        everything = {**shared, **options}
        of_object = _OBJECT in parameters

        def made(object_name: str) -> Any:
            return make(**everything, **({_OBJECT: object_name} if of_object else {}))

        return MethodSource(text, made, _recipe(name, everything), detection, output)
    if text.endswith(SUFFIX):
        read_detector(text)  # so that a wrong file is refused before anything is computed
        return FileSource(Path(text), detection, output)
    raise NandEdgeError(
        f"--detector {text!r}",
        found="neither a method nor a file NAME.detector",
        needed=f"a file of `nand-edge fit`, or one of {', '.join(METHODS)}",
        do="correct it",
    )


def _parse(method: str, text: str) -> dict[str, Any]:
    """Options behind a method's name; a part without `=` belongs to the value before it, as in `taps=3,6`."""
    texts: dict[str, str] = {}
    last = ""
    for part in filter(None, text.split(",")):
        option, equals, value = part.partition("=")
        if equals:
            last = option.strip().replace("-", "_")
            texts[last] = value
        elif last:
            texts[last] += f",{part}"
        else:
            raise _unknown(method, part)
    hints = {name: get_args(hint)[0] for name, hint in _hints(method).items() if name != _OBJECT}
    return {option: _value(method, option, value, hints) for option, value in texts.items()}


def _value(method: str, option: str, text: str, hints: Mapping[str, Any]) -> Any:
    if option not in hints:
        raise _unknown(method, option)
    try:
        return TypeAdapter(hints[option]).validate_python(text)
    except ValidationError as error:
        raise NandEdgeError(
            f"--detector {method}:{option}={text}",
            found=error.errors()[0]["msg"],
            needed=f"a value for the option of `nand-edge fit --method {method}`",
            do="correct it",
        ) from None


def _recipe(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The method with its options; a file among them stands for its content."""
    content = {
        option: sha256_of_file(Path(str(value))) if Path(str(value)).is_file() else str(value)
        for option, value in options.items()
    }
    return {"method": name, **content}


def _hints(method: str) -> dict[str, Any]:
    hints = get_type_hints(METHODS[method], include_extras=True)
    hints.pop("return", None)
    return hints


def _unknown(method: str, option: str) -> NandEdgeError:
    options = ", ".join(name for name in _hints(method) if name != _OBJECT)
    return NandEdgeError(
        f"--detector {method}",
        found=f"the option {option!r}",
        needed=f"{method}:option=value with options among {options}",
        do="correct it",
    )
