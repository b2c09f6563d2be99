"""The rows of a batch in quarantine: a Parquet file with the reasons beside each row.

The file holds the whole batch, so that it can be replayed as it came. It lies under
`.opsdeck/quarantine/DATASET/`, readable by its owner only, and is deleted when the batch has
been replayed or discarded.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from core.domain.quality import CheckResult
from core.errors import DiskFull, NotFound, StateCorrupt
from core.lake.config import lake_config
from core.workspace import Workspace

ROW = "_opsdeck_row"
REASONS = "_opsdeck_reasons"
_HOW = b"opsdeck.how"
_SEALED = b"age-encryption.org/v1"


@dataclass(frozen=True, slots=True)
class How:
    """How the batch was to be committed: `mode` is append, overwrite or upsert."""

    mode: str = "append"
    keys: tuple[str, ...] = ()
    where: str | None = None
    message: str = ""
    evolve: str = "add"
    run_id: str | None = None
    taken: str = ""
    """Of rows that were taken out of the dataset: the id of the commit that did it."""


@dataclass(frozen=True, slots=True)
class HeldRows:
    """The rows as they came, the number of each (from 1), its reasons, and how to commit."""

    table: pa.Table
    numbers: tuple[int, ...] = field(repr=False)
    reasons: tuple[tuple[str, ...], ...] = field(repr=False)
    how: How


def held_id(dataset: str, batch_id: str) -> str:
    """The same for the same batch, so that holding it twice is holding it once."""
    return hashlib.sha256(f"{dataset}\0{batch_id}".encode()).hexdigest()[:12]


def held_path(workspace: Workspace, dataset: str, quarantine_id: str) -> Path:
    """Where the rows of a batch lie."""
    return workspace.state_dir / "quarantine" / dataset / f"{quarantine_id}.parquet"


def row_reasons(
    rows: int, reasons: pl.DataFrame, results: tuple[CheckResult, ...]
) -> list[list[str]]:
    """For each row the titles of the error checks that it fails."""
    titles = [each.title for each in results]
    told: list[list[str]] = [[] for _ in range(rows)]
    for row, check in reasons.filter(pl.col("error")).sort("check").select("row", "check").rows():
        told[row].append(titles[check])
    return told


def write_rows(
    workspace: Workspace, path: Path, table: pa.Table, reasons: list[list[str]], how: How
) -> None:
    """Write the rows beside their reasons, sealed where the lake is. Whole or not at all;
    raises `DiskFull`, `KeyUnusable`."""
    numbered = table.append_column(ROW, pa.array(range(1, table.num_rows + 1), pa.int64()))
    full = numbered.append_column(REASONS, pa.array(reasons, pa.list_(pa.string())))
    kept = {**(table.schema.metadata or {}), _HOW: json.dumps(_plain(how)).encode()}
    buffer = io.BytesIO()
    pq.write_table(full.replace_schema_metadata(kept), buffer, compression="zstd")
    _replace(path, _sealed(workspace, buffer.getvalue()))


def read_rows(workspace: Workspace, path: Path) -> HeldRows:
    """The rows of a held batch; raises `NotFound` where its file is gone, `KeyUnusable`."""
    try:
        # In this thread: one of Arrow's that frees our bytes while the process ends, aborts it.
        held = pq.ParquetFile(io.BytesIO(_opened(workspace, path)), pre_buffer=False)
        found = held.read(use_threads=False)
    except FileNotFoundError:
        raise NotFound(f"{path}: the rows of this batch are gone") from None
    except (OSError, pa.ArrowException) as error:
        raise StateCorrupt(f"{path}: cannot be read: {error}") from error
    how = json.loads((found.schema.metadata or {}).get(_HOW, b"{}"))
    how["keys"] = tuple(how.get("keys", ()))
    table = found.drop_columns([ROW, REASONS])
    kept = {key: v for key, v in (found.schema.metadata or {}).items() if key != _HOW}
    return HeldRows(
        table.replace_schema_metadata(kept or None),
        tuple(found[ROW].to_pylist()),
        tuple(tuple(each) for each in found[REASONS].to_pylist()),
        How(**how),
    )


def forget_rows(path: Path) -> None:
    """Delete the file; it may be gone already."""
    path.unlink(missing_ok=True)


def _sealed(workspace: Workspace, data: bytes) -> bytes:
    """The bytes as they go to the disk: an age file, where the lake's files are."""
    key_file = lake_config(workspace).key_file
    if key_file is None:
        return data
    from pyrage import encrypt

    from core.lake.encryption import identities_of

    sealed: bytes = encrypt(data, [identities_of(key_file)[0].to_public()])
    return sealed


def _opened(workspace: Workspace, path: Path) -> bytes:
    """The bytes of the file; raises `KeyUnusable`."""
    raw = path.read_bytes()
    if not raw.startswith(_SEALED):
        return raw
    from pyrage import DecryptError, decrypt

    from core.lake.encryption import identities_of
    from core.lake.errors import KeyUnusable

    key_file = lake_config(workspace).key_file
    if key_file is None:
        raise KeyUnusable(f"{path}: is encrypted", "name the lake's key in opsdeck.yaml")
    try:
        plain: bytes = decrypt(raw, list(identities_of(key_file)))
    except DecryptError as error:
        raise KeyUnusable(
            f"{path}: cannot be decrypted: another key, or damaged", f"is {key_file} the key?"
        ) from error
    return plain


def _plain(how: How) -> Mapping[str, Any]:
    return {
        "mode": how.mode,
        "keys": list(how.keys),
        "where": how.where,
        "message": how.message,
        "evolve": how.evolve,
        "run_id": how.run_id,
        "taken": how.taken,
    }


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{path.parent}: no room on the disk", "free some space") from error
        raise StateCorrupt(f"{path}: {error.strerror}", "is it writable?") from error
