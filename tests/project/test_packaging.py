from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from nand_edge import __version__
from nand_edge.command_line import COMMANDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACKAGES = {"nand_edge": ".", "nand_edge_export": "export", "nand_edge_runtime": "runtime"}
PACKAGE_DATA = {".css", ".j2", ".js", ".json", ".safetensors", ".md", ".svg", ".yaml"}
PINNED = re.compile(
    r"^[a-z0-9][a-z0-9-]*==[0-9][0-9a-z.]*(; python_version (==|>=) '3\.\d+'( or python_version == '3\.\d+')*)?$"
)
JETPACK_6 = {"numpy": "1.26", "opencv-python": "4.8"}


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, so that no leftover of an earlier build gets in."""
    copy = tmp_path_factory.mktemp("source")
    for package, where in PACKAGES.items():
        shutil.copytree(
            repository / where / package, copy / where / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(repository / name, copy)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        "dist",
        ".",
    ]
    subprocess.run(command, cwd=copy, check=True)
    return next((copy / "dist").glob("*.whl"))


def requirements(lines: list[str]) -> dict[str, Requirement]:
    return {requirement.name: requirement for requirement in map(Requirement, lines)}


def test_the_wheel_has_every_module_and_all_data(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    for package, where in PACKAGES.items():
        files = [
            path
            for path in (repository / where / package).rglob("*")
            if path.suffix in {".py", ".typed", *PACKAGE_DATA}
        ]
        assert {path.relative_to(repository / where).as_posix() for path in files} <= packed
        assert f"{package}/py.typed" in packed
    assert wheel.name == f"nand_edge-{__version__}-py3-none-any.whl"
    assert f"nand_edge-{__version__}.dist-info/licenses/LICENSE" in packed


def test_the_wheel_has_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        folders = {name.partition("/")[0] for name in opened.namelist()}
    assert folders == {*PACKAGES, f"nand_edge-{__version__}.dist-info"}


def test_the_base_install_is_the_device_side_only(project: dict[str, Any]) -> None:
    names = {Requirement(line).name for line in project["dependencies"]}
    assert names == {
        "numpy",
        "opencv-python",
        "onnxruntime",
        "onnxruntime-gpu",
        "pydantic",
        "rich",
        "safetensors",
        "typer",
    }


@pytest.mark.parametrize(
    ("machine", "platform", "expected"),
    [
        ("x86_64", "linux", "onnxruntime-gpu"),
        ("AMD64", "win32", "onnxruntime-gpu"),
        ("aarch64", "linux", "onnxruntime"),
        ("arm64", "darwin", "onnxruntime"),
        ("x86_64", "darwin", "onnxruntime"),
    ],
)
def test_every_machine_gets_exactly_one_onnxruntime(
    machine: str, platform: str, expected: str, project: dict[str, Any]
) -> None:
    environment: dict[str, Any] = {**default_environment(), "platform_machine": machine, "sys_platform": platform}
    wanted = [
        requirement.name
        for requirement in map(Requirement, project["dependencies"])
        if requirement.name.startswith("onnxruntime")
        and requirement.marker
        and requirement.marker.evaluate(environment)
    ]
    assert wanted == [expected]


def test_the_lower_bounds_live_with_jetpack_6(project: dict[str, Any]) -> None:
    dependencies = requirements(project["dependencies"])
    assert project["requires-python"] == ">=3.10"
    for name, version in JETPACK_6.items():
        assert dependencies[name].specifier.contains(version)


def test_the_oldest_versions_are_the_lower_bounds(project: dict[str, Any], repository: Path) -> None:
    pinned = (
        line
        for line in (repository / "constraints-oldest.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    oldest = dict(line.split("==") for line in pinned)
    for requirement in map(Requirement, project["dependencies"]):
        (bound,) = requirement.specifier
        assert bound.operator == ">="
        assert oldest[requirement.name].startswith(f"{bound.version}."), requirement.name


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_constraints_are_names_and_versions_only(name: str, repository: Path) -> None:
    lines = (repository / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 10
    assert [line for line in pins if not PINNED.match(line)] == []


def test_constraints_pin_all_that_we_ask_for(project: dict[str, Any], repository: Path) -> None:
    pinned = {
        line.partition("==")[0] for line in (repository / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    extras: dict[str, list[str]] = project["optional-dependencies"]
    asked = [line for extra, lines in extras.items() if extra != "tensorrt" for line in lines]
    names = {Requirement(line).name.replace("_", "-").lower() for line in [*project["dependencies"], *asked]}
    assert names - {"nand-edge"} <= pinned


def test_the_readme_shows_only_commands_that_exist(repository: Path) -> None:
    shown = set(
        re.findall(r"^\$ nand-edge (\S+)", (repository / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert shown == set(COMMANDS)


def test_the_extras_in_the_registry_exist(project: dict[str, Any]) -> None:
    assert {command.extra for command in COMMANDS.values() if command.extra} <= set(project["optional-dependencies"])
