"""Fill the figures of README.md and the model card from measured results, so that no number there is typed by hand.

Between `<!-- begin:NAME -->` and `<!-- end:NAME -->` goes what `benchmarks/results` has under that name: NAME.json as a
table (`{"columns": [...], "rows": [[...], ...], "note": "..."}`) or NAME.txt as a program's output. Without such a file
a block stays as it is. `--check` changes nothing and fails when a document is not what the results make it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "docs/speed.md",
    ROOT / "docs/station.md",
    ROOT / "docs/line-scan.md",
    ROOT / "export/nand_edge_export/clip/nand_tiny/MODEL_CARD.md",
)
RESULTS = ROOT / "benchmarks" / "results"

_BLOCK = re.compile(r"(<!-- begin:(?P<name>[a-z0-9-]+) -->\n)(?P<body>.*?)(<!-- end:(?P=name) -->)", re.DOTALL)
_MARKER = re.compile(r"<!-- (?:begin|end):")


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the README, or check that it is filled; the exit code is 1 when the check fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail when a document differs from the results")
    options = parser.parse_args(arguments)
    stale = [document for document in DOCUMENTS if not _refresh(document, write=not options.check)]
    if options.check and stale:
        names = ", ".join(document.name for document in stale)
        print(f"{names} differs from benchmarks/results: run `python benchmarks/readme.py`.", file=sys.stderr)
        return 1
    return 0


def _refresh(document: Path, *, write: bool) -> bool:
    """Whether the document already was what the results make it."""
    before = document.read_text(encoding="utf-8")
    after = fill(before, RESULTS)
    if write and after != before:
        document.write_text(after, encoding="utf-8")
    return after == before


def fill(text: str, results: Path) -> str:
    """The text with every block filled that `results` has a file for.

    Raises:
        ValueError: A marker has no partner of the same name.
    """
    if len(_MARKER.findall(text)) != 2 * len(_BLOCK.findall(text)):
        raise ValueError("every `<!-- begin:NAME -->` needs its `<!-- end:NAME -->`")
    return _BLOCK.sub(lambda block: block[1] + (rendered(block["name"], results) or block["body"]) + block[4], text)


def rendered(name: str, results: Path) -> str:
    """What belongs into the block `name`, ending with a line break; empty when there is no result for it."""
    table, output = results / f"{name}.json", results / f"{name}.txt"
    if table.is_file():
        return markdown_table(json.loads(table.read_text(encoding="utf-8")))
    if output.is_file():
        return f"```console\n{output.read_text(encoding='utf-8').strip()}\n```\n"
    return ""


def markdown_table(document: dict[str, list[list[str]] | list[str] | str]) -> str:
    """A table of GitHub's Markdown from `columns`, `rows` and an optional `note` below."""
    columns, rows, note = document["columns"], document["rows"], document.get("note", "")
    lines = [columns, ["---"] * len(columns), *rows]
    table = "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)
    return table + (f"\n{note}\n" if note else "")


if __name__ == "__main__":
    sys.exit(main())
