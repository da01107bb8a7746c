"""The history's SQLite file: opened, brought up to date, and its failures as errors for users.

One process, the service, writes; others may read at the same time. A Database belongs to the thread that
opened it, which sqlite3 itself enforces.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from daw_bridge.errors import HistoryDamaged, storage_errors
from daw_bridge.history.schema import APPLICATION_ID, MIGRATIONS
from engine.errors import DiskFull, EngineError, NotFound, OutputError, UnsupportedVersion

BUSY_S = 5.0
_LOG = logging.getLogger(__name__)
# The journal goes first: should the process die between two, the damaged file is found again.
_COMPANIONS = ("-wal", "-shm", "")
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_REASONS = {
    sqlite3.SQLITE_BUSY: "another program is writing to it",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_LOCKED: "another program is writing to it",
    sqlite3.SQLITE_PERM: "access to it is denied",
    sqlite3.SQLITE_PROTOCOL: "too many programs use it at once",
    sqlite3.SQLITE_READONLY: "it, or its folder, is read-only",
}


class Database:
    """A connection for one thread; use it as a context manager.

    set_aside is where a damaged file was moved to, if there was one. has_words tells whether this SQLite has
    the index that finds parts of words.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.set_aside: Path | None = None
        self.has_words = True
        self._connection = connection

    @classmethod
    def writer(cls, path: Path, *, migrations: Sequence[str] = MIGRATIONS, full_text: bool = True) -> Self:
        """Open the file for writing; make it, bring it up to date, or set it aside if it is damaged.

        Raises:
            UnsupportedVersion: a newer program wrote it.
            OutputError: it cannot be written, or is no history.
            DiskFull: no room for it.
        """
        try:
            return cls._prepared(path, migrations, full_text)
        except HistoryDamaged as error:
            set_aside = _moved_aside(path)
            _LOG.warning("%s; it is kept as %s", error.message, set_aside)
        database = cls._prepared(path, migrations, full_text)
        database.set_aside = set_aside
        return database

    @classmethod
    def reader(cls, path: Path, *, migrations: Sequence[str] = MIGRATIONS) -> Self:
        """Open the file for reading only, beside the process that writes it.

        Raises:
            NotFound: there is no history yet.
            UnsupportedVersion: another version of the program wrote it.
            HistoryDamaged: it is not a readable database.
            OutputError: it cannot be opened.
        """
        if not os.path.exists(path):  # noqa: PTH110 - where the folder is closed to us it raises nothing
            raise _no_history()
        connection = _opened(f"{path.absolute().as_uri()}?mode=ro", path)
        with _closed_on_error(connection), database_errors(path):
            version = _version(connection, path, len(migrations))
            if not version:
                # The first service of all is just making it.
                raise _no_history()
            if version != len(migrations):
                raise UnsupportedVersion(f"{path} has the older version {version}", "Start the service once.")
        database = cls(path, connection)
        with _closed_on_error(connection):
            database.has_words = database._found_word_index()
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything inside or nothing; raises as database_errors does."""
        with database_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A full disk makes SQLite roll back on its own.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, sql: str, *values: object, **named: object) -> list[sqlite3.Row]:
        """Return all rows of a query; raises as database_errors does."""
        with database_errors(self.path):
            return self._connection.execute(sql, named or values).fetchall()

    def first(self, sql: str, *values: object, **named: object) -> sqlite3.Row | None:
        rows = self.rows(sql, *values, **named)
        return rows[0] if rows else None

    def execute(self, sql: str, *values: object) -> int:
        """Change rows; return the number of the row that was added last. Only inside a transaction."""
        assert self._connection.in_transaction, "a change belongs into a transaction"
        return self._connection.execute(sql, values).lastrowid or 0

    def newest_words(self) -> int:
        """Return up to which spec the index of words goes, 0 where it is empty."""
        # SQLite would read the whole index for max(rowid).
        row = self.first("SELECT rowid FROM spec_words ORDER BY rowid DESC LIMIT 1")
        return 0 if row is None else int(row["rowid"])

    @classmethod
    def _prepared(cls, path: Path, migrations: Sequence[str], full_text: bool) -> Self:
        connection = _prepared(path, migrations)
        database = cls(path, connection)
        with _closed_on_error(connection):
            database.has_words = full_text and database._mended_word_index()
        return database

    def _mended_word_index(self) -> bool:
        try:
            return self._made_word_index()
        except HistoryDamaged:
            # It says nothing that the specs do not.
            _LOG.warning("the index of words of %s is damaged and made anew", self.path)
            with self.transaction():
                self.execute("DROP TABLE spec_words")
            return self._made_word_index()

    def _found_word_index(self) -> bool:
        try:
            self.newest_words()
        except sqlite3.OperationalError:
            return False
        return True

    def _made_word_index(self) -> bool:
        """Make the index of all parts of words, and fill in what a SQLite without it has left out."""
        try:
            with self.transaction():
                self.execute(
                    "CREATE VIRTUAL TABLE IF NOT EXISTS spec_words USING fts5(words, tokenize = 'trigram')"
                )
                self.execute(
                    "INSERT INTO spec_words (rowid, words) SELECT spec_id, words FROM specs"
                    " WHERE spec_id > ?",
                    self.newest_words(),
                )
                self.execute("INSERT INTO spec_words (spec_words) VALUES ('integrity-check')")
        except sqlite3.OperationalError:
            return False
        return True


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite reports into errors for users.

    Raises:
        DiskFull: no room.
        OutputError: the file cannot be opened, read or written, or someone else writes.
        HistoryDamaged: the file is not a whole database.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        typed = _typed(error, path)
        if typed is None:
            raise
        raise typed from error


def storable(text: str) -> str | bytes:
    """Return text as SQLite takes it: names of files may hold bytes that are not Unicode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def stored_text(value: Any) -> str:
    """Return what storable was given."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else str(value)


def readable(text: str) -> str:
    """Return text for people; what is not Unicode becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _no_history() -> NotFound:
    return NotFound("there is no history yet", "It begins with the first job.")


