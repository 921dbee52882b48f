from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from importlib import import_module

import pytest

from nand_edge import __version__, command_line
from nand_edge.command_line import COMMANDS, Command, main
from nand_edge.errors import NandEdgeError


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a function, or a module that cannot be imported, into the registry as the command `try`."""

    def put(function: Callable[..., object] | None = None, *, module: str = "trial_command", extra: str = "") -> None:
        if function is not None:
            trial = types.ModuleType(module)
            trial.run = function  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, module, trial)
        monkeypatch.setitem(command_line.COMMANDS, "try", Command(f"{module}:run", "Try something.", extra))

    return put


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = {
        line.split()[0] for line in capsys.readouterr().out.partition("Commands:")[2].splitlines() if line.strip()
    }
    assert listed == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_registry_exists(name: str) -> None:
    module, function = COMMANDS[name].function.split(":")
    assert function == name.replace("-", "_")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_without_sections_for_programmers(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: nand-edge {name} ")
    assert "Args:" not in shown
    assert "Raises:" not in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"nand-edge {__version__}\n"


def test_a_mistyped_command_gets_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspct", "line.nand"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("command 'inspct': found no command of that name, needed one of fit, normality, ")
    assert shown.err.endswith("; try `nand-edge inspect`.\n")


def test_a_command_like_no_other_gets_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyz"]) == 1
    assert capsys.readouterr().err.endswith("; see `nand-edge --help`.\n")


def test_wrong_usage_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 2
    assert "error: missing argument 'path'" in capsys.readouterr().err.lower()


def test_a_fault_of_the_user_is_one_sentence(register: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise NandEdgeError("frame 'a.png'", found="0 bytes", needed="a picture", do="take it again")

    register(run)
    assert main(["try"]) == 1
    assert capsys.readouterr().err == "frame 'a.png': found 0 bytes, needed a picture; take it again.\n"


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    register: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    register(module="surely_not_installed", extra="export")
    assert main(["try"]) == 1
    assert capsys.readouterr().err == (
        "command 'try': found no Python package 'surely_not_installed', needed what `nand-edge[export]` brings; "
        'install it with `pip install "nand-edge[export]"`.\n'
    )


def test_a_package_that_turns_out_to_be_missing_later_is_named_too(
    register: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    register(lambda: import_module("surely_not_installed"))
    assert main(["try"]) == 1
    assert capsys.readouterr().err.endswith('install it with `pip install "nand-edge"`.\n')


def test_an_unexpected_error_is_one_sentence_that_tells_how_to_see_more(
    register: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    register(lambda: {}["threshold"])
    assert main(["try"]) == 2
    assert capsys.readouterr().err == (
        "nand-edge try stopped at an unexpected KeyError: 'threshold' "
        "(the traceback: set NAND_EDGE_DEBUG=1 and run it again).\n"
    )


@pytest.mark.parametrize("how", ["option", "variable"])
def test_debug_shows_the_traceback(
    how: str, register: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register(lambda: {}["threshold"])
    if how == "variable":
        monkeypatch.setenv("NAND_EDGE_DEBUG", "1")
    assert main(["--debug", "try"] if how == "option" else ["try"]) == 2
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):")


def test_an_interrupt_exits_with_130(register: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise KeyboardInterrupt

    register(run)
    assert main(["try"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_early_is_no_error_message() -> None:
    script = (
        "import sys, types\n"
        "from nand_edge import command_line\n"
        "sys.modules['endless'] = types.ModuleType('endless')\n"
        "sys.modules['endless'].run = lambda: [print(number) for number in range(1_000_000)]\n"
        "command_line.COMMANDS['try'] = command_line.Command('endless:run', 'Count.')\n"
        "sys.exit(command_line.main(['try']))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as counting:
        assert counting.stdout is not None
        assert counting.stderr is not None
        assert counting.stdout.readline() == b"0\n"
        counting.stdout.close()
        assert counting.stderr.read() == b""
        assert counting.wait() == 1
