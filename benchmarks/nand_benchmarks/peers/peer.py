"""What every peer is: something that judges the one frame that all sides get."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Peer(ABC):
    """A subject for `child.py` whose work is always the same frame."""

    about: str

    @abstractmethod
    def judge(self) -> Any:
        """Frame to result: what is timed."""

    def wrong(self, _result: Any) -> str:
        """What is wrong with a result, or nothing."""
        return ""

    def ready(self, _work: dict[str, Any]) -> None:  # noqa: B027 - a peer may prepare something, and none needs to
        """Nothing needs preparing."""

    def run(self, _work: dict[str, Any]) -> Any:
        """Judge the frame."""
        return self.judge()

    def check(self, _work: dict[str, Any], result: Any) -> str:
        """What is wrong with a result, or nothing."""
        return self.wrong(result)
