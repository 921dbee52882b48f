"""Refusing imports, so that a claim about what a device needs is proven and not only made."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Refusal(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = frozenset(packages)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - the signature is Python's
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"{fullname} is refused in this process", name=fullname)
        return None


def refuse(packages: Sequence[str]) -> None:
    """From now on, let no import of `packages` succeed in this process.

    Raises:
        RuntimeError: One of them is loaded already.
    """
    _require_absent(packages)
    sys.meta_path.insert(0, _Refusal(packages))


def prove_refused(packages: Sequence[str]) -> list[str]:
    """Try to import each of `packages` and give those that could not be, which are all of them.

    Raises:
        RuntimeError: One is loaded, or can be imported after all.
    """
    _require_absent(packages)
    refused = []
    for package in packages:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError:
            refused.append(package)
        else:
            raise RuntimeError(f"{package} could be imported")
    return refused


def _require_absent(packages: Sequence[str]) -> None:
    loaded = [package for package in packages if package in sys.modules]
    if loaded:
        raise RuntimeError(f"{', '.join(loaded)} is loaded in this process")
