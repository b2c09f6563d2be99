"""SQL conditions that rows must satisfy, asked by DuckDB with every door locked."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import duckdb
import polars as pl

from core.domain.quality import Check

TIME_LIMIT_SECONDS = 120.0
LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "2",
    "memory_limit": "1GB",
}


class Conditions:
    """Conditions on rows. Each sees the columns of the part it is asked of and nothing else:
    no files, no other tables, no settings."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def ask(self, frame: pl.DataFrame, bad: dict[str, pl.Series], faults: dict[str, str]) -> None:
        """Note the rows of `frame` for which a condition is false; null passes, as in SQL."""
        if not self._checks:
            return
        table = frame.to_arrow()
        with duckdb.connect(":memory:", config=LOCKED) as connection:
            connection.execute("SET lock_configuration=true")
            for check in self._checks:
                timer = threading.Timer(TIME_LIMIT_SECONDS, connection.interrupt)
                timer.start()
                try:
                    met = duckdb.SQLExpression(str(check.value)).cast("BOOLEAN").alias("met")
                    rows = connection.from_arrow(table).select(met).to_arrow_table()
                except duckdb.Error as error:
                    faults[check.key] = f"not a condition on these rows: {_first(str(error))}"
                    continue
                finally:
                    timer.cancel()
                answers = pl.Series("met", rows.column(0)).fill_null(True)
                if len(answers) != frame.height:  # an aggregate: one answer for all rows
                    faults[check.key] = "it must give one answer for each row"
                elif not answers.all():
                    bad[check.key] = ~answers


def _first(text: str) -> str:
    return " ".join(text.split("\n\nLINE")[0].split())[:160]
