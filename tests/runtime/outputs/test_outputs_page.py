"""The page for whoever programs the other end says what is so: its settings are valid, its codes are the codes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from nand_edge_runtime.outputs import OUTPUTS, GateSettings, OutputSettings
from nand_edge_runtime.outputs.gate_settings import GateSettings as Gate
from nand_edge_runtime.outputs.settings import CommonSettings
from nand_edge_runtime.outputs.told import REASON_CODES
from nand_edge_runtime.station.settings_base import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text(encoding="utf-8")

CODES = PAGE[PAGE.index("## Codes") :]


class Station(Settings):
    """As much of a station's settings as the page shows."""

    gate: GateSettings = GateSettings()
    output: tuple[OutputSettings, ...] = ()


def test_its_examples_are_settings_and_show_every_kind() -> None:
    kinds = set()
    for example in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL):
        # As a file of settings is read, where paths are texts.
        station = Station.model_validate(tomllib.loads(example))
        kinds |= {output.kind for output in station.output}
    assert kinds == set(OUTPUTS)


def test_its_codes_are_the_codes() -> None:
    told = {int(code): text.strip() for code, text in re.findall(r"\| (\d+) \| ([a-z ]+) (?=\|)", CODES)}
    assert told == {code: reason.value for reason, code in REASON_CODES.items()}


def test_every_key_of_the_gate_and_all_that_outputs_have_in_common_is_on_it() -> None:
    for key in (*Gate.model_fields, *CommonSettings.model_fields):
        assert f"`{key}`" in PAGE, key


def test_the_defaults_that_it_names_are_the_defaults() -> None:
    for key, default in re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", PAGE, re.MULTILINE):
        for table in (Gate, CommonSettings):
            if key in table.model_fields and default != "none":
                known = table.model_fields[key].default
                assert str(getattr(known, "value", known)).lower() in (default, f"{default}.0", "()", "none"), key