def _typed(error: sqlite3.DatabaseError, path: Path) -> EngineError | None:
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    if code in _FULL:
        return DiskFull(f"no room left for {path}", "Free some space and try again.")
    if kind in _DAMAGED:
        return HistoryDamaged(f"{path} is damaged ({error})", "Start the service: it sets the file aside.")
    if kind in _REASONS:
        return OutputError(f"cannot use {path}: {_REASONS[kind]}", "Choose another folder for the history.")
    return None


def _prepared(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    connection = _opened(path, path)
    with _closed_on_error(connection), database_errors(path):
        version = _version(connection, path, len(migrations))
        # In WAL mode readers and the writer do not wait for each other. NORMAL syncs at checkpoints only: a
        # process that is killed loses nothing, a power cut at most the last moments, and neither the whole.
        # FULL would stop the service for a disk's sync at each of a job's transitions.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        _require_whole(connection, path)
        if version < len(migrations):
            _migrate(connection, migrations[version:], len(migrations))
        # Only now: a step that makes a table anew must not empty those that refer to it.
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _opened(name: str | Path, path: Path) -> sqlite3.Connection:
    with database_errors(path):
        connection = sqlite3.connect(name, timeout=BUSY_S, isolation_level=None, uri=isinstance(name, str))
    connection.row_factory = sqlite3.Row
    return connection


def _version(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """Return the version of the schema, 0 of an empty file; raises for files of others and of the future."""
    # In one transaction: a service may be making the file between two looks at it.
    connection.execute("BEGIN")
    try:
        version, owner = _pragma(connection, "user_version"), _pragma(connection, "application_id")
        is_empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    if owner != APPLICATION_ID and not (is_empty and owner == 0):
        raise OutputError(f"{path} is a database of another program", "Choose another file.")
    if version > newest:
        raise UnsupportedVersion(
            f"{path} has version {version}, this program reads {newest}", "Update the program."
        )
    return version


# A step may end with a comment.
_SEPARATOR = ";\n"


def _migrate(connection: sqlite3.Connection, steps: Sequence[str], version: int) -> None:
    """Bring the file to a version in one transaction: nobody ever reads one in between."""
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {_SEPARATOR.join(steps)}; {marks} COMMIT;")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _require_whole(connection: sqlite3.Connection, path: Path) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise HistoryDamaged(f"{path} is damaged ({answer})")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _moved_aside(path: Path) -> Path:
    """Rename a damaged file and what belongs to it, so that nothing is lost and a new one can begin."""
    number = 1
    while any(os.path.lexists(file) for file in _files(_aside(path, number))):
        number += 1
    aside = _aside(path, number)
    try:
        for old, new in zip(_files(path), _files(aside), strict=True):
            with suppress(FileNotFoundError):
                old.rename(new)
    except OSError as error:
        raise OutputError(f"cannot set the damaged {path} aside: {error.strerror}") from error
    return aside


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.damaged-{number}{path.suffix}")


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + companion) for companion in _COMPANIONS]
