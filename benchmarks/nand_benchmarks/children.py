"""Subjects in processes of their own, timed by turns: only one works at a time, and its memory is its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nand_edge_runtime.latency import Latency

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Work = dict[str, Any]
"""What a subject is to do once, such as `{"batch": 16, "suspicious": 1}`."""

_FOLDER = Path(__file__).resolve().parent


class NotHereError(Exception):
    """A subject cannot run on this machine; the message says why."""


class Child:
    """A process that holds one subject.

    Args:
        kind: Its name in the registry of `child.py`.
        options: What its constructor takes, as JSON can say it; `threads` is needed.
        python: The interpreter of the environment that it needs.

    Raises:
        NotHereError: It cannot be made here.
    """

    def __init__(self, kind: str, options: dict[str, Any], python: Path | str = sys.executable) -> None:
        if not Path(python).exists():
            raise NotHereError("its environment is not installed")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_FOLDER.parent), os.environ.get("PYTHONPATH", "")])),
            "OMP_NUM_THREADS": str(options["threads"]),
            "PYTHONWARNINGS": "ignore",
        }
        self._said: list[str] = []
        self._process = subprocess.Popen(  # noqa: S603 - our own script
            [str(python), "-m", "nand_benchmarks.child", kind, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.about = self._answer()

    def time(self, work: Work, repeats: int, discard: int = 1) -> list[float]:
        """Milliseconds of so many repetitions, after some that do not count."""
        times: list[float] = self.ask(do="time", work=work, repeats=repeats, discard=discard)["ms"]
        return times

    def time_with_energy(self, work: Work, repeats: int, discard: int = 1) -> tuple[list[float], float | None]:
        """The same, with the energy of one repetition, joules, where the machine tells."""
        answer = self.ask(do="time", work=work, repeats=repeats, discard=discard)
        return answer["ms"], answer["joules"]

    def call(self, method: str, **arguments: Any) -> Any:
        """What a method of the subject gives."""
        return self.ask(do="call", method=method, arguments=arguments)["value"]

    def peak_memory_mib(self) -> float | None:
        """Most memory that the process held at once, MiB."""
        peak: float | None = self.ask(do="memory")["mib"]
        return peak

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send one message and wait for its answer.

        Raises:
            NotHereError: The subject failed; the message says how.
        """
        if self._process.stdin is None:
            raise NotHereError("a process without a pipe")
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        """Give the child itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise NotHereError(f"the process ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise NotHereError(answer["error"])
        return answer


def by_turns(
    sides: Sequence[tuple[Child, Work]],
    *,
    turns: int,
    burst: int = 1,
    discard: int = 1,
    on_turn: Callable[[], None] = lambda: None,
) -> list[Latency]:
    """Time several sides by turns, so that what else the machine does hits all of them alike.

    Args:
        sides: Each a process and what it is to do.
        turns: How often each side's turn comes, after one that does not count.
        burst: Repetitions of a turn that count.
        discard: Repetitions of a turn before them that do not: caches are another side's, and its threads may still
            be spinning.
        on_turn: Called after every turn of one side.
    """
    times: list[list[float]] = [[] for _ in sides]
    for turn in range(turns + 1):
        for (child, work), own in zip(sides, times, strict=True):
            measured = child.time(work, burst if turn else 1, discard)
            own.extend(measured if turn else [])
            on_turn()
    return [Latency(tuple(own)) for own in times]
