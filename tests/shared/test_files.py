"""Files that are whole or absent."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from nand_edge.errors import NandEdgeError
from nand_edge.files import inside, sha256_of_file, whole_file, whole_folder


class PowerCutError(Exception):
    """Stands for anything that stops a write half-way."""


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with whole_file(path) as temporary:
        temporary.write_text("{}")
        assert not path.exists()

    assert path.read_text() == "{}"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def write_half() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("ne")
            raise PowerCutError

    with pytest.raises(PowerCutError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_the_older_one(tmp_path: Path) -> None:
    path = tmp_path / "line.nand"
    path.mkdir()
    (path / "old").write_text("")
    with whole_folder(path) as temporary:
        (temporary / "new").write_text("")
        assert [file.name for file in path.iterdir()] == ["old"]

    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("older", [True, False])
def test_an_error_leaves_the_older_folder_and_nothing_else(tmp_path: Path, *, older: bool) -> None:
    path = tmp_path / "line.nand"
    if older:
        path.mkdir()
        (path / "old").write_text("")

    def write_half() -> None:
        with whole_folder(path) as temporary:
            (temporary / "new").write_text("")
            raise PowerCutError

    with pytest.raises(PowerCutError):
        write_half()
    assert list(tmp_path.rglob("*")) == ([path, path / "old"] if older else [])


@pytest.mark.parametrize("writer", [whole_file, whole_folder])
def test_an_output_in_a_folder_that_does_not_exist_is_refused(
    tmp_path: Path, writer: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    with pytest.raises(NandEdgeError, match="does not exist"), writer(tmp_path / "missing" / "file"):
        pytest.fail("nothing may be written")


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    content = bytes(range(256)) * 9000
    (tmp_path / "weights.bin").write_bytes(content)

    assert sha256_of_file(tmp_path / "weights.bin") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("relative", ["..", "../other", "a/../../other", "/etc/passwd"])
def test_paths_that_leave_the_folder_are_refused(tmp_path: Path, relative: str) -> None:
    with pytest.raises(NandEdgeError, match="leaves the folder"):
        inside(tmp_path, relative)


def test_paths_inside_are_given_back(tmp_path: Path) -> None:
    assert inside(tmp_path, "a/../b.png") == tmp_path.resolve() / "b.png"
