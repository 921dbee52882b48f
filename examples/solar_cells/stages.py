"""The demo's stages on the terminal: a bar while one runs, a line with its time when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


@dataclass
class Stage:
    """A stage that is running."""

    bars: Progress
    task: TaskID
    title: str
    found: str = ""

    def phase(self, name: str) -> None:
        """Say what is being done just now."""
        self.bars.update(self.task, description=f"{self.title}: {name}")

    def step(self, done: int | None = None, total: int | None = None) -> None:
        """One step more, or `done` of `total`."""
        if done is None:
            self.bars.advance(self.task)
        else:
            self.bars.update(self.task, completed=done, total=total)


@dataclass
class Stages:
    """All stages and the seconds that each took.

    Attributes:
        console: Where bars and lines are shown.
        transcript: Where the lines go as well.
        seconds: Wall-clock time by stage.
    """

    console: Console
    transcript: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, title: str, total: int | None = None) -> Iterator[Stage]:
        """Run a stage; what it sets as `found` is printed beside its time."""
        started = time.perf_counter()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = not self.console.is_terminal
        with Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True, disable=hidden) as bars:
            stage = Stage(bars, bars.add_task(title, total=total), title)
            yield stage
        self.seconds[name] = time.perf_counter() - started
        found = f"\n                [dim]{stage.found}[/]" if stage.found else ""
        for console in (self.console, self.transcript):
            console.print(f"[green]done[/] {self.seconds[name]:6.1f} s   {title}{found}", highlight=False)

    def rounded(self) -> dict[str, float]:
        """The seconds, to a tenth."""
        return {name: round(seconds, 1) for name, seconds in self.seconds.items()}
