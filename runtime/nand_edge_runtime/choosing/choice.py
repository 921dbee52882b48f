"""The choice of an engine by measuring: every candidate tried on this device, the fastest first."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from nand_edge.bundle import Bundle
from nand_edge.errors import NandEdgeError
from nand_edge_runtime.backends import BackendOptions, TargetUnavailableError
from nand_edge_runtime.choosing.candidates import Candidate, permitted_candidates
from nand_edge_runtime.choosing.fingerprint import fingerprint
from nand_edge_runtime.choosing.remembering import Remembered, recall, remember
from nand_edge_runtime.choosing.trial import Load, Trial, try_candidate

AUTO = "auto"
"""The name that asks for the choice in the place of a target."""

USUAL_REJECT_RATE = 0.05
USUAL_LOSS = 0.005

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Automatic:
    """In the place of a target: choose by measuring.

    Attributes:
        reject_rate: Share of frames that are expected to reach the threshold, and so to need the CLIP branch.
        max_loss: The most that an engine of lower precision may lose, as its record tells: AUROC, and the share of
            verdicts changed. 0 leaves fp32 and what loses nothing.
        precision: Only this precision, whatever it loses; None for all that lose little enough.
        frame_size: Height and width of the frames to come, pixels; None measures with the bundle's sample frames.
        batch: Frames a run.
        seconds: How long each side of the gate is timed for each candidate.
        again: Measure, whatever is remembered.
        on_trial: Called before each candidate is measured: the candidate, its number from 1, and how many there are.
        on_choice: Called with the choice, before the engine is loaded.
    """

    reject_rate: float = USUAL_REJECT_RATE
    max_loss: float = USUAL_LOSS
    precision: str | None = None
    frame_size: tuple[int, int] | None = None
    batch: int = 1
    seconds: float = 1.0
    again: bool = False
    on_trial: Callable[[Candidate, int, int], None] | None = None
    on_choice: Callable[[Choice], None] | None = None

    def __post_init__(self) -> None:
        """Refuse shares that are none."""
        for name in ("reject_rate", "max_loss"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise NandEdgeError(f"{name} of the choice", found=str(value), needed="0 to 1", do="correct it")


@dataclass(frozen=True)
class Choice:
    """What was chosen and why.

    Attributes:
        ranked: The engines that run here, the fastest first.
        passed_over: The others, each with its reason.
        reject_rate: The share of frames in the CLIP branch that the order is for.
        origin: Where the measurements come from or are remembered.
    """

    ranked: tuple[Trial, ...]
    passed_over: tuple[Trial, ...]
    reject_rate: float
    origin: str

    def to_json(self) -> dict[str, Any]:
        """The choice as one JSON object."""
        return {
            "reject_rate": self.reject_rate,
            "ranked": [{**each.to_json(), "cost_ms": round(self.cost_ms(each), 3)} for each in self.ranked],
            "passed_over": [each.to_json() for each in self.passed_over],
            "origin": self.origin,
        }

    def without_first(self, reason: str) -> Choice:
        """The choice when its first engine turns out not to run."""
        first = Trial(self.ranked[0].candidate, reason=reason)
        return replace(self, ranked=self.ranked[1:], passed_over=(*self.passed_over, first))

    def cost_ms(self, trial: Trial) -> float:
        """Mean milliseconds of a run of an engine at the reject rate."""
        return trial.measured.cost_ms(self.reject_rate) if trial.measured else float("inf")


def choose(bundle: Bundle, options: BackendOptions, wish: Automatic) -> Choice:
    """Measure the engines of a bundle on this device, or recall what was measured before.

    Args:
        bundle: An opened bundle.
        options: How engines are to run; the precision in it is not looked at.
        wish: What to choose for.

    Raises:
        TargetUnavailableError: No engine of the bundle runs here; the sentence has every reason.
    """
    device, has_gpu = fingerprint()
    allowed, refused = permitted_candidates(
        bundle, options, precision=wish.precision, max_loss=wish.max_loss, has_gpu=has_gpu
    )
    if not allowed and wish.precision is not None:
        raise TargetUnavailableError(
            f"target 'auto' of bundle {bundle.name!r} in {wish.precision}",
            found="no engine",
            needed=f"one in {wish.precision}",
            do=f"nand-edge build {bundle.folder} --target TARGET --precision {wish.precision}",
        )
    load = Load(wish.frame_size, wish.batch, wish.seconds)
    setting = _setting(bundle, options, load, allowed, device)
    remembered = Remembered(None, "measured again, as asked") if wish.again else recall(bundle, setting)
    if remembered.trials is None:
        trials = _measure(bundle, allowed, options, load, wish)
        # A device on which nothing runs is being mended, and is looked at anew next time.
        ran = any(trial.measured for trial in trials)
        origin = f"{remembered.why}; {remember(bundle, setting, trials) if ran else 'not remembered'}"
    else:
        trials, origin = remembered.trials, remembered.why
    choice = _rank(trials, refused, wish.reject_rate, origin)
    if wish.on_choice is not None:
        wish.on_choice(choice)
    if not choice.ranked:
        raise no_engine(bundle, choice.passed_over)
    return choice


def no_engine(bundle: Bundle, passed_over: tuple[Trial, ...]) -> TargetUnavailableError:
    """The sentence when nothing is left, with every reason."""
    reasons = "; ".join(f"{trial.candidate.name}: {trial.reason.rstrip('.')}" for trial in passed_over)
    return TargetUnavailableError(
        f"target 'auto' of bundle {bundle.name!r}",
        found=f"no engine that runs here ({reasons})" if reasons else "no engine to try",
        needed="at least one",
        do="see what `nand-edge doctor` says of this machine",
    )


def _measure(
    bundle: Bundle, allowed: list[Candidate], options: BackendOptions, load: Load, wish: Automatic
) -> tuple[Trial, ...]:
    trials = []
    for number, candidate in enumerate(allowed, start=1):
        if wish.on_trial is not None:
            wish.on_trial(candidate, number, len(allowed))
        trial = try_candidate(bundle, candidate, options, load)
        if trial.reason:
            _log.info("target auto passes over %s: %s", candidate.name, trial.reason)
        trials.append(trial)
    return tuple(trials)


def _rank(trials: tuple[Trial, ...], refused: dict[Candidate, str], reject_rate: float, origin: str) -> Choice:
    ran = [trial for trial in trials if trial.measured is not None]
    failed = [trial for trial in trials if trial.measured is None]
    failed.extend(Trial(candidate, reason=why) for candidate, why in refused.items())
    order = Choice((), (), reject_rate, origin)
    return Choice(tuple(sorted(ran, key=order.cost_ms)), tuple(failed), reject_rate, origin)


def _setting(
    bundle: Bundle, options: BackendOptions, load: Load, allowed: list[Candidate], device: dict[str, Any]
) -> dict[str, Any]:
    """All that the measurements hold for, as JSON has it. The reject rate is not in it: it only weighs them."""
    own = {f"option {name}": value for name, value in asdict(options).items() if name not in ("precision", "provider")}
    setting = {
        "bundle": bundle.sha256,
        "candidates": [candidate.name for candidate in allowed],
        "frame size": "samples" if load.frame_size is None else "{1}x{0}".format(*load.frame_size),
        "batch": load.batch,
        **own,
        **device,
    }
    return cast("dict[str, Any]", json.loads(json.dumps(setting)))
