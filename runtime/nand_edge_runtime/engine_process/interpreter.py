"""Starting a fresh interpreter for the engine, and saying how one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

_START = """
import sys
sys.path[:] = filter(None, sys.path)
from nand_edge_runtime.engine_process.child import main
main()
"""
_LIBRARY_PATH = "PYTHONPATH"


def start_child(descriptor: int) -> subprocess.Popen[bytes]:
    """Start the engine's process, which serves this socket.

    Raises:
        OSError: No process could be started.
    """
    # It imports what this process would import, in the same order, and nothing of its working folder.
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is the working directory
    return subprocess.Popen(  # noqa: S603 - our own interpreter with a constant program
        [sys.executable, "-c", _START, str(descriptor), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[descriptor],
        env={**os.environ, _LIBRARY_PATH: path, "PYTHONSAFEPATH": "1"},
        start_new_session=True,
    )


def ending(code: int | None) -> str:
    """How a process ended, in words; None is one that has not."""
    if code is None:
        return "its process does not answer"
    if code >= 0:
        return f"its process ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    memory = ", as happens when memory runs out" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{memory}"
