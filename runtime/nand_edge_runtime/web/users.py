"""The users: who may sign in to the live page, with which role, in a file that only the station can read."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.web.passwords import generated_password, hash_password, is_password
from nand_edge_runtime.web.private_files import read_private, write_private
from nand_edge_runtime.web.roles import Role

_LOG = logging.getLogger(__name__)

USERS_FILE = Path("web") / "users.json"
"""In the state folder."""

FIRST_USER = "engineer"

_VERSION = 1
_MOST = 1000
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@ -]{0,62}[A-Za-z0-9])?")
_TAKEN = ("settings", "station")
"""Names that the audit log uses for those who are nobody."""


@dataclass(frozen=True)
class User:
    """Somebody who may sign in.

    Attributes:
        name: The name, unique whatever its case.
        role: What they may do.
        password_hash: Of their password.
        changed: Seconds since 1970 when the password was set.
        must_change: Whether the password was given to them, so that they choose their own first of all.
    """

    name: str
    role: Role
    password_hash: str
    changed: float
    must_change: bool = False

    def to_json(self) -> dict[str, Any]:
        """As the file has it."""
        return {
            "name": self.name,
            "role": self.role.value,
            "password_hash": self.password_hash,
            "changed": self.changed,
            "must_change": self.must_change,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> User:
        """The user of `to_json`.

        Raises:
            KeyError, ValueError, TypeError: It is none.
        """
        return cls(
            _checked_name(str(document["name"])),
            Role(document["role"]),
            str(document["password_hash"]),
            float(document["changed"]),
            bool(document.get("must_change", False)),
        )


class Users:
    """Reads and writes the file; a change that somebody else makes to it holds at once.

    Args:
        file: The file; None keeps users in memory, for as long as the process lives.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._users: dict[str, User] = {}
        self._version: tuple[int, int, int] | None = None

    def all(self) -> list[User]:
        """Everybody, by name.

        Raises:
            NandEdgeError: The file is damaged or cannot be read.
        """
        with self._lock:
            return sorted(self._read().values(), key=lambda user: user.name.casefold())

    def find(self, name: str) -> User | None:
        """The user of a name, whatever its case; see `all`."""
        with self._lock:
            return self._read().get(name.casefold())

    def sign_in(self, name: str, password: str) -> User | None:
        """The user, if it is their password; takes the same time if not. See `all`."""
        user = self.find(name)
        return user if is_password(password, user.password_hash if user else None) else None

    def add(self, name: str, role: Role, password: str, *, must_change: bool = False) -> User:
        """Add a user.

        Raises:
            NandEdgeError: The name is taken or no name, the password not good enough, or the file cannot be written.
        """
        try:
            _checked_name(name)
        except ValueError:
            raise _no_name(name, "a name that cannot be used") from None
        user = User(name, role, hash_password(password, name=name), time.time(), must_change)

        def added(users: dict[str, User]) -> None:
            if name.casefold() in users:
                raise _no_name(name, "a name that is taken")
            if len(users) >= _MOST:
                raise _no_name(name, f"{_MOST} users already")
            users[name.casefold()] = user

        self._change(added)
        return user

    def set_password(self, name: str, password: str, *, must_change: bool = False) -> User:
        """Give a user a new password; see `add`."""
        hashed = hash_password(password, name=name)
        return self._replace(name, password_hash=hashed, changed=time.time(), must_change=must_change)

    def set_role(self, name: str, role: Role) -> User:
        """Give a user another role.

        Raises:
            NandEdgeError: There is no such user, no engineer would be left, or the file cannot be written.
        """
        return self._replace(name, role=role)

    def remove(self, name: str) -> None:
        """Remove a user; see `set_role`."""

        def removed(users: dict[str, User]) -> None:
            if users.pop(name.casefold(), None) is None:
                raise _unknown(name)
            _require_engineer(users)

        self._change(removed)

    def first_sign_in(self) -> tuple[str, str] | None:
        """Name and one-time password of the first engineer, new at each call until they have chosen their own.

        Returns:
            None where somebody else may sign in, or they have chosen.

        Raises:
            NandEdgeError: The file is damaged, or cannot be read or written.
        """
        users = self.all()
        if users and not (len(users) == 1 and users[0].name == FIRST_USER and users[0].must_change):
            return None
        password = generated_password()
        if users:
            self.set_password(FIRST_USER, password, must_change=True)
        else:
            self.add(FIRST_USER, Role.ENGINEER, password, must_change=True)
        return FIRST_USER, password

    def _replace(self, name: str, **changes: Any) -> User:
        def replaced(users: dict[str, User]) -> None:
            known = users.get(name.casefold())
            if known is None:
                raise _unknown(name)
            users[name.casefold()] = replace(known, **changes)
            _require_engineer(users)

        return self._change(replaced)[name.casefold()]

    def _change(self, change: Callable[[dict[str, User]], None]) -> dict[str, User]:
        with self._lock:
            users = dict(self._read())
            change(users)
            if self.file is not None:
                document = {"version": _VERSION, "users": [user.to_json() for user in users.values()]}
                try:
                    write_private(self.file, document)
                except OSError as error:
                    raise NandEdgeError(
                        f"users {str(self.file)!r}",
                        found=f"a file that cannot be written ({error.strerror or type(error).__name__})",
                        needed="a folder that the station may write to, and room on the disk",
                        do="mend that and try again; nothing was changed",
                    ) from None
            self._users, self._version = users, self._on_disk()
            return users

    def _read(self) -> dict[str, User]:
        """The users, read again when the file is another one than last time."""
        if self.file is None:
            return self._users
        version = self._on_disk()
        if version is None:
            self._users, self._version = {}, None
        elif version != self._version:
            try:
                document = read_private(self.file) or {}
                users = [User.from_json(user) for user in document.get("users", ())][:_MOST]
            except OSError as error:
                raise _damaged(self.file, error.strerror or type(error).__name__) from None
            except (ValueError, KeyError, TypeError, AttributeError):
                raise _damaged(self.file, "something else") from None
            self._users, self._version = {user.name.casefold(): user for user in users}, version
        return self._users

    def _on_disk(self) -> tuple[int, int, int] | None:
        if self.file is None:
            return None
        try:
            status = self.file.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _damaged(self.file, error.strerror or type(error).__name__) from None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name) is None or name.casefold() in _TAKEN:
        raise ValueError("no name")
    return name


def _require_engineer(users: dict[str, User]) -> None:
    if not any(user.role is Role.ENGINEER for user in users.values()):
        raise NandEdgeError(
            "the users",
            found="no engineer left after this",
            needed="one at least, who can add users",
            do="make somebody else an engineer first",
        )


def _no_name(name: str, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"user {name[:64]!r}",
        found=found,
        needed="a new name of at most 64 letters, digits, spaces, and . _ @ -",
        do="choose another name",
    )


def _unknown(name: str) -> NandEdgeError:
    return NandEdgeError(
        f"user {name[:64]!r}", found="nobody of that name", needed="a user who is there", do="look at the list of users"
    )


def _damaged(file: Path, found: str) -> NandEdgeError:
    return NandEdgeError(
        f"users {str(file)!r}",
        found=found,
        needed="the file as the live page and `nand-edge user` write it",
        do="put a copy back, or remove it and start the station again for a first sign-in",
    )
