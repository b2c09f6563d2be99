"""Feature views: what is known of an entity, when it was true, and who reads it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

KEY_TYPES = ("string", "int", "bool", "date")
FEATURE_TYPES = ("float", "int", "string", "bool", "timestamp")


class FeatureViewState(StrEnum):
    """`draft`: only in its file so far; `retired`: read by nobody any more."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class EntityKey:
    """One column of the key, of a type in `KEY_TYPES`."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Feature:
    """One value, of a type in `FEATURE_TYPES`. `default` stands wherever there is no value:
    no row yet, too old a row, a deleted one, or a row without it."""

    name: str
    type: str
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a file under `features/` says.

    `event_time`, `created_time` and `deleted` name columns of the source, or of what
    `transform` makes of it: SQL over the source, or expressions that become columns beside the
    source's own. `ttl` is in seconds: a row older than that counts as none. `every` is how often
    a worker brings the online store up to date, in seconds; `None` leaves that to people.
    """

    name: str
    source: str
    entity: tuple[EntityKey, ...]
    event_time: str
    features: tuple[Feature, ...]
    created_time: str | None = None
    deleted: str | None = None
    ttl: float | None = None
    sql: str | None = None
    transform: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    owner: str = ""
    description: str = ""
    online: bool = False
    every: float | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the entity's columns."""
        return tuple(key.name for key in self.entity)

    @property
    def fingerprint(self) -> str:
        """The same for two definitions that give the same values: 32 hexadecimal digits. Who
        owns it, what is said of it and how it is kept up do not count."""
        values = asdict(self)
        for key in ("name", "owner", "description", "online", "every"):
            del values[key]
        values["features"] = [[f.name, f.type, f.default] for f in self.features]
        text = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def to_json(self) -> str:
        """As it is kept in the state and in an online store."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> FeatureSpec:
        """The definition that `to_json` wrote."""
        raw = json.loads(text)
        raw["entity"] = tuple(EntityKey(**key) for key in raw["entity"])
        raw["features"] = tuple(Feature(**each) for each in raw["features"])
        return cls(**raw)


@dataclass(frozen=True, slots=True)
class FeatureView:
    """One version of a feature view. `version` is 0 and `state` draft while it is only a file.

    `cursor` is the snapshot of the source that the online store has seen. Times are epoch
    seconds (UTC).
    """

    spec: FeatureSpec
    version: int
    state: FeatureViewState
    created_at: float = 0.0
    by: str = ""
    cursor: str | None = None
    materialized_at: float | None = None
    rows: int | None = None
    online_rows: int | None = None
    message: str = ""
    file: str = ""
    changed: bool = False
    """Whether the file says something else by now: its next use makes a new version."""

    @property
    def ref(self) -> str:
        """`NAME@VERSION`, as a model names it."""
        return f"{self.spec.name}@{self.version}" if self.version else self.spec.name


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """How a model names its features: a version of a view, and what the columns are called
    where they are used. `keys` maps a key of the view to the request's column, where they
    differ; `prefix` stands before every feature's name; `only` picks some of them."""

    view: str
    version: int
    keys: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    only: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """`NAME@VERSION`."""
        return f"{self.view}@{self.version}"


@dataclass(frozen=True, slots=True)
class Materialized:
    """What one run of the materialise routine did.

    `mode`: incremental, full, backfill or unchanged. `read` counts the source's rows that were
    looked at, `written` the entities whose online row changed, `removed` those that went (too
    old, or no longer in the source), `skipped` rows without a key or an event time, `later`
    rows whose event time is still to come.
    """

    view: str
    mode: str
    snapshot_id: str | None
    read: int = 0
    written: int = 0
    removed: int = 0
    skipped: int = 0
    later: int = 0
    online_rows: int = 0
    seconds: float = 0.0


class Freshness(StrEnum):
    """Of an online answer: `stale` is older than the view's `ttl`."""

    FRESH = "fresh"
    STALE = "stale"
    DELETED = "deleted"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """The online answer for one entity. `values` has every feature, defaults put in where the
    row does not count; `age` is how long ago its event was, in seconds."""

    view: str
    key: Mapping[str, Any]
    state: Freshness
    values: Mapping[str, Any]
    event_at: float | None = None
    created_at: float | None = None
    written_at: float | None = None
    age: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One offline row of an entity. `superseded`: another row of the same event counts."""

    event_at: float
    created_at: float | None
    deleted: bool
    values: Mapping[str, Any]
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """What a point-in-time join made. `matched` maps a view to the entity rows that found a
    row of it, `snapshots` to the snapshot of its source that was read. `output` is a file or a
    dataset, whose snapshot is `snapshot_id`."""

    rows: int
    columns: tuple[str, ...]
    matched: Mapping[str, int]
    snapshots: Mapping[str, str]
    output: str
    snapshot_id: str | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature online and offline, over the sampled entities. The differences are of
    numbers, absolute."""

    name: str
    compared: int
    different: int
    mean_difference: float | None = None
    largest_difference: float | None = None


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """How far the online store was from the offline rows of the same moment.

    Of `entities` that were sampled, `different` had at least one feature that was not the
    same, `missing_online` had a row offline only and `missing_offline` online only. `lag_p50`
    and `lag_max` are by how many seconds the online rows' events were behind the offline ones.
    """

    id: str
    view: str
    version: int
    at: float
    entities: int
    different: int = 0
    missing_online: int = 0
    missing_offline: int = 0
    lag_p50: float | None = None
    lag_max: float | None = None
    features: tuple[FeatureDrift, ...] = ()

    @property
    def share(self) -> float:
        """The share of the sampled entities whose online row was another, 0 to 1."""
        return self.different / self.entities if self.entities else 0.0


@dataclass(frozen=True, slots=True)
class Erasure:
    """What deleting an entity did. `entity` is a digest: the key itself is kept nowhere.

    `still_in` names older snapshots of the source that hold its rows until they expire, and
    `upstream` the datasets that the source is made from, which may hold it too.
    """

    view: str
    entity: str
    online_views: tuple[str, ...] = ()
    online_rows: int = 0
    offline_rows: int = 0
    snapshot_id: str | None = None
    still_in: tuple[str, ...] = ()
    purged: bool = False
    upstream: tuple[str, ...] = ()
