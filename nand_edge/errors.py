"""The one exception that users see: a sentence that says what, found, needed and what to do."""

from __future__ import annotations


class NandEdgeError(Exception):
    """A fault that the user can mend; the command line prints it as one sentence and exits with 1.

    Args:
        what: The thing that is wrong, with its name ("bundle 'line-3.nand'").
        found: What was found ("graph.onnx has sha256 1f3a…").
        needed: What was needed ("the sha256 in manifest.json, 77b0…").
        do: What the user can do ("copy the bundle again").
    """

    def __init__(self, what: str, *, found: str, needed: str, do: str) -> None:
        self.what, self.found, self.needed, self.do = what, found, needed, do
        super().__init__(f"{what}: found {found}, needed {needed}; {do}.")
