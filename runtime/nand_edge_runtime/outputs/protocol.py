"""What the gate needs of an output, whatever it speaks."""

from __future__ import annotations

import logging
import ssl
from abc import ABC, abstractmethod

from nand_edge_runtime.outputs.told import GateState, GateVerdict


class OutputFault(Exception):  # noqa: N818 - the word that the pages and logs have for it
    """The peer cannot be told now; it is connected to again, and told the same again.

    Args:
        why: A sentence without secrets.
    """


class VerdictRefused(Exception):  # noqa: N818 - as above
    """The peer answered that it will never take this verdict; the next may be taken.

    Args:
        why: A sentence without secrets.
    """


class Output(ABC):
    """One peer. All methods are called from one thread, which belongs to this output alone.

    Each returns within the output's `timeout_ms`, or raises `OutputFault`, after which `disconnect` and `connect`
    follow. What a peer confirmed it was told; what it did not confirm it is told again under the same identity.
    """

    @abstractmethod
    def connect(self, state: GateState) -> None:
        """Connect, and tell the peer the state; the gate is closed until the first verdict.

        Raises:
            OutputFault: The peer does not answer, or refuses.
        """

    @abstractmethod
    def tell(self, verdict: GateVerdict) -> None:
        """Tell the peer of a verdict, and return when it has confirmed.

        Raises:
            OutputFault: It did not.
            VerdictRefused: It never will.
        """

    @abstractmethod
    def beat(self, count: int, state: GateState) -> None:
        """Give the sign of life.

        Args:
            count: Grows by one at each beat while the station runs, and stands still while it is stalled.
            state: What the station does.

        Raises:
            OutputFault: The peer did not take it.
        """

    def rest(self, now: float) -> float | None:
        """End pulses that are over.

        Args:
            now: Seconds of `time.monotonic()`.

        Returns:
            When it wants to be called again; None where nothing is to be ended.

        Raises:
            OutputFault: The peer did not take it.
        """
        del now
        return None

    @abstractmethod
    def farewell(self) -> None:
        """Close the gate and say that the station stopped.

        Raises:
            OutputFault: The peer did not take it.
        """

    @abstractmethod
    def disconnect(self) -> None:
        """Let go of the peer, whether it answers or not; raises nothing."""


def in_words(error: BaseException) -> str:
    """A library's error without what it may carry: addresses with passwords, headers, payloads."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def quiet(library: str) -> None:
    """Keep a library from logging each try to connect, with traceback; what matters is said as the output's state."""
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.getLogger(library).setLevel(logging.CRITICAL)
