"""A history opened by another process than its station, to be read only, while that runs or when it is gone."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import select

from nand_edge.errors import NandEdgeError
from nand_edge_runtime.history import segments
from nand_edge_runtime.history.database import Database, DatabaseAway, DatabaseDamaged
from nand_edge_runtime.history.history import FOLDER, JOURNAL_FOLDER, PICTURES_FOLDER
from nand_edge_runtime.history.journal import identity_of
from nand_edge_runtime.history.picture_files import PictureFiles
from nand_edge_runtime.history.reading import Reader
from nand_edge_runtime.history.segments import Position
from nand_edge_runtime.history.settings import HistorySettings
from nand_edge_runtime.history.tables import POSITIONS, require_tables


class OpenedHistory(Reader):
    """The history of a state folder, or a database on a server; nothing of it is changed.

    Args:
        state_folder: The station's; its pictures and its journal are there. None for a server's database alone.
        url: The database's address, as in the station's settings; empty for the SQLite file in the state folder.
        password_env: The environment variable with the database's password.

    Raises:
        NandEdgeError: There is no history, it cannot be read, or it is of another version.
    """

    def __init__(self, state_folder: Path | None, *, url: str = "", password_env: str | None = None) -> None:
        folder = (state_folder or Path()) / FOLDER
        if state_folder is not None:
            _require_history(state_folder)
        elif not url:
            raise NandEdgeError(
                "history", found="neither a state folder nor a url", needed="one of them", do="name the state folder"
            )
        self._journal_folder = None if state_folder is None else folder / JOURNAL_FOLDER
        self._records = Database(_settings(url, password_env), folder, only_read=True)
        file = self._records.file
        if file is not None and not file.is_file():
            raise NandEdgeError(
                f"history {str(file)!r}",
                found="no such file",
                needed="a database that a station has written to",
                do="start the station once or, if its settings name a history.url, give it with --url",
            )
        super().__init__(self._records, PictureFiles(folder / PICTURES_FOLDER))
        with self._connection() as connection:
            require_tables(connection)

    def waiting(self) -> int:
        """How many facts of the journal the database lacks: those of the last moment, or what came before a crash."""
        folder = self._journal_folder
        try:
            identity = "" if folder is None else identity_of(folder)
            if not identity or folder is None:
                return 0
            wanted = select(POSITIONS.c.segment, POSITIONS.c.offset).where(POSITIONS.c.journal == identity)
            with self._records.reading() as connection:
                row = connection.execute(wanted).one_or_none()
            return segments.lines_after(folder, None if row is None else Position(row.segment, row.offset))
        except (OSError, DatabaseAway, DatabaseDamaged):
            return 0  # a running station moves on between two looks

    def close(self) -> None:
        """Close the connections."""
        self._records.close()


def _require_history(state_folder: Path) -> None:
    if (state_folder / FOLDER).is_dir():
        return
    if not state_folder.is_dir():
        found = "no such folder"
    elif (state_folder / "manifest.json").exists():
        found = "a bundle"
    else:
        found = f"a folder without {FOLDER!r} in it"
    raise NandEdgeError(
        f"state folder {str(state_folder)!r}",
        found=found,
        needed="the state_folder of a station that has run",
        do="look for state_folder in the station's settings; by default it is NAME.state beside them",
    )


def _settings(url: str, password_env: str | None) -> HistorySettings:
    try:
        return HistorySettings(url=url, password_env=password_env)
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise NandEdgeError(
            "the history's url",
            found="an address that is none",
            needed="postgresql://USER@HOST:PORT/NAME without a password",
            do=f"mend it ({said})",
        ) from None
