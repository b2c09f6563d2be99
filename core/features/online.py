"""The online store of one version of a feature view, as it is read: an SQLite file, one wide
row an entity, in microseconds.

The file says itself what it holds, so that whoever serves needs nothing else. Standard library
only: the endpoint's process uses it. Writing is in `core.features.onlinewriter`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from core.domain.features import FeatureSpec, Freshness, OnlineRow
from core.errors import BadInput
from core.features import keys
from core.features.errors import NotOnline, OnlineUnavailable

FORMAT = "1"
NO_TIME = -(2**63)
"""Stands for no created time: before all others."""


def file_of(folder: Path, view: str, version: int) -> Path:
    """Where the online store of a version is, in the folder of all."""
    return folder / f"{view}.v{version}.db"


class OnlineReader:
    """One version's rows. Not thread-safe; sees each commit of whoever writes at once."""

    def __init__(self, path: Path) -> None:
        """Raises `NotOnline` where there is no such store yet, `OnlineUnavailable`."""
        self.path = path
        if not path.is_file():
            view, _, version = path.stem.rpartition(".v")
            raise NotOnline(
                f"feature view {view}@{version} has not been materialised",
                f"opsdeck features materialize {view}@{version}",
            )
        try:
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
            said = dict(self._connection.execute("SELECT name, value FROM meta"))
        except sqlite3.Error as error:
            raise _broken(path, error) from error
        if said.get("format") != FORMAT or "spec" not in said:
            raise OnlineUnavailable(
                f"{path}: not an online store that this Opsdeck reads", "materialise it again"
            )
        self.spec = FeatureSpec.from_json(said["spec"])
        self.version = int(said["version"])
        columns = "".join(f", f{number}" for number in range(len(self.spec.features)))
        self._select = f"SELECT et, cr, del, written{columns} FROM current WHERE key = ?"
        self._defaults = [feature.default for feature in self.spec.features]
        self._odd = [
            (place, feature.type)
            for place, feature in enumerate(self.spec.features)
            if feature.type in ("bool", "timestamp")
        ]
        self._ttl = None if self.spec.ttl is None else round(self.spec.ttl * 1e6)

    @property
    def ref(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.spec.name}@{self.version}"

    @property
    def cursor(self) -> str | None:
        """The snapshot of the source that the store has seen."""
        try:
            found = self._connection.execute("SELECT value FROM meta WHERE name = 'cursor'")
            row = found.fetchone()
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error
        return None if row is None else str(row[0])

    def look_up(
        self, values: Sequence[Any], now: float | None = None
    ) -> tuple[Freshness, list[Any], float | None]:
        """For the key's values, in the view's order: whether there is a row that counts at
        `now` (epoch seconds), the features with their defaults put in, and the age of the
        row's event in seconds. Raises `BadKey`, `OnlineUnavailable`.
        """
        row = self._fetch(keys.encode(self.spec.entity, values))
        at = time.time() if now is None else now
        state = self._state(row, at)
        age = None if row is None else at - row[0] / 1e6
        if state is not Freshness.FRESH or row is None:
            return state, list(self._defaults), age
        return state, self._values(row), age

    def row(self, values: Sequence[Any], now: float | None = None) -> OnlineRow:
        """The same as a record."""
        key = keys.encode(self.spec.entity, values)
        if key is None:
            raise BadInput("a part of the key is empty", "give every part of it")
        found = self._fetch(key)
        at = time.time() if now is None else now
        state = self._state(found, at)
        fresh = found is not None and state is Freshness.FRESH
        listed = self._values(found) if fresh and found is not None else list(self._defaults)
        names = [feature.name for feature in self.spec.features]
        shown = keys.decode(self.spec.entity, key)
        answer = OnlineRow(self.ref, shown, state, dict(zip(names, listed, strict=True)))
        if found is None:
            return answer
        created = None if found[1] == NO_TIME else found[1] / 1e6
        return OnlineRow(
            answer.view, shown, state, answer.values, found[0] / 1e6, created, found[3],
            at - found[0] / 1e6,
        )  # fmt: skip

    def sample(self, count: int) -> list[dict[str, Any]]:
        """The keys of some entities, any."""
        try:
            found = self._connection.execute(
                "SELECT key FROM current ORDER BY random() LIMIT ?", (count,)
            ).fetchall()
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error
        return [keys.decode(self.spec.entity, row[0]) for row in found]

    def count(self) -> int:
        """How many entities have a row, those that are deleted not among them."""
        try:
            found = self._connection.execute("SELECT count(*) FROM current WHERE NOT del")
            return int(found.fetchone()[0])
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _fetch(self, key: str | None) -> Sequence[Any] | None:
        if key is None:
            return None
        try:
            found: Sequence[Any] | None = self._connection.execute(self._select, (key,)).fetchone()
        except sqlite3.Error as error:
            raise _broken(self.path, error) from error
        return found

    def _state(self, row: Sequence[Any] | None, now: float) -> Freshness:
        if row is None:
            return Freshness.MISSING
        if row[2]:
            return Freshness.DELETED
        if self._ttl is not None and now * 1e6 - row[0] > self._ttl:
            return Freshness.STALE
        return Freshness.FRESH

    def _values(self, row: Sequence[Any]) -> list[Any]:
        found = [
            default if value is None else value
            for value, default in zip(row[4:], self._defaults, strict=True)
        ]
        for place, kind in self._odd:
            value = found[place]
            if value is not None and not isinstance(value, str):
                found[place] = bool(value) if kind == "bool" else _iso(value)
        return found


def _iso(micros: int) -> str:
    return (datetime(1970, 1, 1) + timedelta(microseconds=micros)).isoformat() + "Z"


def _broken(path: Path, error: sqlite3.Error) -> OnlineUnavailable:
    return OnlineUnavailable(f"{path}: {error}", "materialise the view again: --rebuild")
