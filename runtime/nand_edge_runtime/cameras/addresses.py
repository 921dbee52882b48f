"""Addresses of cameras: credentials come from the environment or the address, and are never shown."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from nand_edge.errors import NandEdgeError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,31}://")
_IN_TEXT = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_IN_QUERY = re.compile(
    r"(?<=[?&])((?:user(?:name)?|pass(?:word|wd)?|pwd|token|key|auth|secret)=)[^&#\s]*", re.IGNORECASE
)


def is_address(source: str) -> bool:
    """Whether a source is an address such as rtsp://HOST/PATH."""
    return _ADDRESS.match(source) is not None


def without_credentials(text: str) -> str:
    """A source, or a text with addresses in it, without user names and passwords."""
    return _IN_QUERY.sub(r"\g<1>***", _IN_TEXT.sub("", text))


def without_own_credentials(address: str) -> str:
    """An address to connect to, without the user name and password in it; its query stays as it is."""
    return _IN_TEXT.sub("", address)


def credentials_of(source: str) -> tuple[str, str]:
    """User name and password that stand in an address; empty where there are none."""
    if not is_address(source):
        return "", ""
    parts = urlsplit(source)
    return unquote(parts.username or ""), unquote(parts.password or "")


def credentials(source: str, username_env: str | None, password_env: str | None) -> tuple[str, str]:
    """User name and password for a source; what the environment says goes before what the address says.

    Raises:
        NandEdgeError: An environment variable that the settings name is not set.
    """
    username, password = credentials_of(source)
    return (
        username if username_env is None else _variable(username_env),
        password if password_env is None else _variable(password_env),
    )


def with_credentials(source: str, username: str, password: str) -> str:
    """An address with these credentials in the place of its own; another source as it is."""
    if not is_address(source) or not (username or password):
        return source
    parts = urlsplit(source)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{host}"))


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise NandEdgeError(
            f"environment variable {name!r}",
            found="that it is not set",
            needed="a camera's user name or password in it",
            do="set it where the station is started (systemd: EnvironmentFile=)",
        )
    return value
