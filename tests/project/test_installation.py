from __future__ import annotations

import importlib

import pytest

from nand_edge import installation
from nand_edge.errors import NandEdgeError
from nand_edge.installation import check, explain_import_error


def test_everything_that_the_device_needs_is_installed_here() -> None:
    check()


@pytest.mark.parametrize(
    ("library", "command"),
    [
        ("libGL.so.1", "sudo apt-get install -y libgl1 libglib2.0-0"),
        ("libgthread-2.0.so.0", "sudo apt-get install -y libgl1 libglib2.0-0"),
        ("libgomp.so.1", "sudo apt-get install -y libgomp1"),
    ],
)
def test_a_missing_system_library_is_named_with_the_command_that_installs_it(
    library: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_name: str) -> None:
        raise ImportError(f"{library}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(importlib, "import_module", fail)
    with pytest.raises(NandEdgeError, match=f"found no system library {library}") as caught:
        check(("cv2",))
    assert f"`{command}`" in str(caught.value)


def test_a_library_of_an_unknown_package_is_named_all_the_same() -> None:
    error = explain_import_error(
        ImportError("libfoo.so.3: cannot open shared object file: No such file"), "command 'x'"
    )
    assert error is not None
    assert error.found == "no system library libfoo.so.3"


def test_a_fault_inside_our_own_packages_is_not_explained_away() -> None:
    assert explain_import_error(ModuleNotFoundError("no", name="nand_edge.gone"), "command 'x'", "export") is None
    assert explain_import_error(ImportError("cannot import name 'a' from 'b'", name="b"), "command 'x'") is None


def test_check_passes_on_what_it_cannot_explain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "explain_import_error", lambda *_: None)
    with pytest.raises(ModuleNotFoundError):
        check(("surely_not_installed",))
