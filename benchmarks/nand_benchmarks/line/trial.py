"""A trial: one fault, injected many times at random moments while frames flow, and what came of it."""

from __future__ import annotations

import math
import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_benchmarks.line.faults import FAULTS, Fault
from nand_benchmarks.line.line import Evidence, Line
from nand_benchmarks.line.outage import Outage

_PAUSE_S = (0.2, 1.0)
"""Between the last fault's end and the next one: at random, so that it falls anywhere."""

_LAST_S = 1.0

LONGEST_RECOVERY_S = 30.0


@dataclass(frozen=True)
class Trial:
    """What came of a fault.

    Attributes:
        outages: When it was there.
        recovery_s: From each outage's end to the first verdict heard of an inspected frame that came after it.
        evidence: What is known of the line.
    """

    outages: list[Outage]
    recovery_s: list[float]
    evidence: Evidence

    def to_json(self) -> dict[str, Any]:
        """The figures for the results."""
        findings = self.evidence.findings
        return {
            "times": len(self.outages),
            "frames": findings.frames,
            "inspected": findings.inspected,
            "passed_without_inspection": len(findings.passed),
            "lost": len(findings.lost),
            "doubled": len(findings.doubled),
            "untold": findings.untold,
            "repeated": findings.repeated,
            "unidentified": findings.unidentified,
            "in_words": findings.in_words(),
            "outage_s": _rounded([outage.seconds for outage in self.outages]),
            "recovery_s": _rounded(self.recovery_s),
            "recovery_p50_s": round(percentile(self.recovery_s, 50), 3),
            "recovery_p99_s": round(percentile(self.recovery_s, 99), 3),
            "restarts": self.evidence.restarts,
            "stop_s": round(self.evidence.stop_s, 3),
        }


def run_trial(
    name: str, bundle: Path, folder: Path, *, times: int, seed: int = 0, on_time: Callable[[int], None] = lambda _: None
) -> Trial:
    """Inject a fault so many times.

    Args:
        name: Of `FAULTS`.
        bundle: The line's.
        folder: An empty folder for the line.
        times: How often.
        seed: Of all that is random.
        on_time: Told how often it was injected so far.

    Raises:
        FaultNotHereError: It cannot happen on this machine.
        TimeoutError: The line did not come back by itself.
        RuntimeError: Nothing shows that the fault happened.
    """
    fault: Fault = FAULTS[name]()
    chance = random.Random(f"{name} {seed}")  # noqa: S311 - when faults fall, not a secret
    try:
        with Line(folder, bundle, fault.plan(folder)) as line:
            outages = []
            for number in range(times):
                time.sleep(chance.uniform(*_PAUSE_S))
                outage = fault.happen(line, chance)
                outages.append(outage)
                if not line.is_back(outage.ended, LONGEST_RECOVERY_S):
                    raise TimeoutError(f"{name}: it did not come back\n{line.station.output()[-3000:]}")
                on_time(number + 1)
            # So that the last one, too, is followed by frames that came after it.
            time.sleep(_LAST_S)
            evidence = line.finish(was_killed=fault.kills_station)
    finally:
        fault.close()
    if not fault.left_its_trace(evidence):
        raise RuntimeError(f"{name}: nothing on the line shows that it happened")
    back = recoveries(outages, evidence)
    if not all(map(math.isfinite, back)):
        raise TimeoutError(f"{name}: after an outage no frame was inspected any more: {back}")
    return Trial(outages, back, evidence)


def recoveries(outages: Sequence[Outage], evidence: Evidence) -> list[float]:
    """Seconds from the end of each outage to the first verdict heard of an inspected frame that came after it.

    Infinity where there is none.
    """
    heard = [receipt for receipt in evidence.receipts if receipt.reason == "inspected"]
    moments = [receipt.at for receipt in heard]
    found = []
    for outage in outages:
        first = math.inf
        for receipt in heard[bisect_left(moments, outage.ended) :]:
            laid = evidence.laid.get(receipt.key)
            if laid is not None and laid.at >= outage.ended:
                first = receipt.at - outage.ended
                break
        found.append(first)
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)] if ordered else math.nan


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 3) for value in values]
