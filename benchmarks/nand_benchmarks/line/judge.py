"""The judge: compares what was laid, what is on record and what the output heard, and says what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nand_benchmarks.line.book import Recorded
from nand_benchmarks.line.ledger import Laid
from nand_benchmarks.line.parts import Part
from nand_edge_runtime.station.frames import FrameKey

_SHOWN = 5


@dataclass(frozen=True)
class Receipt:
    """A verdict that the output heard.

    Attributes:
        key: The frame.
        verdict: What the gate shall do, `pass` or `reject`.
        reason: Why; not the recorded one where a pass came too late for its gate.
        recorded_verdict: What it says is on record.
        recorded_reason: Likewise.
        at: When it was heard, seconds of `time.monotonic()`.
    """

    key: FrameKey
    verdict: str
    reason: str
    recorded_verdict: str
    recorded_reason: str
    at: float


@dataclass
class Findings:
    """What is wrong; nothing, if all lists are empty.

    Attributes:
        passed: Passes of frames that were not inspected, or are of a part that must not pass: on record or at the
            output.
        lost: Parts that entered and are not on record, and records that the output never heard.
        doubled: Parts that are on record twice, and frames of which the output heard two different verdicts.
        untold: Records that the output never heard because the station was killed: its sign of life ended with it.
        frames: Frames on record.
        inspected: Frames that were inspected.
        repeated: Verdicts that the output heard again, word for word, as it may when an answer was cut off.
        unidentified: Frames of a stream whose picture was not kept: none may be a pass.
    """

    passed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    untold: int = 0
    frames: int = 0
    inspected: int = 0
    repeated: int = 0
    unidentified: int = 0

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.passed or self.lost or self.doubled)

    def in_words(self) -> str:
        """What is wrong, with the first examples of each."""
        said = [
            f"{len(found)} {what} ({', '.join(found[:_SHOWN])})"
            for what, found in (("passed wrongly", self.passed), ("lost", self.lost), ("doubled", self.doubled))
            if found
        ]
        return "; ".join(said) or "nothing is wrong"


def judge(
    records: Sequence[Recorded],
    receipts: Sequence[Receipt],
    *,
    parts: Mapping[int, Laid],
    identities: Mapping[FrameKey, tuple[Part, int] | None] | None = None,
    stream: Mapping[int, Laid] | None = None,
    killed_runs: Collection[str] = (),
) -> Findings:
    """Compare all sides.

    Args:
        records: All frames on record.
        receipts: All verdicts that the output heard.
        parts: What was laid into the hot folder: each must be on record once.
        identities: What the pictures of a stream's frames say.
        stream: What the stream's server sent: a free-running camera may drop it, but not invent it.
        killed_runs: The station's runs that were ended by force.
    """
    findings = Findings(frames=len(records), inspected=sum(record.reason == "inspected" for record in records))
    truths = _truths(records, identities or {})
    findings.unidentified = sum(truth is None for truth in truths.values())
    findings.passed += _wrong_passes(records, receipts, truths)
    counted = Counter(record.number for record in records if record.number is not None)
    findings.lost += [_named(parts[number]) for number in parts if not counted[number]]
    findings.doubled += [f"part {number} {count} times" for number, count in counted.items() if count > 1]
    findings.doubled += [f"part {number}, which was never laid" for number in counted if number not in parts]
    findings.doubled += _never_sent(identities or {}, stream or {})
    findings.lost += _gaps(records)
    _compare_output(records, receipts, killed_runs, findings)
    return findings


def _truths(
    records: Iterable[Recorded], identities: Mapping[FrameKey, tuple[Part, int] | None]
) -> dict[FrameKey, Part | None]:
    truths: dict[FrameKey, Part | None] = {}
    for record in records:
        identity = identities.get(record.key)
        truths[record.key] = (
            Part.of(record.name) if record.number is not None else identity[0] if identity is not None else None
        )
    return truths


def _wrong_passes(
    records: Sequence[Recorded], receipts: Sequence[Receipt], truths: Mapping[FrameKey, Part | None]
) -> list[str]:
    wrong = [
        f"{record.key} ({_what(truths[record.key])}, {record.reason}) on record"
        for record in records
        if record.verdict == "pass" and not (record.is_inspected_pass and truths[record.key] is Part.GOOD)
    ]
    passed = {record.key for record in records if record.is_inspected_pass}
    wrong += [
        f"{receipt.key} at the output, not on record as a pass"
        for receipt in receipts
        if receipt.verdict == "pass" and receipt.key not in passed
    ]
    return wrong


def _gaps(records: Sequence[Recorded]) -> list[str]:
    """Numbers of a run that are neither on record nor counted as dropped."""
    missing = []
    numbers: dict[tuple[str, str], list[Recorded]] = {}
    for record in records:
        numbers.setdefault((record.key.run, record.key.camera), []).append(record)
    for (run, camera), of_run in numbers.items():
        expected = 0
        for record in sorted(of_run, key=lambda record: record.key.number):
            if record.key.number != expected + record.dropped_before:
                missing.append(f"{run}/{camera} from {expected + record.dropped_before} to {record.key.number}")
            expected = record.key.number + 1
    return missing


def _never_sent(identities: Mapping[FrameKey, tuple[Part, int] | None], stream: Mapping[int, Laid]) -> list[str]:
    seen = Counter(identity[1] for identity in identities.values() if identity is not None)
    return [f"picture {number} {count} times" for number, count in seen.items() if count > 1] + [
        f"picture {number}, which was never sent" for number in seen if number not in stream
    ]


def _compare_output(
    records: Sequence[Recorded], receipts: Sequence[Receipt], killed_runs: Collection[str], findings: Findings
) -> None:
    heard: dict[FrameKey, set[tuple[str, str]]] = {}
    on_record = {record.key: (record.verdict, record.reason) for record in records}
    for receipt in receipts:
        heard.setdefault(receipt.key, set()).add((receipt.verdict, receipt.reason))
        said = (receipt.recorded_verdict, receipt.recorded_reason)
        if receipt.key not in on_record:
            findings.lost.append(f"{receipt.key} heard by the output and not on record")
        elif said != on_record[receipt.key]:
            findings.doubled.append(f"{receipt.key} heard as {said}, on record as {on_record[receipt.key]}")
    findings.repeated = len(receipts) - sum(len(verdicts) for verdicts in heard.values())
    findings.doubled += [f"{key} heard as {sorted(said)}" for key, said in heard.items() if len(said) > 1]
    unheard = [key for key in on_record if key not in heard]
    findings.untold = sum(key.run in killed_runs for key in unheard)
    findings.lost += [f"{key} never heard by the output" for key in unheard if key.run not in killed_runs]


def _what(part: Part | None) -> str:
    return "not known" if part is None else part.value


def _named(laid: Laid) -> str:
    return f"{laid.part.value}-{laid.number}"
