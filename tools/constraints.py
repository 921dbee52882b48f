"""Write constraints.txt: exact versions of all that nand-edge and its extras bring, for every Python that is found.

`python tools/constraints.py [python3.10 python3.11 …]` asks pip what it would install, without installing it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "constraints.txt"
EXTRAS = "aravis,dev,demo,evaluate,export,gentl,llm,openvino,parquet,postgresql,rtx,station,training"
PYTHONS = ("python3.10", "python3.11", "python3.12")

# The other one of each pair is for other machines than the one that asks pip.
TWINS = {"onnxruntime-gpu": "onnxruntime"}

HEADER = """\
# Exact versions that are tested together: `pip install -c constraints.txt -e ".[export]"`.
# Written by `make constraints`.
"""

Versions = dict[str, str]


def main(arguments: Sequence[str] | None = None) -> None:
    """Resolve for each interpreter and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pythons", nargs="*", default=PYTHONS, help="interpreters, each with pip and venv")
    resolved = dict(map(resolve, parser.parse_args(arguments).pythons))
    OUTPUT.write_text(HEADER + "".join(f"{line}\n" for line in lines(resolved)), encoding="utf-8")
    print(f"{OUTPUT.name}: {len(set().union(*resolved.values()))} packages for Python {', '.join(sorted(resolved))}")


def resolve(python: str) -> tuple[str, Versions]:
    """The interpreter's version ("3.10") and what pip would install for it, name to version."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [f"{folder}/bin/python", "-m", "pip"]
        subprocess.run([*pip, "install", "--quiet", "--upgrade", "pip"], check=True)
        command = [*pip, "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-", f"{ROOT}[{EXTRAS}]"]
        report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return versions_of(report)


def versions_of(report: Mapping[str, Any]) -> tuple[str, Versions]:
    """Python's version and the packages of one of pip's reports, without nand-edge itself."""
    versions = {}
    for item in report["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        versions[name] = str(item["metadata"]["version"])
    versions.pop("nand-edge")
    for name, twin in TWINS.items():
        versions.setdefault(twin, versions[name])
    return str(report["environment"]["python_version"]), versions


def lines(resolved: Mapping[str, Versions]) -> list[str]:
    """One line a package, or one a version of it with the Pythons that it is for."""
    newest = max(resolved, key=_key)
    written = []
    for name in sorted(set().union(*resolved.values())):
        pythons: dict[str, list[str]] = {}
        for minor, versions in resolved.items():
            if name in versions:
                pythons.setdefault(versions[name], []).append(minor)
        if len(pythons) == 1:
            written.append(f"{name}=={next(iter(pythons))}")
            continue
        for version, minors in pythons.items():
            written.append(f"{name}=={version}; {_marker(minors, newest)}")
    return written


def _marker(minors: Sequence[str], newest: str) -> str:
    if newest in minors:
        return f"python_version >= '{min(minors, key=_key)}'"
    return " or ".join(f"python_version == '{minor}'" for minor in sorted(minors, key=_key))


def _key(minor: str) -> tuple[int, ...]:
    return tuple(map(int, minor.split(".")))


if __name__ == "__main__":
    main()
