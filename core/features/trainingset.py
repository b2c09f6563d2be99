"""Entity rows from a file or a dataset, and the training set that becomes of them.

Heavy: imports pyarrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from core.domain.features import FeatureUse, FeatureView
from core.errors import BadInput, DiskFull
from core.governance.access import Access

_CSV = (".csv", ".csv.gz", ".csv.bz2")
_PARQUET = (".parquet", ".pq")
ENDINGS = ", ".join((*_CSV, *_PARQUET))


def read_entities(access: Access, given: str, at: str | None = None) -> pa.Table:
    """The rows of a CSV or Parquet file, else of the dataset of that name, as the session's
    actor may see them. Raises `BadInput`, `NotFound`, `Refused`."""
    path = Path(given).expanduser()
    if given.endswith(_CSV + _PARQUET) or path.is_file():
        try:
            return pq.read_table(path) if given.endswith(_PARQUET) else pc.read_csv(str(path))
        except (OSError, pa.ArrowException) as error:
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BadInput(f"{given}: cannot be read: {text[:200]}", "is it CSV or Parquet?") from (
                error
            )
    return access.scan(given, at=at, purpose="entity rows of a join").read_all()


def write_file(table: pa.Table, given: str) -> None:
    """Write rows to a CSV or Parquet file, whole or not at all. Raises `BadInput`."""
    path = Path(given).expanduser()
    if not given.endswith((".csv", *_PARQUET)):
        raise BadInput(f"{given}: no kind of file that is written", "end it in .csv or .parquet")
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        if given.endswith(_PARQUET):
            pq.write_table(table, temporary, compression="zstd")
        else:
            pc.write_csv(table, temporary)
        temporary.replace(path)
    except OSError as error:
        if error.errno == 28:
            raise DiskFull(f"{path}: no room on the disk", "free some space") from error
        raise BadInput(f"{given}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def origins(
    uses: Sequence[tuple[FeatureUse, FeatureView]],
    lineage: Mapping[str, Mapping[str, Sequence[str]]],
) -> dict[str, list[tuple[str, str]]]:
    """For each feature column of a training set the (dataset, column) pairs that it is made of;
    the whole dataset where that cannot be told. `lineage` is per view."""
    found: dict[str, list[tuple[str, str]]] = {}
    for use, view in uses:
        known = lineage.get(view.ref, {})
        for feature in view.spec.features:
            if use.only and feature.name not in use.only:
                continue
            columns = known.get(feature.name) or ("",)
            found[use.prefix + feature.name] = [(view.spec.source, name) for name in columns]
    return found
