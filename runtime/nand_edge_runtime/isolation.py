"""Calling a function in a process of its own, so that a library that crashes takes nothing else with it."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from nand_edge.errors import NandEdgeError

_START = "from nand_edge_runtime.isolation import answer; answer()"
_LIBRARY_PATH = "PYTHONPATH"


@dataclass(frozen=True)
class Answer:
    """What came of a call in another process.

    Attributes:
        value: What the function gave back, as JSON carries it; None when it failed.
        failure: Why it failed, in words; empty when it did not.
        foreseen: Whether the failure is a `NandEdgeError`, a sentence for users.
    """

    value: Any = None
    failure: str = ""
    foreseen: bool = False


def call_isolated(function: str, arguments: dict[str, Any], *, timeout_s: float) -> Answer:
    """Call a function in a fresh interpreter; whatever happens there comes back as an answer.

    Args:
        function: Where it is, as `module:function`.
        arguments: By name, what JSON can carry.
        timeout_s: Seconds after which the process is ended.
    """
    if not sys.executable:
        return Answer(failure="this program has no Python interpreter that another process could be started with")
    environment = {**os.environ, _LIBRARY_PATH: os.pathsep.join(_import_path()), "PYTHONSAFEPATH": "1"}
    request = json.dumps({"function": function, "arguments": arguments})
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter with a constant program
            [sys.executable, "-c", _START],
            input=request,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(failure=f"no answer within {timeout_s:.0f} seconds")
    except OSError as error:
        return Answer(failure=f"no process could be started ({error})")
    # An answer counts even when a library crashes afterwards, while its process ends.
    try:
        return Answer(**json.loads(done.stdout))
    except (ValueError, TypeError):
        return Answer(failure=_death(done))


def answer() -> None:
    """Read a request from stdin, call its function and write the answer to stdout: the other process's side."""
    request = json.load(sys.stdin)
    # What libraries print, from C too, goes to stderr: stdout is for the answer alone.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module, _, name = request["function"].partition(":")
    try:
        document = {"value": getattr(importlib.import_module(module), name)(**request["arguments"])}
    except NandEdgeError as error:
        document = {"failure": str(error), "foreseen": True}
    except Exception as error:  # noqa: BLE001 - libraries raise what they like, and all of it is an answer
        document = {"failure": f"{type(error).__name__}: {first_line(error)}"}
    with answers:
        json.dump(document, answers)


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _import_path() -> list[str]:
    """Where this process imports from, so that the other one finds the same packages in the same order."""
    return [os.path.abspath(entry) for entry in sys.path]  # noqa: PTH100 - "" is the working directory


def _death(done: subprocess.CompletedProcess[str]) -> str:
    last = (done.stderr.strip().splitlines() or [""])[-1][:300]
    said = f", its last words: {last}" if last else ""
    if done.returncode < 0:
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = f"signal {-done.returncode}"
        memory = ", as happens when memory runs out" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}{said}"
    return f"its process ended with code {done.returncode} and no answer{said}"
