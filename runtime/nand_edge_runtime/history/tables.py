"""The database's tables, and how those of an older version become these."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
    select,
    text,
    update,
)

from nand_edge.errors import NandEdgeError

VERSION = 1

MIGRATIONS: dict[int, Callable[[Connection], None]] = {}
"""From a version to the next one."""

METADATA = MetaData()

_LOCK = 0x6E616E64
"""PostgreSQL's advisory lock, so that two stations do not make the tables at once."""

_ID = BigInteger().with_variant(Integer, "sqlite")

META = Table(
    "nand_edge_meta", METADATA, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False)
)

FRAMES = Table(
    "nand_edge_frames",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("station", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("timestamp", Float(53), nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("reason", String(60), nullable=False),
    Column("detail", Text, nullable=False),
    Column("position", Float(53)),
    Column("device_timestamp_ns", BigInteger),
    Column("dropped_before", BigInteger, nullable=False),
    Column("score", Float(53)),
    Column("base_score", Float(53)),
    Column("threshold", Float(53)),
    Column("suppressed", Boolean, nullable=False),
    Column("clip_ran", Boolean, nullable=False),
    Column("score_is_bound", Boolean, nullable=False),
    Column("normalities", JSON, nullable=False),
    Column("normalities_sha256", Text, nullable=False),
    Column("bundle", Text, nullable=False),
    Column("latency_ms", JSON, nullable=False),
    UniqueConstraint("run", "camera", "number"),
    Index("nand_edge_frames_by_time", "timestamp"),
    Index("nand_edge_frames_by_verdict", "verdict", "id"),
    Index("nand_edge_frames_by_reason", "reason", "id"),
    # Few frames pass only because of a normality, and they are asked for most.
    Index(
        "nand_edge_frames_suppressed", "id", sqlite_where=text("suppressed = 1"), postgresql_where=text("suppressed")
    ),
)
"""A row for each frame that entered and has its verdict."""

WAITING = Table(
    "nand_edge_waiting",
    METADATA,
    Column("journal", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("entered", JSON, nullable=False),
)
"""Frames that entered and have no verdict yet."""

AUDIT = Table(
    "nand_edge_audit",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("station", Text, nullable=False),
    Column("source", Text, nullable=False, unique=True),
    Column("at", Float(53), nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", JSON, nullable=False),
)

STATES = Table(
    "nand_edge_states",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("station", Text, nullable=False),
    Column("source", Text, nullable=False, unique=True),
    Column("at", Float(53), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("why", Text, nullable=False),
)

POSITIONS = Table(
    "nand_edge_positions",
    METADATA,
    Column("journal", Text, primary_key=True),
    Column("segment", Text, nullable=False),
    Column("offset", BigInteger, nullable=False),
)
"""How far each journal is taken over; changes in the transaction that writes the rows."""


def make_or_migrate(connection: Connection) -> None:
    """Make the tables, or bring them to this version, within the connection's transaction.

    Raises:
        NandEdgeError: They are of a newer version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    META.create(connection, checkfirst=True)
    kept = connection.execute(select(META.c.value).where(META.c.key == "version")).scalar()
    if kept is None:
        METADATA.create_all(connection)
        connection.execute(insert(META).values(key="version", value=str(VERSION)))
        return
    version = _known(kept)
    for step in range(version, VERSION):
        MIGRATIONS[step](connection)
    if version < VERSION:
        connection.execute(update(META).where(META.c.key == "version").values(value=str(VERSION)))
    METADATA.create_all(connection)  # where somebody removed one


def require_tables(connection: Connection) -> None:
    """Refuse to read tables that are not there, or of another version.

    Raises:
        NandEdgeError: They are not there, older or newer.
    """
    is_there = inspect(connection).has_table(META.name)
    kept = connection.execute(select(META.c.value).where(META.c.key == "version")).scalar() if is_there else None
    if kept is None:
        raise NandEdgeError(
            "the history's database",
            found="no tables of a history",
            needed="a database that a station has written to",
            do="check the address, or start the station once",
        )
    if (version := _known(kept)) < VERSION:
        raise NandEdgeError(
            "the history's database",
            found=f"tables of version {version}",
            needed=f"version {VERSION}",
            do="start the station once with this NAND Edge, which brings them up to date",
        )


def _known(kept: str) -> int:
    """The version that is kept.

    Raises:
        NandEdgeError: It is newer than this one.
    """
    version = int(kept) if kept.isascii() and kept.isdigit() else VERSION + 1
    if version > VERSION:
        raise NandEdgeError(
            "the history's database",
            found=f"tables of version {kept[:20]}",
            needed=f"version {VERSION} or older",
            do="install the NAND Edge that wrote it or a newer one, or set another url or state_folder",
        )
    return version
