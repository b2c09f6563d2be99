"""Which datasets want upkeep: looked up in rows and one folder, without any lake library.

Asked every few seconds by the worker. What was asked for is remembered, so that a dataset
that nothing can be done for is not taken up again until it has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.lake.config import LakeConfig, lake_config
from core.lake.names import is_name
from core.session import Session
from core.state.reading import Reader, open_reader

LOOK_SECONDS = 15.0
SLACK = 20
"""So many versions more than are kept before some are let go: each time costs a process."""

SMALL_FILES = 16
SMALL_BYTES = 16 << 20
COMMITS_BETWEEN = 20
QUIET_SECONDS = 600.0
SWEEP_SECONDS = 6 * 3600.0
AGAIN_SECONDS = 1200.0
"""Until the second sweep, which deletes what the first has found."""

_ROWS = """
SELECT d.name, d.metadata_version, d.location, d.dropped_at, d.updated_at,
  (SELECT count(*) FROM dataset_snapshots s
   WHERE s.dataset = d.name AND s.expired_at IS NULL) AS live,
  c.files AS files, c.bytes AS bytes, c.at AS at
FROM datasets d
LEFT JOIN dataset_snapshots c ON c.dataset = d.name AND c.snapshot_id = d.current_snapshot
"""
_VERSION = re.compile(r"(\d+)-[^/]*$")


@dataclass(slots=True)
class UpkeepDue:
    """What is due in one workspace. Not thread-safe."""

    _looked: float = 0.0
    _asked: dict[str, tuple[int, float]] = field(default_factory=dict)
    _swept: dict[str, float] = field(default_factory=dict)
    _pointers: Reader | None = None

    def __call__(self, session: Session, now: float) -> tuple[str, ...]:
        """Names of datasets to be kept up now; raises `ConfigInvalid`, `StateCorrupt`."""
        if now - self._looked < LOOK_SECONDS:
            return ()
        self._looked = now
        config = lake_config(session.workspace)
        versions = self._versions(config)
        rows = session.reader.rows(_ROWS)
        sweeps = session.workspace.state_dir / "lake" / "sweeps"
        return (
            *self._names(rows, config, versions, sweeps, now),
            *self._unknown(versions.keys() - {row["name"] for row in rows}, now),
        )

    def _unknown(self, names: Iterable[str], now: float) -> Iterator[str]:
        """Tables without a row: their makers died right then, or they were made elsewhere."""
        for name in names:
            if is_name(name) and self._first(name, 0, now):
                self._asked[name] = (0, now)
                yield name

    def _names(
        self,
        rows: list[dict[str, Any]],
        config: LakeConfig,
        versions: Mapping[str, int],
        sweeps: Path,
        now: float,
    ) -> Iterator[str]:
        for row in rows:
            name, version = row["name"], row["metadata_version"] or 0
            if row["dropped_at"] is not None:
                over = now - row["dropped_at"] > config.keep.dropped_days * 86_400
                due = over and bool(row["location"]) and self._first(name, -1, now)
            elif versions.get(name, version) > version:
                due = True  # committed, and not mirrored: somebody died right then
            else:
                due = self._wants(row, config, version, now) or self._sweepable(
                    row, sweeps / f"{name}.json", now
                )
            if due:
                self._asked[name] = (version, now)
                yield name

    def _first(self, name: str, version: int, now: float) -> bool:
        """Whether enough has happened since it was last asked for."""
        before, at = self._asked.get(name, (-COMMITS_BETWEEN, 0.0))
        return version - before >= COMMITS_BETWEEN or (
            version != before and now - at > QUIET_SECONDS
        )

    def _wants(self, row: Mapping[str, Any], config: LakeConfig, version: int, now: float) -> bool:
        files, size = row["files"] or 0, row["bytes"] or 0
        small = files >= SMALL_FILES and size / files < SMALL_BYTES
        many = row["live"] > config.keep.snapshots + SLACK
        return (small or many) and self._first(row["name"], version, now)

    def _sweepable(self, row: Mapping[str, Any], book: Path, now: float) -> bool:
        """Whether files may be left over: there were commits since the last sweep, or that one
        has found some that it could not delete yet."""
        try:
            found = book.stat()
            swept, found_some = found.st_mtime, found.st_size > len("{}")
        except FileNotFoundError:
            swept, found_some = row["at"] or now, False
        asked = self._swept.get(row["name"], 0.0)
        changed = (row["updated_at"] or 0.0) > swept
        due = now - max(swept, asked) > (AGAIN_SECONDS if found_some else SWEEP_SECONDS)
        if due and (changed or found_some):
            self._swept[row["name"]] = now
            return True
        return False

    def _versions(self, config: LakeConfig) -> dict[str, int]:
        """How far each table's metadata is, by the catalogue's own rows (where it has any)."""
        if config.catalog != "sql":
            return {}
        if self._pointers is None:
            self._pointers = open_reader(config.uri)
        found = {}
        for row in self._pointers.rows(
            "SELECT table_name, metadata_location FROM iceberg_tables"
            " WHERE table_namespace = :namespace",
            namespace=config.namespace,
        ):
            number = _VERSION.search(row["metadata_location"] or "")
            if number:
                found[row["table_name"]] = int(number[1])
        return found
