"""Feature views and the skew of their online stores, as read from the state."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from core.domain.features import (
    FeatureDrift,
    FeatureSkew,
    FeatureSpec,
    FeatureView,
    FeatureViewState,
)
from core.errors import BadInput, NotFound
from core.state.reading import Reader

_REF = re.compile(r"(?P<name>[a-z][a-z0-9_]{0,62})(?:@v?(?P<version>[0-9]{1,9}))?")


def parse_ref(ref: str) -> tuple[str, int | None]:
    """Name and version of `NAME` or `NAME@VERSION`; raises `BadInput`."""
    found = _REF.fullmatch(ref)
    if found is None:
        raise BadInput(f"{ref[:80]!r} is no feature view", "write NAME or NAME@VERSION")
    return found["name"], None if found["version"] is None else int(found["version"])


def list_versions(reader: Reader, *, retired: bool = True) -> tuple[FeatureView, ...]:
    """Every version that was made, by name, the newest first."""
    where = "" if retired else " WHERE state = 'active'"
    rows = reader.rows(f"SELECT * FROM feature_views{where} ORDER BY name, version DESC")
    return tuple(view_of(row) for row in rows)


def versions_of(reader: Reader, name: str) -> tuple[FeatureView, ...]:
    """The versions of one view, the newest first."""
    rows = reader.rows(
        "SELECT * FROM feature_views WHERE name = :name ORDER BY version DESC", name=name
    )
    return tuple(view_of(row) for row in rows)


def find_version(reader: Reader, ref: str) -> FeatureView:
    """The version that `NAME@VERSION` names; of `NAME` the newest that is active.

    Raises `NotFound`, saying what there is, and `BadInput`.
    """
    name, version = parse_ref(ref)
    found = versions_of(reader, name)
    for view in found:
        if version == view.version:
            return view
        if version is None and view.state is FeatureViewState.ACTIVE:
            return view
    if not found:
        raise NotFound(f"no feature view {name}", "see: opsdeck features list")
    known = ", ".join(f"{view.ref} {view.state}" for view in found[:10])
    raise NotFound(f"no feature view {ref}", f"there are: {known}")


def list_skews(reader: Reader, name: str | None = None, limit: int = 50) -> tuple[FeatureSkew, ...]:
    """Measured skews, the newest first."""
    given = {} if name is None else {"name": name}
    where = "" if name is None else " WHERE view = :name"
    rows = reader.rows(
        f"SELECT * FROM feature_skew{where} ORDER BY at DESC LIMIT :limit", limit=limit, **given
    )
    return tuple(skew_of(row) for row in rows)


def view_of(row: Mapping[str, Any]) -> FeatureView:
    """A row of `feature_views` as a record."""
    spec = FeatureSpec.from_json(row["spec"])
    return FeatureView(
        spec=spec,
        version=row["version"],
        state=FeatureViewState(row["state"]),
        created_at=row["created_at"],
        by=row["by"],
        cursor=json.loads(row["cursor"]).get(spec.source),
        materialized_at=row["materialized_at"],
        rows=row["rows"],
        online_rows=row["online_rows"],
        message=row["message"],
    )


def skew_of(row: Mapping[str, Any]) -> FeatureSkew:
    """A row of `feature_skew` as a record."""
    body = json.loads(row["body"])
    drifts = tuple(FeatureDrift(**each) for each in body.pop("features"))
    return FeatureSkew(
        row["id"], row["view"], row["version"], row["at"], row["entities"], features=drifts, **body
    )
