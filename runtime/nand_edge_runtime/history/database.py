"""The database: a SQLite file in the state folder or a PostgreSQL server, opened, and its faults in words."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from nand_edge.errors import NandEdgeError
from nand_edge.installation import explain_import_error
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.history.tables import make_or_migrate

_LOG = logging.getLogger(__name__)

SQLITE_FILE = "history.sqlite"

_WAIT_S = 2.0
"""How long a lock of another process is waited for."""

_CONNECT_S = 3
_STATEMENT_MS = 30_000
_MOST_DAMAGED = 5
_DAMAGED = ("malformed", "not a database", "corrupt")


class DatabaseAway(Exception):  # noqa: N818 - it is away for now, which is no fault of ours
    """The database cannot be used now; it is tried again."""


class DatabaseDamaged(Exception):  # noqa: N818 - said of the file
    """The SQLite file cannot be read as one."""


class Database:
    """Connections to the database; safe from any thread.

    Args:
        settings: Which database, and where its password is.
        folder: Where the SQLite file is, if it is one.
        only_read: Make and change nothing.

    Raises:
        NandEdgeError: The password's variable is not set, or the database's package is not installed.
    """

    def __init__(self, settings: HistorySettings, folder: Path, *, only_read: bool = False) -> None:
        self._url, self._secret = _address(settings, folder)
        self._written_to: tuple[int, int] | None = None
        self._readers, self._is_left = 0, False
        self._readers_change = threading.Condition()
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.file = Path(self._url.database or "") if self.is_sqlite else None
        try:
            self._reader = self._engine(4, only_read=True)
            self._writer = self._reader if only_read else self._engine(1, only_read=False)
        except ImportError as error:
            raise explain_import_error(error, "the history's database", "postgresql") or error from None

    @property
    def in_words(self) -> str:
        """The database without its password."""
        return self._url.render_as_string(hide_password=True) if self.file is None else str(self.file)

    def prepare(self) -> None:
        """Make the tables or bring them up to date.

        Raises:
            NandEdgeError: They are of a newer version.
            DatabaseAway, DatabaseDamaged: See there.
        """
        with self.writing() as connection:
            make_or_migrate(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes.

        Raises:
            DatabaseAway, DatabaseDamaged: See there; then nothing was written, or it cannot be known whether.
        """
        with self._translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read from.

        Raises:
            DatabaseAway, DatabaseDamaged: See there.
        """
        with self._counted(), self._translated(), self._reader.connect() as connection:
            yield connection

    def used_bytes(self) -> int:
        """What the SQLite file's used pages take; 0 for a server.

        Raises:
            DatabaseAway, DatabaseDamaged: See there.
        """
        if not self.is_sqlite:
            return 0
        with self.reading() as connection:
            count, free, size = (
                connection.execute(text(f"PRAGMA {name}")).scalar() or 0
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((count - free) * size)

    def give_back(self, pages: int) -> None:
        """Give free pages of the SQLite file back to the system, so many at most; a server does so by itself.

        Raises:
            DatabaseAway, DatabaseDamaged: See there.
        """
        if not self.is_sqlite:
            return
        with self.writing() as connection:
            # A script, which is gone through to its end: `execute` stops after the first page.
            driver: Any = connection.connection.driver_connection
            driver.executescript(f"PRAGMA incremental_vacuum({int(pages)})")

    def is_in_place(self) -> bool:
        """Whether the SQLite file that is written to still has its name; what is written to a removed one is lost."""
        if self.file is None or self._written_to is None:
            return True
        try:
            return _identity(self.file) == self._written_to
        except FileNotFoundError:
            return False
        except OSError:
            return True  # its disk does not answer, which the next use says

    def is_sound(self) -> bool:
        """Whether SQLite finds its file in order; takes as long as reading it."""
        try:
            with self.reading() as connection:
                return bool(connection.execute(text("PRAGMA quick_check(1)")).scalar() == "ok")
        except DatabaseDamaged:
            return False
        except DatabaseAway:
            return True

    def put_aside(self) -> Path:
        """Give a damaged SQLite file another name, so that a new one can be begun.

        Raises:
            DatabaseAway: It cannot be renamed, or there are many damaged ones already: the disk itself is at fault.
        """
        if self.file is None:
            raise DatabaseAway("the server says that its database is damaged")
        aside = self.file.with_name(f"{self.file.name}.damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
        if len(list(self.file.parent.glob(f"{self.file.name}.damaged-*Z"))) >= _MOST_DAMAGED or aside.exists():
            raise DatabaseAway(
                "the file was damaged again and again: look at its disk, and move the damaged files away"
            )
        try:
            with self.left():
                self.file.rename(aside)
                for suffix in ("-wal", "-shm"):
                    beside = self.file.with_name(self.file.name + suffix)
                    if beside.exists():
                        beside.rename(aside.with_name(aside.name + suffix))
        except OSError as error:
            raise DatabaseAway(f"the damaged file cannot be moved aside ({error.strerror})") from None
        return aside

    def close(self) -> None:
        """Close all connections that nobody uses; the next use opens new ones."""
        self._reader.dispose()
        self._writer.dispose()  # the last one of a SQLite file brings all into one file, which a reader may not
        self._written_to = None

    @contextmanager
    def left(self) -> Iterator[None]:
        """While another file gets the name of the SQLite file: all connections are closed, and nobody reads.

        SQLite finds the index that belongs to a file by the file's name. A reader of the old file would take the new
        one's for its own and begin it anew, under whoever writes there: that ends the process.

        Raises:
            DatabaseAway: Somebody still reads after two seconds.
        """
        with self._readers_change:
            self._is_left = True
            try:
                if not self._readers_change.wait_for(lambda: self._readers == 0, _WAIT_S):
                    raise DatabaseAway("its old file is still being read")
                self.close()
                yield
            finally:
                self._is_left = False
                self._readers_change.notify_all()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """A reader, who waits while the file is left."""
        with self._readers_change:
            if not self._readers_change.wait_for(lambda: not self._is_left, _WAIT_S):
                raise DatabaseAway("another file takes its place")
            self._readers += 1
        try:
            yield
        finally:
            with self._readers_change:
                self._readers -= 1
                self._readers_change.notify_all()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Tell the faults of the database from those of the rows, which alone pass as they are."""
        try:
            yield
        except (DataError, IntegrityError) as error:
            if error.connection_invalidated:
                raise DatabaseAway(self._said(error)) from None
            raise
        except (OSError, SQLAlchemyError, sqlite3.Error) as error:
            said = self._said(error)
            if self.is_sqlite and any(word in said for word in _DAMAGED):
                raise DatabaseDamaged(said) from None
            raise DatabaseAway(said) from None

    def _said(self, error: Exception) -> str:
        original = getattr(error, "orig", None) or error
        line = " ".join(str(original).split())[:300]
        return line.replace(self._secret, "***") if self._secret else line

    def _engine(self, connections: int, *, only_read: bool) -> Engine:
        url = self._url
        if self.file is not None:
            arguments: dict[str, Any] = {"timeout": _WAIT_S, "check_same_thread": False}
            if only_read:
                # A plain path would begin an empty file where there is none.
                query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if self._cannot_change() else {})
                url = url.set(database=self.file.absolute().as_uri(), query=query)
        else:
            arguments = {
                "connect_timeout": _CONNECT_S,
                "options": f"-c statement_timeout={_STATEMENT_MS} -c lock_timeout={_STATEMENT_MS // 3}"
                f" -c default_transaction_read_only={'on' if only_read else 'off'}",
                "tcp_user_timeout": _CONNECT_S * 1000,
                "application_name": "nand-edge",
                # A server that vanished while it was thinking is noticed within seconds, not hours.
                "keepalives_idle": _CONNECT_S,
                "keepalives_interval": 1,
                "keepalives_count": _CONNECT_S,
            }
        engine = create_engine(
            url, pool_size=connections, max_overflow=0, pool_timeout=_WAIT_S, pool_pre_ping=not self.is_sqlite,
            connect_args=arguments, hide_parameters=True,
        )  # fmt: skip
        if self.is_sqlite:
            event.listen(engine, "connect", _only_reading if only_read else self._set_up)
            event.listen(engine, "begin", _begin_reading if only_read else _begin_writing)
        return engine

    def _set_up(self, connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say, tables included
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        if self.file is not None:
            self._written_to = _identity(self.file)

    def _cannot_change(self) -> bool:
        """Whether nobody writes to the SQLite file and this process may not: SQLite must be told, or it refuses."""
        file = self.file
        return (
            file is not None
            and not os.access(file.parent, os.W_OK)
            and file.exists()
            and not file.with_name(file.name + "-wal").exists()
        )


_PRAGMAS = ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=FULL", "journal_size_limit=16777216")


def _address(settings: HistorySettings, folder: Path) -> tuple[URL, str]:
    if not settings.url:
        return URL.create("sqlite+pysqlite", database=str(folder / SQLITE_FILE)), ""
    try:
        url = make_url(settings.url)
    except (SQLAlchemyError, ValueError):
        raise NandEdgeError(
            "history.url",
            found="no address of a database",
            needed="postgresql://USER@HOST:PORT/NAME",
            do="write it like that, or leave url out for a SQLite file",
        ) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise NandEdgeError(
                "history.url", found="a database in memory", needed="a file", do="give sqlite:///PATH, or leave url out"
            )
        return url.set(drivername="sqlite+pysqlite", database=str(folder / url.database)), ""
    secret = ""
    if settings.password_env is not None:
        secret = os.environ.get(settings.password_env, "")
        if not secret:
            raise NandEdgeError(
                "history.password_env",
                found=f"no environment variable {settings.password_env!r}",
                needed="the database's password in it",
                do="set it in the service's environment",
            )
        url = url.set(password=secret)
    return url.set(drivername="postgresql+psycopg"), secret


def _identity(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_dev, stat.st_ino


def _only_reading(connection: Any, _: object) -> None:
    connection.isolation_level = None
    # SQLite's own knows no letters but A to Z.
    connection.create_function("lower", 1, _folded, deterministic=True)


def _folded(text: object) -> object:
    return text.casefold() if isinstance(text, str) else text


def _begin_writing(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
