"""What all settings of a station have in common: unknown keys are refused and nothing changes afterwards."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A table of the settings file; its fields are the keys, and each says in its description what it means."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)
