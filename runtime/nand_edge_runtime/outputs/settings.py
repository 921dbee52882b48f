"""The settings of the outputs that are told of verdicts, one class a kind."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from nand_edge_runtime.outputs.gate_settings import GateSettings
from nand_edge_runtime.station.settings_base import Settings

_NAME = r"^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
_HOST = r"^[A-Za-z0-9._:\[\]%-]{1,253}$"


class Energised(str, Enum):
    """What an energised coil or line means."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    """The gate opens for a pass; without current, or without a station, everything is a reject."""
    REJECT = "reject"
    """The gate throws out; without current, or without a station, everything passes."""


class CommonSettings(Settings):
    """What all outputs have in common."""

    name: str = Field(pattern=_NAME, description="Its name in logs, pages and metrics.")
    cameras: tuple[str, ...] = Field(default=(), description="Tell it of these cameras' frames alone; empty is all.")
    required: bool = Field(default=True, description="Whether no frame may pass while it is down.")
    wait_for_gate: bool = Field(
        default=True, description="false: told as soon as there is a verdict, for a PLC that does the delay itself."
    )
    timeout_ms: float = Field(
        default=1000, ge=10, le=60_000, allow_inf_nan=False, description="How long one exchange may take."
    )
    reconnect_min_ms: float = Field(
        default=100, ge=10, le=60_000, allow_inf_nan=False, description="First wait before it is connected to again."
    )
    reconnect_max_ms: float = Field(
        default=2000, ge=10, le=600_000, allow_inf_nan=False, description="The waits double up to this."
    )
    heartbeat_ms: float = Field(
        default=500, ge=20, le=600_000, allow_inf_nan=False, description="Time between two signs of life."
    )
    queue: int = Field(default=1000, ge=1, le=100_000, description="How many verdicts wait for it at most.")

    def number_of(self, camera: str) -> int:
        """The place of a camera in `cameras`, from 1; 0 where they are not named."""
        return self.cameras.index(camera) + 1 if camera in self.cameras else 0


class TlsSettings(Settings):
    """TLS towards a server: certificates and keys as PEM files."""

    ca_file: Path | None = Field(default=None, description="Certificates that are trusted; the system's.")
    certificate_file: Path | None = Field(default=None, description="The station's own certificate, PEM.")
    key_file: Path | None = Field(default=None, description="Its key, PEM.")
    key_password_env: str | None = Field(
        default=None, pattern=_VARIABLE, description="Environment variable with the key's password."
    )
    verify: Literal["server", "chain"] = Field(
        default="server",
        description="server: the certificate and its name are checked; chain: not the name.",
    )

    @model_validator(mode="after")
    def _certificate_and_key(self) -> TlsSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("found one of certificate_file and key_file, needed both or none")
        return self


class ModbusSettings(CommonSettings):
    """A PLC that is a Modbus TCP server: the station writes its registers, and a coil if wanted."""

    kind: Literal["modbus-tcp"] = Field(description="What the output speaks.")
    host: str = Field(pattern=_HOST, description="The PLC's name or address.")
    port: int = Field(default=502, ge=1, le=65535, description="Its port.")
    unit: int = Field(default=1, ge=0, le=255, description="The unit (device) identifier.")
    first_register: int = Field(default=0, ge=0, le=65535 - 13, description="First of 13 holding registers, from 0.")
    acknowledge_register: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Holding register into which the PLC copies each sequence number; the next verdict waits for it.",
    )
    coil: int | None = Field(default=None, ge=0, le=65535, description="A coil that is energised for pulse_ms.")
    energised: Energised = Field(default=Energised.PASS, description="What the energised coil means: pass or reject.")
    word_order: Literal["big", "little"] = Field(
        default="big", description="Which half of a number of 32 bits comes first: the high one is big."
    )
    tls: TlsSettings | None = Field(default=None, description="Modbus/TCP Security; its port is 802.")


class OpcUaNodes(Settings):
    """Node identifiers such as `ns=2;s=Nand.Verdict`; those that are left out are not written."""

    heartbeat: str = Field(min_length=1, max_length=512, description="Counts up while the station lives.")
    state: str = Field(min_length=1, max_length=512, description="0 stopped, 1 running, 2 stalled.")
    verdict: str = Field(min_length=1, max_length=512, description="0 reject, 1 pass; or a Boolean, true for pass.")
    sequence: str = Field(min_length=1, max_length=512, description="Changes with every verdict, and is written last.")
    reason: str | None = Field(default=None, max_length=512, description="The reason's number.")
    late: str | None = Field(default=None, max_length=512, description="Whether the verdict came late.")
    camera: str | None = Field(default=None, max_length=512, description="The camera's name.")
    frame: str | None = Field(default=None, max_length=512, description="The frame's number.")
    position: str | None = Field(default=None, max_length=512, description="The frame's place on the line.")
    score: str | None = Field(default=None, max_length=512, description="The score.")
    identity: str | None = Field(default=None, max_length=512, description="The frame's identity, RUN/CAMERA#NUMBER.")
    message: str | None = Field(default=None, max_length=512, description="All of it as a JSON text.")
    acknowledge: str | None = Field(
        default=None,
        max_length=512,
        description="The PLC copies each sequence number here; the next verdict waits for it.",
    )


class OpcUaSettings(CommonSettings):
    """A PLC or gateway that is an OPC UA server: the station writes its variables."""

    kind: Literal["opc-ua"] = Field(description="What the output speaks.")
    url: str = Field(max_length=1024, description="opc.tcp://HOST:PORT/PATH.")
    nodes: OpcUaNodes = Field(description="Which variables are written.")
    username: str | None = Field(default=None, max_length=256, description="Signs in as this user; anonymous.")
    password_env: str | None = Field(
        default=None, pattern=_VARIABLE, description="Environment variable with the user's password."
    )
    security: Literal["none", "sign", "sign-and-encrypt"] = Field(
        default="none", description="none; sign or sign-and-encrypt with Basic256Sha256 and the station's certificate."
    )
    certificate_file: Path | None = Field(default=None, description="The station's own certificate, DER or PEM.")
    key_file: Path | None = Field(default=None, description="Its key, PEM.")
    server_certificate_file: Path | None = Field(
        default=None, description="The server's certificate: it alone is trusted."
    )
    application_uri: str = Field(
        default="urn:nand-edge:station", max_length=256, description="As it stands in the station's certificate."
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        return _without_credentials(url, ("opc.tcp",))

    @model_validator(mode="after")
    def _whole(self) -> OpcUaSettings:
        files = (self.certificate_file, self.key_file, self.server_certificate_file)
        if self.security != "none" and None in files:
            needed = "certificate_file, key_file and server_certificate_file"
            raise ValueError(f"found security {self.security!r} without its files, needed {needed}")
        if self.password_env is not None and self.username is None:
            raise ValueError("found password_env without username, needed both")
        if self.username is not None and self.security != "sign-and-encrypt" and not _is_loopback(self.url):
            raise ValueError('found a password over an open line, needed security = "sign-and-encrypt"')
        return self


class MqttSettings(CommonSettings):
    """An MQTT broker: every verdict is a message of quality 1, and the last will says that the station is gone."""

    kind: Literal["mqtt"] = Field(description="What the output speaks.")
    host: str = Field(pattern=_HOST, description="The broker's name or address.")
    port: int = Field(default=1883, ge=1, le=65535, description="Its port; 8883 is usual with TLS.")
    topic: str = Field(
        default="nand-edge/station",
        pattern=r"^[^#+\x00]{1,400}$",
        description="The messages' topics begin with this: /verdict, /status and /heartbeat.",
    )
    version: Literal["5", "3.1.1"] = Field(
        default="5", description="Of the protocol; by 3.1.1 a broker cannot say that it refuses a topic."
    )
    client_id: str = Field(default="", max_length=128, description="The client's identity; one that is drawn.")
    username_env: str | None = Field(default=None, pattern=_VARIABLE, description="Environment variable: the user.")
    password_env: str | None = Field(default=None, pattern=_VARIABLE, description="Environment variable: the password.")
    tls: TlsSettings | None = Field(default=None, description="TLS, with its certificates.")


class GpioLine(Settings):
    """One line of a GPIO chip."""

    line: int | str = Field(description="Its number (offset) on the chip, or its name.")
    active_low: bool = Field(default=False, description="Whether a low level energises what hangs on it.")


class GpioSettings(CommonSettings):
    """Lines of a GPIO chip, through relays or opto-couplers: one for the gate, one for the heartbeat if wanted."""

    kind: Literal["gpio"] = Field(description="What the output speaks.")
    chip: str = Field(pattern=r"^/dev/[A-Za-z0-9_-]{1,64}$", description="The chip, such as /dev/gpiochip0.")
    gate: GpioLine = Field(description="The line that is energised for pulse_ms.")
    energised: Energised = Field(default=Energised.PASS, description="What the energised line means: pass or reject.")
    heartbeat: GpioLine | None = Field(default=None, description="Toggles while the station lives: a watchdog relay.")


class WebhookSettings(CommonSettings):
    """An HTTP server: every verdict is a POST of one JSON object, with an idempotency key."""

    kind: Literal["webhook"] = Field(description="What the output speaks.")
    url: str = Field(default="", max_length=2048, description="http:// or https:// address, without user or password.")
    url_env: str | None = Field(
        default=None, pattern=_VARIABLE, description="Environment variable with the address, where it is a secret."
    )
    token_env: str | None = Field(
        default=None,
        pattern=_VARIABLE,
        description="Environment variable with a token: `Authorization: Bearer`.",
    )
    username_env: str | None = Field(default=None, pattern=_VARIABLE, description="Environment variable: the user.")
    password_env: str | None = Field(default=None, pattern=_VARIABLE, description="Environment variable: the password.")
    tls: TlsSettings | None = Field(default=None, description="Certificates for https; the system's.")
    heartbeat_ms: float = Field(
        default=5000, ge=20, le=600_000, allow_inf_nan=False, description="Time between two signs of life."
    )

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        return _without_credentials(url, ("http", "https")) if url else url

    @model_validator(mode="after")
    def _whole(self) -> WebhookSettings:
        if (not self.url) == (self.url_env is None):
            raise ValueError("found both or none of url and url_env, needed one of them")
        if self.token_env is not None and self.username_env is not None:
            raise ValueError("found token_env and username_env, needed one of them")
        if (self.username_env is None) != (self.password_env is None):
            raise ValueError("found one of username_env and password_env, needed both or none")
        return self


OutputSettings = Annotated[
    ModbusSettings | OpcUaSettings | MqttSettings | GpioSettings | WebhookSettings, Field(discriminator="kind")
]
"""One output, by its `kind`."""

__all__ = ["GateSettings", "OutputSettings"]


def _without_credentials(url: str, schemes: tuple[str, ...]) -> str:
    needed = " or ".join(f"{scheme}://HOST:PORT/PATH" for scheme in schemes)
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        raise ValueError(f"found no address, needed {needed}") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError("found a user or password in the address, needed them in environment variables: ..._env")
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"found no such address, needed {needed}")
    return url


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
