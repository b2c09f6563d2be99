"""What `at` means: a number, an id, a tag, a branch, or a time."""

from __future__ import annotations

from datetime import UTC, datetime

from pyiceberg.table import Table

from core.errors import NotFound
from core.lake.errors import SnapshotExpired
from core.state.reading import Reader


def resolve(reader: Reader, name: str, table: Table, at: str | None) -> int:
    """The snapshot's id. Raises `NotFound` where nothing fits, `SnapshotExpired`."""
    if at is None:
        current = table.current_snapshot()
        if current is None:
            raise NotFound(f"dataset {name}: holds no snapshot yet", "write some rows first")
        return current.snapshot_id
    text = at.strip()
    ref = table.metadata.refs.get(text)
    if ref is not None:
        return ref.snapshot_id
    digits = text.removeprefix("#")
    if digits.isdecimal() and digits.isascii():
        found = _numbered(reader, name, table, digits, only_number=text.startswith("#"))
        if found is not None:
            return found
    else:
        moment = _moment(text)
        if moment is not None:
            return _as_of(name, table, moment, text)
    raise NotFound(
        f"dataset {name}: no snapshot, tag, branch or time {at!r}",
        f"see: opsdeck data snapshots {name}",
    )


def _numbered(
    reader: Reader, name: str, table: Table, digits: str, *, only_number: bool
) -> int | None:
    if len(digits) > 20:
        return None
    number = int(digits)
    if not only_number and table.snapshot_by_id(number) is not None:
        return number
    rows = reader.rows(
        "SELECT snapshot_id FROM dataset_snapshots WHERE dataset = :name AND"
        + (" number = :number" if number < 1 << 31 else " snapshot_id = :id"),
        name=name,
        **({"number": number} if number < 1 << 31 else {"id": str(number)}),
    )
    if not rows:
        return None
    identity = int(rows[0]["snapshot_id"])
    if table.snapshot_by_id(identity) is None:
        raise SnapshotExpired(
            f"dataset {name}: snapshot {digits} has been expired",
            f"see what can be read: opsdeck data snapshots {name}",
        )
    return identity


def _moment(text: str) -> float | None:
    """A time in epoch seconds; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _as_of(name: str, table: Table, moment: float, text: str) -> int:
    """What was current at a time: by the table's own log of that."""
    logged = [each for each in table.history() if each.timestamp_ms <= moment * 1000]
    if not logged:
        first = min((each.timestamp_ms for each in table.history()), default=None)
        since = (
            f"; it can be read since {datetime.fromtimestamp(first / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
            if first is not None
            else ""
        )
        raise NotFound(f"dataset {name}: nothing from {text}{since}", "give a later time")
    identity = max(logged, key=lambda each: each.timestamp_ms).snapshot_id
    if table.snapshot_by_id(identity) is None:
        raise SnapshotExpired(
            f"dataset {name}: what it held at {text} has been expired",
            f"see what can be read: opsdeck data snapshots {name}",
        )
    return identity
