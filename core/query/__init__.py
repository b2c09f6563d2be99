"""SQL over governed datasets. Importing this package is cheap: DuckDB loads with the first query.

`core.query.runner.Queries` runs them, `core.query.exporting` writes files, `core.query.completion`
completes what is typed, `core.query.history` knows what was asked.
"""

from core.query.errors import (
    QueryCancelled,
    QueryFailed,
    QueryInvalid,
    QueryRefused,
    QueryTimeout,
    QueryTooBig,
)

__all__ = [
    "QueryCancelled",
    "QueryFailed",
    "QueryInvalid",
    "QueryRefused",
    "QueryTimeout",
    "QueryTooBig",
]
