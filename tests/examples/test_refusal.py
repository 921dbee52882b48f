"""The claim that a process runs without torch is proven: a refused import fails, and a loaded module is noticed."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROOF = """
from solar_cells.refusal import prove_refused, refuse
refuse(["wave", "tabnanny"])
print(prove_refused(["wave", "tabnanny"]))
import colorsys
try:
    import wave
except ModuleNotFoundError as error:
    print(error)
"""


def run(program: str, pythonpath: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": pythonpath}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def examples(repository: object) -> str:
    return f"{repository}/examples"


def test_refused_packages_cannot_be_imported_and_others_can(examples: str) -> None:
    done = run(PROOF, examples)
    assert done.stdout.splitlines() == ["['wave', 'tabnanny']", "wave is refused in this process"], done.stderr


def test_refusing_what_is_loaded_already_fails(examples: str) -> None:
    done = run("import wave\nfrom solar_cells.refusal import refuse\nrefuse(['wave'])", examples)
    assert done.returncode != 0
    assert "wave is loaded in this process" in done.stderr


def test_a_proof_without_a_refusal_fails(examples: str) -> None:
    done = run("from solar_cells.refusal import prove_refused\nprove_refused(['wave'])", examples)
    assert "wave could be imported" in done.stderr
