"""The station's tables: whole rows, whatever was measured and whatever is not here."""

from __future__ import annotations

from typing import Any

from nand_benchmarks.station_tables import fault_table, load_table

FAULT: dict[str, Any] = {
    "title": "engine process killed", "how": "SIGKILL", "times": 20, "frames": 1234, "inspected": 1000,
    "passed_without_inspection": 0, "lost": 1, "doubled": 2, "untold": 0, "outage_s": [0.0] * 20, "recovery_p50_s": 0.9,
    "recovery_p99_s": 12.34, "stop_s": 0.61,
}  # fmt: skip


def test_a_fault_is_a_row() -> None:
    table = fault_table({"engine-killed": FAULT}, "2 cores")
    assert table["rows"] == [
        ["engine process killed", "SIGKILL", "20", "1,234", "1,000", "0", "3", "none", "0.90 s", "12.3 s"]
    ]
    assert len(table["rows"][0]) == len(table["columns"])


def test_a_fault_that_cannot_happen_here_says_why() -> None:
    absent = {"title": "broker restarted", "how": "SIGTERM", "not_here": "mosquitto is not installed"}
    table = fault_table({"broker-restarted": absent}, "2 cores")
    assert table["rows"][0][2] == "not here: mosquitto is not installed"
    assert len(table["rows"][0]) == len(table["columns"])


def test_what_is_no_fault_says_what_was_asked_for_and_what_was_found() -> None:
    memory = {
        "frames": 200_000, "seconds": 500.0, "resident_mb": {"station": [160.0, 161.5], "engine": [140.0, 140.0]},
        "most_growth_mb": 1.5, "files": {"station": [30, 31], "engine": [21, 21]},
        "most_files": {"station": [32, 33], "engine": [21, 21]}, "more_files": 1,
    }  # fmt: skip
    table = load_table({"engine-killed": FAULT, "endurance": memory}, "2 cores")
    found = {row[0]: row[1:] for row in table["rows"]}
    assert found["200,000 frames at 400 a second: memory of the last tenth less that of the first"] == [
        "under 5 MB", "+1.5 MB (station 160.0 to 161.5, engine 140.0 to 140.0)",
    ]  # fmt: skip
    assert found["200,000 frames at 400 a second: open files, medians, likewise"] == [
        "flat", "+1 (station 30 to 31, engine 21 to 21); the most at once: station 32 to 33, engine 21 to 21",
    ]  # fmt: skip
    assert [row[2] for row in table["rows"] if row[0].startswith("SIGTERM")] == ["0.61 s (of 1)"]
