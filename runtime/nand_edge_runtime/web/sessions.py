"""The sessions: who is signed in, known by a random token of which only the hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nand_edge_runtime.web.private_files import read_private, write_private
from nand_edge_runtime.web.users import User

_LOG = logging.getLogger(__name__)

SESSIONS_FILE = Path("web") / "sessions.json"
"""In the state folder, so that a tablet is still signed in after the station was started again."""

_MOST = 1000
_MOST_OF_ONE = 20
_TOKEN_LENGTH = 43


@dataclass(frozen=True)
class Session:
    """A sign-in.

    Attributes:
        user: The user's name.
        until: Seconds since 1970 when it ends, for the next start of the station.
        ends: The same moment of a clock that nobody sets.
        password_changed: When the user's password was set: with another one, the session has ended.
    """

    user: str
    until: float
    ends: float
    password_changed: float


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        file: Where their hashes are kept; None keeps them in memory.
        hours: How long a session lasts.
        clock: Seconds since 1970.
        steady: Seconds that only go forward: what sessions that began in this run end by.
    """

    def __init__(
        self,
        file: Path | None,
        hours: float,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._seconds, self._clock, self._steady = file, hours * 3600.0, clock, steady
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = self._kept()

    def begin(self, user: User) -> str:
        """Sign a user in, and give the token: the only time that it is known here."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._forget_old()
            own = [key for key, session in self._sessions.items() if session.user == user.name]
            for key in own[: max(len(own) - _MOST_OF_ONE + 1, 0)]:
                del self._sessions[key]
            while len(self._sessions) >= _MOST:
                del self._sessions[next(iter(self._sessions))]
            until, ends = self._clock() + self._seconds, self._steady() + self._seconds
            self._sessions[_hash(token)] = Session(user.name, until, ends, user.changed)
            self._keep()
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, if it has not ended."""
        if len(token) != _TOKEN_LENGTH:
            return None
        with self._lock:
            session = self._sessions.get(_hash(token))
        return session if session and self._steady() < session.ends else None

    def end(self, token: str) -> None:
        """Sign out."""
        with self._lock:
            if self._sessions.pop(_hash(token), None) is not None:
                self._keep()

    def end_all_of(self, name: str) -> None:
        """Sign a user out everywhere."""
        with self._lock:
            self._sessions = {key: kept for key, kept in self._sessions.items() if kept.user != name}
            self._keep()

    def _forget_old(self) -> None:
        now = self._steady()
        self._sessions = {key: session for key, session in self._sessions.items() if now < session.ends}

    def _kept(self) -> dict[str, Session]:
        """The sessions of earlier runs that have not ended; none lasts longer than a new one."""
        if self._file is None:
            return {}
        now, steady = self._clock(), self._steady()
        sessions = {}
        try:
            document: dict[str, Any] = read_private(self._file) or {}
            for key, kept in list(document.get("sessions", {}).items())[:_MOST]:
                left = min(float(kept["until"]) - now, self._seconds)
                if left > 0:
                    sessions[str(key)] = Session(
                        str(kept["user"]), now + left, steady + left, float(kept["password_changed"])
                    )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _LOG.warning("earlier sessions are lost, everybody signs in again (%s)", type(error).__name__)
        return sessions

    def _keep(self) -> None:
        if self._file is None:
            return
        try:
            write_private(self._file, {"sessions": {key: _document(kept) for key, kept in self._sessions.items()}})
        except OSError as error:
            _LOG.warning("sessions are not kept over a restart (%s)", error.strerror or type(error).__name__)


def change_token(token: str) -> str:
    """What a page of this session must show with every change, so that no other site's page can change anything."""
    return hmac.new(token.encode(), b"change", hashlib.sha256).hexdigest()


def _document(session: Session) -> dict[str, Any]:
    return {"user": session.user, "until": session.until, "password_changed": session.password_changed}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
