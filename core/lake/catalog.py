"""Opening the catalogue: SQLite embedded, PostgreSQL for a team, Glue by configuration.

What differs between them is in the properties alone; everything above sees pyiceberg's
`Catalog`. Heavy: imports pyiceberg.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pyiceberg.catalog import Catalog, MetastoreCatalog, load_catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StagedTable, Table
from pyiceberg.table.update import TableRequirement, TableUpdate
from pyiceberg.typedef import Identifier

from core.errors import DiskFull, OpsdeckError, StateBusy
from core.lake.config import LakeConfig
from core.lake.encryption import IO_IMPL, KEY_FILE, check_marker
from core.lake.errors import LakeCorrupt, LakeUnavailable
from core.lake.localfiles import IO_IMPL as LOCAL_IMPL
from core.lake.quick import staged
from core.state.store import is_disk_full, make_engine, prepare_sqlite

CATALOG = "opsdeck"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room on the disk, in the quota, or under the limit of the process."""

TABLE_PROPERTIES = {
    "commit.retry.num-retries": "20",  # for writers that are not ours; ours retry themselves
    "commit.retry.min-wait-ms": "10",
    "commit.retry.max-wait-ms": "1000",
    "commit.manifest-merge.enabled": "true",  # or each commit adds one to the list for ever
    "commit.manifest.min-count-to-merge": "50",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "30",
    "write.parquet.compression-codec": "zstd",
    "write.target-file-size-bytes": str(256 << 20),
}
"""Of every table of ours."""

# Of two that commit at once both tidy up, and pyiceberg warns whoever comes second.
logging.getLogger("pyiceberg").setLevel(logging.ERROR)


class DatabaseCatalog(SqlCatalog):
    """A catalogue in SQLite or PostgreSQL, over an engine that waits for other writers."""

    def __init__(self, engine: sa.Engine, properties: dict[str, str]) -> None:
        MetastoreCatalog.__init__(self, CATALOG, **properties)
        self.engine = engine
        try:
            self._init_catalog()
        except (sa.exc.OperationalError, sa.exc.ProgrammingError, sa.exc.IntegrityError):
            self._init_catalog()  # another process made the tables between look and leap

    def _update_and_stage_table(
        self,
        current_table: Table | None,
        table_identifier: Identifier,
        requirements: tuple[TableRequirement, ...],
        updates: tuple[TableUpdate, ...],
    ) -> StagedTable:
        if current_table is None:
            return super()._update_and_stage_table(
                current_table, table_identifier, requirements, updates
            )
        return staged(self, current_table, table_identifier, requirements, updates)


def open_catalog(config: LakeConfig) -> Catalog:
    """The catalogue, its namespace made; raises `LakeUnavailable`, `LakeCorrupt`, `DiskFull`."""
    with plain_errors(config):
        properties = _properties(config)
        if config.local:
            _make_folder(Path(config.warehouse))
            check_marker(Path(config.warehouse), config.key_file)
        if config.catalog == "glue":
            catalog = load_catalog(CATALOG, type="glue", **properties)
        else:
            catalog = DatabaseCatalog(_engine(config.uri), properties | {"uri": config.uri})
        try:
            catalog.create_namespace_if_not_exists(config.namespace)
        except sa.exc.IntegrityError:  # another process has made it since the look
            if not catalog.namespace_exists(config.namespace):
                raise
        return catalog


def _properties(config: LakeConfig) -> dict[str, str]:
    properties = {"warehouse": config.warehouse, **config.properties}
    if config.local:
        properties.setdefault("py-io-impl", LOCAL_IMPL)
    if config.key_file is not None:
        properties |= {"py-io-impl": IO_IMPL, KEY_FILE: str(config.key_file)}
    if config.kms_key is not None:
        # Arrow's own access to S3 knows nothing of these, and would leave them out silently.
        properties |= {
            "py-io-impl": "pyiceberg.io.fsspec.FsspecFileIO",
            "s3.server-side-encryption": "aws:kms",
            "s3.sse-kms-key-id": config.kms_key,
        }
    return properties


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        raise LakeUnavailable(
            f"{folder}: the warehouse cannot be made: {error.strerror}", "choose another folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LakeUnavailable(f"{folder}: the warehouse is not writable", "who owns the folder?")


def _engine(uri: str) -> sa.Engine:
    if not uri.startswith("sqlite"):
        return make_engine(uri)
    path = Path(uri.removeprefix("sqlite:///"))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": 30}
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        prepare_sqlite(connection)

    return engine


@contextmanager
def plain_errors(config: LakeConfig) -> Iterator[None]:
    """What libraries raise about the catalogue or the files, in one line of ours."""
    try:
        yield
    except OpsdeckError:
        raise
    except sa.exc.SQLAlchemyError as error:
        raise _of_database(config, error) from error
    except OSError as error:
        raise of_files(config, error) from error


def _of_database(config: LakeConfig, error: sa.exc.SQLAlchemyError) -> OpsdeckError:
    orig = getattr(error, "orig", None)
    text = str(orig or error).splitlines()[0]
    where = config.uri.removeprefix("sqlite:///").split("@")[-1].split("?")[0]
    if is_disk_full(text):
        return DiskFull(f"{where}: no room on the disk", "free some space and try again")
    if "database is locked" in text or "lock timeout" in text:
        return StateBusy(f"{where}: locked by another process for too long", "try again")
    if any(words in text for words in ("malformed", "not a database", "no such table")):
        return LakeCorrupt(
            f"{where}: the lake's catalogue is damaged: {text}", "restore it from a backup"
        )
    return LakeUnavailable(f"{where}: the lake's catalogue: {text}", "can it be reached?")


def of_files(config: LakeConfig, error: OSError) -> OpsdeckError:
    """An error of the file system or of S3 as one of ours."""
    text = " ".join(str(error).split())[:300]
    if is_disk_full(text) or error.errno in _NO_ROOM:
        return DiskFull(f"{config.warehouse}: no room on the disk", "free some space")
    if isinstance(error, PermissionError):
        return LakeUnavailable(f"{config.warehouse}: not allowed: {text}", "who owns the folder?")
    if isinstance(error, FileNotFoundError):
        return LakeCorrupt(f"a file of the lake is missing: {text}", "restore it from a backup")
    return LakeUnavailable(f"{config.warehouse}: {text}", "can it be reached?")


def close_catalog(catalog: Any) -> None:
    """Give back its connections."""
    engine = getattr(catalog, "engine", None)
    if engine is not None:
        engine.dispose()
