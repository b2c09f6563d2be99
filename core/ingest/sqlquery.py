"""The rows of a query in any database that SQLAlchemy speaks to.

The query runs once. Its rows wait in files, since their types are known only when all have
been seen.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.ingest import BadRow
from core.errors import BadInput
from core.ingest.errors import SourceUnreadable
from core.ingest.reading import ValueChunk

_ROWS = 20_000


def address_of(text: str, password_variable: str | None = None) -> sa.URL:
    """The database meant. The password is in the environment, under the name given.

    Raises `BadInput`: also for a password in the address, which the shell's history would keep.
    """
    try:
        url = sa.make_url(os.path.expandvars(text) if "$" in text else text)
    except sa.exc.ArgumentError as error:
        raise BadInput(
            f"{text.split('@')[-1]}: no database's address",
            "for example: postgresql://USER@HOST/NAME",
        ) from error
    if url.password is not None and "$" not in text:
        raise BadInput(
            f"{shown(url)}: a password does not belong on the command line",
            "put it into the environment: --password-env NAME",
        )
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    if password_variable is None:
        return url
    password = os.environ.get(password_variable)
    if not password:
        raise BadInput(
            f"--password-env {password_variable}: not set", f"export {password_variable}"
        )
    return url.set(password=password)


def shown(url: sa.URL) -> str:
    """The address without password and parameters, as it may be kept."""
    return url.set(query={}, password=None).render_as_string(hide_password=True)


class SqlQuery:
    """The rows of one query, fetched into a folder."""

    def __init__(self, url: sa.URL, query: str, folder: Path) -> None:
        """Runs the query; raises `SourceUnreadable`."""
        self.uri = shown(url)
        self._folder = folder
        self._files: list[Path] = []
        self.rows = 0
        try:
            engine = sa.create_engine(url)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise SourceUnreadable(
                f"{self.uri}: {_said(error, url)}", "is its driver installed?"
            ) from error
        try:
            if url.get_backend_name() == "sqlite" and not _is_file(url):
                raise SourceUnreadable(f"{self.uri}: no such file", "name a database that is there")
            with engine.connect().execution_options(stream_results=True) as connection:
                _refuse_writing(connection, url)
                self._fetch(connection.exec_driver_sql(query))
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise SourceUnreadable(
                f"{self.uri}: {_said(cause, url)}", "is the query right, the database there?"
            ) from error
        finally:
            engine.dispose()

    def _fetch(self, result: Any) -> None:
        if not result.returns_rows:
            raise SourceUnreadable(f"{self.uri}: the query gives no rows", "use SELECT")
        self.names = list(map(str, result.keys()))
        if len({name.lower() for name in self.names}) != len(self.names):
            raise SourceUnreadable(f"{self.uri}: two columns have the same name", "use AS")
        for rows in result.partitions(_ROWS):
            path = self._folder / f"fetched-{len(self._files):06}"
            columns = {name: [row[i] for row in rows] for i, name in enumerate(self.names)}
            with path.open("wb") as stream:
                pickle.dump((columns, self.rows + 1), stream, pickle.HIGHEST_PROTOCOL)
            self._files.append(path)
            self.rows += len(rows)

    def chunks(self, *, skip: bool) -> Iterator[ValueChunk]:
        """The rows as they were fetched."""
        if not self._files:
            yield ValueChunk({name: [] for name in self.names}, 1)
        for path in self._files:
            with path.open("rb") as stream:
                columns, first = pickle.load(stream)  # written above, by us
            yield ValueChunk({name: _plain(values) for name, values in columns.items()}, first)

    def unreadable(self) -> Iterator[BadRow]:
        """A row is a row."""
        return iter(())

    def lines(self, records: set[int]) -> dict[int, tuple[int, str]]:
        """Rows have no lines: their numbers stand for them."""
        return {record: (record, "") for record in records}


def _refuse_writing(connection: sa.Connection, url: sa.URL) -> None:
    """A query reads: what it might write is refused by the database itself."""
    match url.get_backend_name():
        case "sqlite":
            connection.exec_driver_sql("PRAGMA query_only=ON")
        case "postgresql" | "mysql" | "mariadb":
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")


def _plain(values: list[Any]) -> list[Any]:
    """Values of kinds that only databases have (UUIDs, intervals) as text."""
    return [value if type(value) in _KNOWN or value is None else _other(value) for value in values]


def _other(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview | bytearray) else str(value)


def _known() -> frozenset[type]:
    import datetime as dt
    import decimal

    return frozenset(
        {bool, int, float, str, bytes, dict, list, dt.datetime, dt.date, dt.time, decimal.Decimal}
    )


_KNOWN = _known()


def _is_file(url: sa.URL) -> bool:
    return url.database is not None and Path(url.database).is_file()


def _said(error: BaseException, url: sa.URL) -> str:
    text = " ".join(str(error).split())[:200] or type(error).__name__
    return text.replace(str(url.password), "***") if url.password else text
