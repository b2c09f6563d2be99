"""Versions of feature views in the state: made when a definition's values change, kept up to
date while they do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from core.domain.datalineage import NodeKind, edges_between
from core.domain.features import (
    Erasure,
    FeatureSkew,
    FeatureSpec,
    FeatureView,
    FeatureViewState,
    Materialized,
)
from core.reads import features as _reads
from core.session import Session


def put_version(
    session: Session, spec: FeatureSpec, lineage: Mapping[str, tuple[str, ...]]
) -> FeatureView:
    """The version that this definition is: the newest where it gives the same values, else a
    new one. `lineage` maps a feature to the source's columns that it is made of."""
    from core.state.edges import record_edges
    from core.state.lake_tables import feature_views as table

    owned = spec if spec.owner else replace(spec, owner=session.actor)
    with session.change("features apply") as tx:
        found = _reads.versions_of(session.reader, spec.name)
        newest = found[0] if found else None
        if newest is not None and newest.spec.fingerprint == spec.fingerprint:
            if not spec.owner:
                owned = replace(spec, owner=newest.spec.owner)
            if owned != newest.spec or newest.state is FeatureViewState.RETIRED:
                tx.execute(
                    table.update()
                    .where(table.c.name == spec.name, table.c.version == newest.version)
                    .values(spec=owned.to_json(), owner=owned.owner, state="active")
                )
                tx.journal("features.apply", f"feature_view/{newest.ref}")
            version = newest.version
        else:
            version = newest.version + 1 if newest else 1
            tx.execute(
                table.insert().values(
                    name=spec.name, version=version, spec=owned.to_json(), owner=owned.owner,
                    state="active", created_at=tx.now, by=tx.actor,
                )
            )  # fmt: skip
            tx.journal(
                "features.version", f"feature_view/{spec.name}@{version}", source=spec.source,
                features=[feature.name for feature in spec.features],
            )  # fmt: skip
        ref = f"{spec.name}@{version}"
        source, target = (NodeKind.DATASET, spec.source), (NodeKind.FEATURE_VIEW, ref)
        record_edges(tx, edges_between(source, target, "features", columns=lineage))
    return _reads.find_version(session.reader, ref)


def record_materialized(session: Session, view: FeatureView, done: Materialized) -> None:
    """Put a run of the materialise routine on record; in the journal where it changed rows."""
    from core.state.lake_tables import feature_views as table

    with session.change("features materialize") as tx:
        values: dict[str, object] = {
            "materialized_at": tx.now,
            "online_rows": done.online_rows,
            "message": "",
        }
        if done.snapshot_id is not None and done.mode != "backfill":
            values["cursor"] = json.dumps({view.spec.source: done.snapshot_id})
        tx.execute(table.update().where(_this(view)).values(**values))
        if done.written or done.removed or done.mode in ("full", "backfill"):
            tx.journal(
                "features.materialize", f"feature_view/{view.ref}", mode=done.mode,
                read=done.read, written=done.written, removed=done.removed,
            )  # fmt: skip


def record_failure(session: Session, view: FeatureView, message: str) -> None:
    """Say why a view's online store is not up to date."""
    from core.state.lake_tables import feature_views as table

    with session.change("features materialize") as tx:
        tx.execute(
            table.update().where(_this(view)).values(materialized_at=tx.now, message=message[:500])
        )
        tx.journal("features.materialize_failed", f"feature_view/{view.ref}", message=message[:500])


def record_erasure(session: Session, done: Erasure, reason: str) -> None:
    """Put a deletion on record, without the key."""
    with session.change("features delete") as tx:
        tx.journal(
            "features.delete", f"feature_view/{done.view}", entity=done.entity,
            online_rows=done.online_rows, offline_rows=done.offline_rows,
            snapshot=done.snapshot_id, purged=done.purged, reason=reason,
        )  # fmt: skip


def move_cursor(session: Session, view: FeatureView, snapshot: str) -> None:
    """Say that the online store has seen a snapshot."""
    from core.state.lake_tables import feature_views as table

    with session.change("features delete") as tx:
        tx.execute(
            table.update()
            .where(_this(view))
            .values(cursor=json.dumps({view.spec.source: snapshot}))
        )


def put_retired(session: Session, view: FeatureView, reason: str) -> None:
    """Say that nobody reads a version any more."""
    from core.state.lake_tables import feature_views as table

    with session.change("features retire") as tx:
        tx.execute(
            table.update()
            .where(_this(view))
            .values(state="retired", cursor="{}", online_rows=None, message="")
        )
        tx.journal("features.retire", f"feature_view/{view.ref}", reason=reason)


def record_skew(session: Session, skew: FeatureSkew) -> None:
    """Keep a measurement."""
    from core.state.lake_tables import feature_skew as table

    body = {
        "different": skew.different,
        "missing_online": skew.missing_online,
        "missing_offline": skew.missing_offline,
        "lag_p50": skew.lag_p50,
        "lag_max": skew.lag_max,
        "features": [asdict(each) for each in skew.features],
    }
    with session.change("features skew") as tx:
        tx.execute(
            table.insert().values(
                id=skew.id, view=skew.view, version=skew.version, at=skew.at,
                entities=skew.entities, body=json.dumps(body),
            )
        )  # fmt: skip
        tx.journal(
            "features.skew", f"feature_view/{skew.view}@{skew.version}", entities=skew.entities,
            different=skew.different,
        )  # fmt: skip


def _this(view: FeatureView) -> Any:
    from sqlalchemy import and_

    from core.state.lake_tables import feature_views as table

    return and_(table.c.name == view.spec.name, table.c.version == view.version)
