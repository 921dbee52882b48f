"""A stream of JPEG pictures over HTTP (multipart/x-mixed-replace), each picture whole or known not to be.

FFmpeg reads such streams too, but fills what a damaged picture lacks with grey, and nobody would ever know.
"""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

from nand_edge_runtime.cameras.addresses import without_credentials, without_own_credentials
from nand_edge_runtime.cameras.protocol import CameraError

_LINE_BYTES = 8192
_HEADERS = 64
_CHUNK_BYTES = 1 << 16
_BOUNDARY = re.compile(r"boundary\s*=\s*\"?([^\s\";,]+)", re.IGNORECASE)
_REFUSED = (401, 403)


class MjpegStream:
    """An open stream.

    Args:
        response: What the camera answered.
        boundary: What stands between pictures, without the dashes around it.
        max_bytes: Of a picture.
        address: As it may be shown.
    """

    def __init__(self, response: Any, boundary: bytes, max_bytes: int, address: str) -> None:
        self._response, self._boundary, self._max_bytes, self._address = response, boundary, max_bytes, address
        self._pushed = b""

    def read(self) -> bytes:
        """The next part's content, whatever it holds.

        Raises:
            CameraError: The stream ended, stalled, or is none.
        """
        try:
            self._find_boundary()
            length = self._length()
            return self._exactly(length) if length is not None else self._up_to_boundary()
        except TimeoutError:
            raise CameraError(f"{self._address} sends nothing") from None
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            raise CameraError(f"{self._address} broke off ({type(error).__name__})") from None

    def close(self) -> None:
        """Disconnect."""
        with suppress(OSError):
            self._response.close()

    def _find_boundary(self) -> None:
        passed = 0
        while not self._is_boundary(line := self._line()):
            passed += len(line)
            if passed > self._max_bytes:
                raise CameraError(f"{self._address} sends no pictures")

    def _is_boundary(self, line: bytes) -> bool:
        return line.startswith(b"--") and line.strip().strip(b"-") == self._boundary

    def _length(self) -> int | None:
        """Read a part's headers, and give the length that they announce."""
        length: int | None = None
        for _ in range(_HEADERS):
            line = self._line().strip()
            if not line:
                return length
            key, _, value = line.partition(b":")
            if key.strip().lower() == b"content-length":
                length = int(value)
                if not 0 <= length <= self._max_bytes:
                    raise CameraError(f"{self._address} announces a picture of {length} bytes")
        raise CameraError(f"{self._address} sends headers without end")

    def _exactly(self, length: int) -> bytes:
        content = bytearray()
        while len(content) < length:
            chunk = self._response.read(min(length - len(content), _CHUNK_BYTES))
            if not chunk:
                raise CameraError(f"{self._address} ended")
            content += chunk
        return bytes(content)

    def _up_to_boundary(self) -> bytes:
        """A part without a length ends before a line with the boundary, which `_find_boundary` is not to miss."""
        content = bytearray()
        while len(content) <= self._max_bytes:
            line = self._line()
            if self._is_boundary(line):
                self._pushed = line
                return bytes(content).removesuffix(b"\n").removesuffix(b"\r")
            content += line
        raise CameraError(f"{self._address} sends a picture of over {self._max_bytes} bytes")

    def _line(self) -> bytes:
        line, self._pushed = self._pushed, b""
        line = line or self._response.readline(_LINE_BYTES)
        if not line:
            raise CameraError(f"{self._address} ended")
        return bytes(line)


def open_mjpeg(
    address: str, username: str, password: str, *, timeout_s: float, max_bytes: int, verifies_tls: bool
) -> MjpegStream | None:
    """Open an http or https address; None where it answers with something else than a stream of pictures.

    Raises:
        CameraError: There is no answer, or a refusal.
    """
    shown = without_credentials(address)
    plain = without_own_credentials(address)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    passwords.add_password(None, plain, username, password)
    context = ssl.create_default_context()
    if not verifies_tls:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),  # a camera stands beside us, whatever the environment says of proxies
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPDigestAuthHandler(passwords),
        urllib.request.HTTPBasicAuthHandler(passwords),
    )
    try:
        response = opener.open(plain, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        why = "the user's name or password is wrong" if error.code in _REFUSED else f"it answers {error.code}"
        raise CameraError(f"{shown} cannot be opened: {why}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CameraError(f"{shown} cannot be opened: {_in_words(error)}") from None
    kind = response.headers.get("Content-Type", "")
    boundary = _BOUNDARY.search(kind)
    if not kind.lower().startswith("multipart/") or boundary is None:
        response.close()
        return None
    return MjpegStream(response, boundary[1].strip("-").encode("latin-1"), max_bytes, shown)


def _in_words(error: Exception) -> str:
    """What is wrong, without what others put into an exception's text: an address with a password, say."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return getattr(cause, "strerror", None) or type(cause).__name__
