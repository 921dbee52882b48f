"""Makes packages that cannot be used: for tests of what is said of them."""

from __future__ import annotations

from pathlib import Path

DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"


def break_package(folder: Path, name: str, code: str = 'raise ImportError("its core is gone")\n') -> Path:
    """Write a package that runs `code` when it is imported, and give the folder to import it from."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    return folder


def pretend_installed(folder: Path, name: str, version: str) -> Path:
    """Write the record of an installed package, as pip leaves it, and give its folder."""
    record = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return folder
