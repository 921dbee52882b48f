"""The settings of the live page: where it listens, who may look, and how much it may do at once."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from nand_edge_runtime.station.settings_base import Settings

_LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")


class WebSettings(Settings):
    """The live page, on this machine alone unless told otherwise."""

    enabled: bool = Field(default=True, description="Whether there is a live page.")
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=255,
        description="Address that it listens at; 0.0.0.0 is all of them. Others than this machine's own need TLS.",
    )
    port: int = Field(default=8080, ge=0, le=65535, description="Port that it listens at; 0 takes a free one.")
    host_names: tuple[str, ...] = Field(
        default=(),
        max_length=64,
        description="Further names by which browsers reach it; addresses and this machine's own name always do.",
    )
    tls_certificate: Path | None = Field(
        default=None,
        description="PEM file with the certificate and those above it; relative to the settings file's folder.",
    )
    tls_key: Path | None = Field(default=None, description="PEM file with the certificate's key, without a password.")
    plain_http: bool = Field(
        default=False,
        description="Allow other machines without TLS: passwords are readable on the way. For networks of its own.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        max_length=64,
        description="Addresses of reverse proxies whose word is taken for a browser's address and for https.",
    )
    public_view: bool = Field(
        default=False, description="Whether everybody who reaches it may look; changes need a sign-in all the same."
    )
    users_file: Path | None = Field(
        default=None, description="Who may sign in, see `nand-edge user`; web/users.json in the state folder."
    )
    session_hours: float = Field(default=12.0, gt=0, le=24 * 400, description="How long a sign-in lasts.")
    pictures_per_second: float = Field(
        default=5.0, gt=0, le=30, description="Pictures of each camera at most, and only while somebody looks."
    )
    viewers: int = Field(default=64, ge=1, le=1000, description="Browsers that are shown live pictures at once.")
    rehearsal_frames: int = Field(
        default=100, ge=1, le=10_000, description="On how many of the last frames a change is tried, unless chosen."
    )

    @field_validator("host")
    @classmethod
    def _plain_host(cls, host: str) -> str:
        if any(character.isspace() or character in "/@?#" for character in host):
            raise ValueError("found no address, needed one such as 127.0.0.1 or 0.0.0.0")
        return host.strip("[]")

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError:
                raise ValueError(f"found {proxy[:80]!r}, needed an address such as 10.0.0.7 or 10.0.0.0/24") from None
        return proxies

    @model_validator(mode="after")
    def _no_passwords_in_the_open(self) -> WebSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("found one of tls_certificate and tls_key, needed both or none")
        if not (self.is_local or self.uses_tls or self.plain_http):
            raise ValueError(
                f"found host {self.host!r} without TLS, needed tls_certificate and tls_key, host 127.0.0.1, or "
                "plain_http = true where nobody else is on the network"
            )
        return self

    @property
    def uses_tls(self) -> bool:
        """Whether the server itself speaks https."""
        return self.tls_certificate is not None

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host.lower() in _LOOPBACK_NAMES:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
