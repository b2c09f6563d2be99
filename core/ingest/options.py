"""How sources are to be read and taken in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ReadOptions:
    """How files are read. `nulls` are texts that mean a missing value, as an empty one does;
    `types` and `formats` (of times) are by column; `rename` maps a source's names to ours."""

    encoding: str = "utf-8"
    delimiter: str | None = None
    nulls: tuple[str, ...] = ()
    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    formats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    on_error: str = "fail"


@dataclass(frozen=True)
class IngestOptions:
    """How a batch is taken in. `mode`: append, overwrite, upsert (by `keys`). `again`: files
    that were taken in before, too. `fill`: columns that a source lacks are empty."""

    read: ReadOptions = ReadOptions()
    mode: str = "append"
    keys: tuple[str, ...] = ()
    create: bool = False
    evolve: bool = False
    fill: bool = False
    again: bool = False
    dry_run: bool = False
    message: str = ""
    run_id: str | None = None
