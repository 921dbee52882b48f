"""The command line `nand-edge`: a registry of commands, each imported only when it is called."""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import itertools
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.main import get_command

from nand_edge import __version__
from nand_edge.errors import NandEdgeError
from nand_edge.installation import explain_import_error

PROGRAM = "nand-edge"
DEBUG_VARIABLE = "NAND_EDGE_DEBUG"

EXIT_FAULT = 1
"""Exit code for a fault that the user can mend (and for a reader that closed the pipe)."""
EXIT_UNEXPECTED = 2
"""Exit code for wrong usage and for errors that nobody foresaw."""
EXIT_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Command(NamedTuple):
    """A command of the registry.

    Attributes:
        function: Where it is, as `module:function`.
        help: One line for `nand-edge --help`.
        extra: The extra of `nand-edge` that it needs; empty for the base install.
    """

    function: str
    help: str
    extra: str = ""


COMMANDS = {
    "fit": Command("nand_edge_export.commands.fit:fit", "Fit a base detector on photographs of good parts.", "export"),
    "normality": Command(
        "nand_edge_export.commands.normality:normality", "Say in words what is normal from now on.", "export"
    ),
    "export": Command(
        "nand_edge_export.commands.export:export", "Make a bundle of a detector, a CLIP and normalities.", "export"
    ),
    "build": Command("nand_edge_export.commands.build:build", "Build an engine for a target into a bundle."),
    "evaluate": Command(
        "nand_edge_export.commands.evaluate:evaluate", "Measure on a data set what words change.", "evaluate"
    ),
    "train-projection": Command(
        "nand_edge_export.commands.train_projection:train_projection",
        "Train the projections of a CLIP's taps on masked frames.",
        "evaluate",
    ),
    "calibrate": Command(
        "nand_edge_runtime.commands.calibrate:calibrate", "Choose a bundle's threshold on frames of the line."
    ),
    "info": Command("nand_edge.commands.info:info", "Show what a bundle, a normality or a detector file holds."),
    "inspect": Command("nand_edge_runtime.commands.inspect:inspect", "Inspect images, a folder, a video or a camera."),
    "serve": Command(
        "nand_edge_runtime.commands.serve:serve", "Run a station: cameras, reject gate, history, live page.", "station"
    ),
    "history": Command(
        "nand_edge_runtime.commands.history:history", "Look up and export what became of a station's frames.", "station"
    ),
    "roll-report": Command(
        "nand_edge_runtime.commands.roll_report:roll_report", "Report a roll of a line-scan camera: map and regions."
    ),
    "user": Command("nand_edge_runtime.commands.user:user", "Add, change or remove users of a live page.", "station"),
    "add-normality": Command(
        "nand_edge_runtime.commands.add_normality:add_normality", "Say on the device what is normal from now on."
    ),
    "verify": Command("nand_edge_runtime.commands.verify:verify", "Check on this device that a bundle computes right."),
    "doctor": Command(
        "nand_edge_runtime.commands.doctor:doctor", "Say what this machine has and lacks for each target."
    ),
    "bench": Command("nand_edge_runtime.commands.bench:bench", "Measure latency, throughput and memory of a bundle."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What was typed after `nand-edge`; by default the arguments of this process.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    global_options = list(itertools.takewhile(lambda argument: argument.startswith("-"), arguments))
    called = arguments[len(global_options)] if len(arguments) > len(global_options) else ""
    # OpenCV reads it when it is imported; what it warns of comes to users as one sentence of ours.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    debug = "--debug" in global_options or bool(os.environ.get(DEBUG_VARIABLE))
    try:
        code = _run(arguments, called)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. What is still buffered must not fail again while Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAULT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except NandEdgeError as error:
        _report(error, str(error), debug=debug)
        return EXIT_FAULT
    except Exception as error:  # noqa: BLE001 - the outermost frame: nobody should see a traceback without asking for it
        _report(error, _unexpected(error, called), debug=debug)
        return EXIT_UNEXPECTED
    return code


def _run(arguments: list[str], called: str) -> int:
    if called and called not in COMMANDS:
        raise _unknown_command(called)
    try:
        app = _application(called)
        get_command(app).main(args=arguments, prog_name=PROGRAM)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAULT
    return 0


def _application(called: str) -> typer.Typer:
    """The typer application, in which only the command that is called is more than a line of help."""
    # Plain help: in rich's markup, `nand-edge[export]` would read as a style and vanish.
    app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(_global_options)
    for name, command in COMMANDS.items():
        function = _guarded(name, command) if name == called else _placeholder
        app.command(name, help=_description(function) or command.help, short_help=command.help)(function)
    return app


def _version(asked: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if asked:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def _global_options(
    *,
    version: Annotated[  # its callback does the work
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
    debug: Annotated[  # read in main, which catches what commands raise
        bool, typer.Option("--debug", help=f"Show tracebacks of errors (as {DEBUG_VARIABLE}=1 does).")
    ] = False,
) -> None:
    """Tell an anomaly detector in words what is normal, and run it as one engine file beside the camera."""


def _placeholder() -> None:
    """Stand in the help for a command that is not called, so that its module need not be imported."""


def _guarded(name: str, command: Command) -> Callable[..., Any]:
    """The command's function, with a sentence for packages that are missing."""
    needed_by = f"command {name!r}"
    module, _, function_name = command.function.partition(":")
    try:
        function = getattr(importlib.import_module(module), function_name)
    except ImportError as error:
        raise explain_import_error(error, needed_by, command.extra) or error from None

    @functools.wraps(function)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except ImportError as error:
            raise explain_import_error(error, needed_by, command.extra) or error from error
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None

    return guarded


def _description(function: Callable[..., Any]) -> str:
    """The docstring without its sections (`Args:`, `Raises:`), which are for readers of the code."""
    if function is _placeholder:
        return ""
    return re.split(r"\n\s*(?:Args|Returns|Raises|Yields):", inspect.getdoc(function) or "")[0].strip()


def _unknown_command(called: str) -> NandEdgeError:
    near = difflib.get_close_matches(called, COMMANDS, n=1)
    return NandEdgeError(
        f"command {called!r}",
        found="no command of that name",
        needed=f"one of {', '.join(COMMANDS)}",
        do=f"try `{PROGRAM} {near[0]}`" if near else f"see `{PROGRAM} --help`",
    )


def _unexpected(error: Exception, called: str) -> str:
    name = f"{PROGRAM} {called}".strip()
    text = " ".join(str(error).split())
    return (
        f"{name} stopped at an unexpected {type(error).__name__}{': ' + text if text else ''} "
        f"(the traceback: set {DEBUG_VARIABLE}=1 and run it again)."
    )


def _report(error: Exception, sentence: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
