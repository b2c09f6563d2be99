"""A condition that picks rows of a dataset, in the language that row filters are written in.

Heavy: imports DuckDB.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from core.governance.conditions import check_condition
from core.governance.errors import PolicyInvalid
from core.quality._conditions import LOCKED, TIME_LIMIT_SECONDS
from core.quality.errors import ConditionInvalid


class Predicate:
    """Which rows meet a condition over a dataset's columns; a row where it is null does not.

    Raises `ConditionInvalid` where the text is not one condition over these columns. Close it.
    """

    def __init__(self, dataset: str, text: str, schema: pa.Schema, actor: str) -> None:
        self._dataset = dataset
        if not text.strip():
            raise ConditionInvalid(
                f"dataset {dataset}: an empty condition would hold every row",
                'name the rows, for example: --where "season = 3 AND temp > 0.9"',
            )
        names = list(schema.names)
        try:
            condition = check_condition(text, names)
        except PolicyInvalid as error:
            raise ConditionInvalid(f"dataset {dataset}: {error.message}", error.hint) from None
        self.columns: Sequence[str] = [n for n in names if n in condition.columns] or names[:1]
        self._sql = condition.sql({name: name for name in names}, actor)
        self._connection = duckdb.connect(":memory:", config=LOCKED)
        try:
            self._connection.execute("SET TimeZone='UTC'")
            self._connection.execute("SET lock_configuration=true")
            self._check(text, schema)
        except BaseException:
            self.close()
            raise

    def _check(self, text: str, schema: pa.Schema) -> None:
        kinds = [schema.field(name) for name in self.columns]
        found = self._ask(pa.schema(kinds).empty_table(), cast=False)
        if not (pa.types.is_boolean(found.type) or pa.types.is_null(found.type)):
            raise ConditionInvalid(
                f"dataset {self._dataset}: {text[:80]!r} gives {found.type}, not true or false",
                "compare it with something, for example: temp > 0.9",
            )

    def met(self, rows: pa.Table) -> pa.Array:
        """For each row whether it meets the condition; raises `ConditionInvalid` where a value
        cannot be compared so."""
        return self._ask(rows.select(self.columns), cast=True)

    def _ask(self, rows: pa.Table, *, cast: bool) -> pa.Array:
        asked: Any = duckdb.SQLExpression(self._sql)
        asked = asked.cast("BOOLEAN") if cast else asked
        timer = threading.Timer(TIME_LIMIT_SECONDS, self._connection.interrupt)
        timer.start()
        try:
            found = self._connection.from_arrow(rows).select(asked.alias("met")).to_arrow_table()
        except duckdb.Error as error:
            said = " ".join(str(error).split("\n\nLINE")[0].split())[:160]
            raise ConditionInvalid(f"dataset {self._dataset}: {said}") from None
        finally:
            timer.cancel()
        return found.column(0).combine_chunks()

    def close(self) -> None:
        """Give the database back."""
        self._connection.close()

    def __enter__(self) -> Predicate:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
