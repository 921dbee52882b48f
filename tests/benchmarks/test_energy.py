from __future__ import annotations

from pathlib import Path

import pytest

from nand_benchmarks.energy import RaplMeter


def counter(folder: Path, name: str, microjoules: int, end: int = 1_000_000_000) -> Path:
    made = folder / name
    made.mkdir(parents=True, exist_ok=True)
    (made / "energy_uj").write_text(f"{microjoules}\n", encoding="ascii")
    (made / "max_energy_range_uj").write_text(f"{end}\n", encoding="ascii")
    return made


def test_a_machine_without_counters_gives_no_energy(tmp_path: Path) -> None:
    meter = RaplMeter(tmp_path / "powercap")
    assert not meter.available
    meter.start()
    assert meter.joules() is None


def test_packages_are_added_up_and_their_parts_left_out(tmp_path: Path) -> None:
    for name, start in (("intel-rapl:0", 5_000_000), ("intel-rapl:1", 0), ("intel-rapl:0:0", 0)):
        counter(tmp_path, name, start)
    meter = RaplMeter(tmp_path)
    meter.start()
    for name, end in (("intel-rapl:0", 7_500_000), ("intel-rapl:1", 1_000_000), ("intel-rapl:0:0", 9_000_000)):
        counter(tmp_path, name, end)
    assert meter.joules() == pytest.approx(3.5)


def test_a_counter_that_began_again_at_0_is_read_on(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", 9_000_000, end=9_999_999)
    meter = RaplMeter(tmp_path)
    meter.start()
    counter(tmp_path, "intel-rapl:0", 1_000_000, end=9_999_999)
    assert meter.joules() == pytest.approx(2.0)


def test_a_counter_that_may_not_be_read_is_left_out(tmp_path: Path) -> None:
    broken = counter(tmp_path, "intel-rapl:0", 0)
    (broken / "energy_uj").write_text("no permission\n", encoding="ascii")
    assert not RaplMeter(tmp_path).available
