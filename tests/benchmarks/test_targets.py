from __future__ import annotations

from nand_benchmarks.targets import APRIL_FP32, BATCH, DEADLINES, EMBEDDED_P99, GATE, TARGETS, table


def test_a_bound_is_kept_from_its_side() -> None:
    assert APRIL_FP32.reached(3.5)
    assert not APRIL_FP32.reached(3.49)
    assert GATE.reached(1.08)
    assert not GATE.reached(1.09)


def test_bounds_and_figures_are_said_with_their_unit() -> None:
    assert APRIL_FP32.bound == "at least 3.5 times"
    assert GATE.in_words(1.034) == "1.03 of it"
    assert (EMBEDDED_P99.bound, EMBEDDED_P99.in_words(11.94)) == ("at most 15 ms", "11.94 ms")


def test_the_table_says_what_was_kept_what_was_not_and_what_could_not_be_measured() -> None:
    figures = {
        APRIL_FP32.key: {"reached": 3.6, "note": "a"},
        GATE.key: {"reached": 1.2, "note": "b"},
        BATCH.key: {"reached": None, "note": "c"},
    }
    rows = table(figures, 2)["rows"]
    assert [row[3:] for row in rows] == [
        ["3.60 times", "yes", "a"],
        ["1.20 of it", "no", "b"],
        ["", "not measured", "c"],
    ]


def test_no_two_targets_share_a_key() -> None:
    every = (*TARGETS, *DEADLINES)
    assert len({target.key for target in every}) == len(every)
