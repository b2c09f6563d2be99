"""Whether a definition works on its source, without reading a row of it. Heavy: DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from core.domain.features import FeatureSpec
from core.domain.pipeline import Problem
from core.features import sql
from core.features.errors import FeaturesInvalid, TransformFailed
from core.features.files import FeatureFile


def check(file: FeatureFile, spec: FeatureSpec, schema: pa.Schema) -> None:
    """Raises `FeaturesInvalid`, naming file, line and key, where the definition does not fit
    the source's columns."""
    try:
        with sql.connection() as con:
            sql.make_rows(con, spec, schema.empty_table())
            con.execute(f"SELECT * FROM {sql.ROWS}").fetchall()
    except TransformFailed as error:
        raise _placed(file, error.key, error.message, error.hint) from error
    except duckdb.Error as error:
        found = sql.failed(spec, error)
        raise _placed(file, found.key, found.message, found.hint) from error


def _placed(file: FeatureFile, key: str, message: str, hint: str) -> FeaturesInvalid:
    lines: Mapping[str, int] = file.lines or {}
    line = lines.get(key) or lines.get(key.split(".")[0]) or 1
    _, _, said = message.partition(f"{key}: ")
    fault = Problem(file.path, line, key, said or message, hint)
    return FeaturesInvalid(f"{file.path}:{line}:{key}: {fault.message}", hint, (fault,))
