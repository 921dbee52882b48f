"""The engine that was chosen, in the place of a backend: where it fails, the next one takes over."""

from __future__ import annotations

import logging
from dataclasses import replace

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge.manifest import Target
from nand_edge_runtime.backends import Backend, BackendOptions, Inputs, Outputs, open_backend
from nand_edge_runtime.backends.protocol import FP32
from nand_edge_runtime.choosing.choice import AUTO, Automatic, Choice, choose, no_engine
from nand_edge_runtime.choosing.trial import Trial

_log = logging.getLogger(__name__)


def open_engine(
    bundle: Bundle, target: Target | str | Automatic | None, options: BackendOptions
) -> Backend | ChosenEngine:
    """Load an engine: the one that was named, or the one that a choice by measuring gives.

    Args:
        bundle: An opened bundle.
        target: As `open_backend` takes it, or `auto`, or what to choose for.
        options: How the engine is to run. For `auto`, a precision other than fp32 allows this one alone.

    Raises:
        TargetUnavailableError: The named target, or every candidate, cannot run on this machine.
        NandEdgeError: The target or the options are unknown or do not go together, or the engine cannot be loaded.
    """
    if target == AUTO:
        target = Automatic(precision=None if options.precision == FP32 else options.precision)
    if isinstance(target, Automatic):
        return ChosenEngine(bundle, options, target)
    return open_backend(bundle, target, options)


class ChosenEngine:
    """Runs the fastest engine of a choice, and goes on to the next when one cannot be loaded or refuses frames.

    Going on is never silent: the log has a warning with the reason, and `device` and `target` tell what runs.

    Args:
        bundle: An opened bundle.
        options: How engines are to run.
        wish: What to choose for.

    Raises:
        TargetUnavailableError: No engine of the bundle runs here.
    """

    def __init__(self, bundle: Bundle, options: BackendOptions, wish: Automatic) -> None:
        self._bundle, self._options = bundle, options
        self._choice = choose(bundle, options, wish)
        self._backend: Backend = self._first()

    @property
    def choice(self) -> Choice:
        """How the engine was chosen; the first of its ranks is the one that runs."""
        return self._choice

    @property
    def target(self) -> Target:
        """The target of the engine that runs."""
        return self._backend.target

    @property
    def device(self) -> str:
        """What it runs on, in words."""
        return self._backend.device

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph once, on the next engine where this one refuses; see `Backend.run`.

        Raises:
            NandEdgeError: Every engine refuses; the first stays in use, since the frames may be at fault.
        """
        try:
            return self._backend.run(inputs)
        except NandEdgeError as error:
            first = error
        choice = self._choice.without_first(str(first))
        while choice.ranked:
            try:
                backend = self._open(choice.ranked[0])
            except NandEdgeError as error:
                choice = choice.without_first(str(error))
                continue
            try:
                outputs = backend.run(inputs)
            except NandEdgeError as error:
                choice = choice.without_first(str(error))
                backend.close()
                continue
            failed = self._choice.ranked[0].candidate.name
            _log.warning("target auto goes on with %s, for %s: %s", choice.ranked[0].candidate.name, failed, first)
            self._backend.close()
            self._backend, self._choice = backend, choice
            return outputs
        raise first

    def close(self) -> None:
        """Free the engine; calling it again does nothing."""
        self._backend.close()

    def _first(self) -> Backend:
        """The fastest engine that can be loaded: what was measured may have been remembered in better days."""
        while self._choice.ranked:
            try:
                return self._open(self._choice.ranked[0])
            except NandEdgeError as error:
                _log.warning("target auto passes over %s: %s", self._choice.ranked[0].candidate.name, error)
                self._choice = self._choice.without_first(str(error))
        raise no_engine(self._bundle, self._choice.passed_over)

    def _open(self, trial: Trial) -> Backend:
        candidate = trial.candidate
        options = replace(self._options, precision=candidate.precision, provider=candidate.provider)
        return open_backend(self._bundle, candidate.target, options)
