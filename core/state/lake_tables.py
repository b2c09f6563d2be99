"""The tables of the data side: what is known of the lake without opening it.

The lake's own metadata (Iceberg) is the truth of what a dataset holds; these rows mirror it,
so that lists and screens need no lake library, and keep what Iceberg has no place for.
Times, JSON and texts are as in `core.state.schema`. Snapshot ids are texts: they have 64 bits.
"""

from __future__ import annotations

import sqlalchemy as sa

from core.state.schema import metadata

_T = sa.Text
_F = sa.Float(53)
_I = sa.Integer
_B = sa.BigInteger

datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("kind", _T, nullable=False, server_default="table"),
    sa.Column("description", _T, nullable=False, server_default=""),
    sa.Column("owner", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("created_by", _T, nullable=False),
    sa.Column("location", _T, nullable=False, server_default=""),
    sa.Column("schema", _T, nullable=False, server_default="[]"),
    sa.Column("current_snapshot", _T),
    sa.Column("rows", _B),
    sa.Column("bytes", _B),
    sa.Column("updated_at", _F),
    sa.Column("settings", _T, nullable=False, server_default="{}"),
    sa.Column("metadata_version", _I),
    sa.Column("dropped_at", _F),
)
"""`kind`: table, view (materialised), features, captures. `schema` is a list of columns
(`name`, `type`, `nullable`, `doc`); `settings` is JSON (how it is kept up).
`metadata_version` counts the changes of the lake's own metadata that these rows mirror."""

dataset_snapshots = sa.Table(
    "dataset_snapshots",
    metadata,
    sa.Column("dataset", _T, primary_key=True),
    sa.Column("snapshot_id", _T, primary_key=True),
    sa.Column("number", _I, nullable=False),
    sa.Column("parent_id", _T),
    sa.Column("at", _F, nullable=False),
    sa.Column("operation", _T, nullable=False),
    sa.Column("rows", _B),
    sa.Column("added_rows", _B),
    sa.Column("deleted_rows", _B),
    sa.Column("files", _B),
    sa.Column("bytes", _B),
    sa.Column("schema", _T, nullable=False, server_default="[]"),
    sa.Column("by", _T, nullable=False, server_default=""),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("run_id", _T),
    sa.Column("batch_id", _T),
    sa.Column("expired_at", _F),
    sa.UniqueConstraint("dataset", "number"),
    sa.Index("dataset_snapshots_batch", "batch_id"),
    sa.Index("dataset_snapshots_live", "dataset", "expired_at"),
)

dataset_refs = sa.Table(
    "dataset_refs",
    metadata,
    sa.Column("dataset", _T, primary_key=True),
    sa.Column("name", _T, primary_key=True),
    sa.Column("kind", _T, nullable=False),
    sa.Column("snapshot_id", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
)
"""Tags and branches (`kind`), as in Iceberg."""

dataset_tags = sa.Table(
    "dataset_tags",
    metadata,
    sa.Column("dataset", _T, primary_key=True),
    sa.Column("column_name", _T, primary_key=True),
    sa.Column("tag", _T, primary_key=True),
    sa.Column("origin", _T, nullable=False, server_default=""),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
)
"""Labels for governance, such as `pii`; an empty `column_name` means the whole dataset, `origin`
(`dataset.column`) where it was inherited from."""

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("dataset", _T, nullable=False),
    sa.Column("principal", _T, nullable=False),
    sa.Column("action", _T, nullable=False),
    sa.Column("columns", _T),
    sa.Column("masks", _T, nullable=False, server_default="{}"),
    sa.Column("row_filter", _T),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("expires_at", _F),
    sa.UniqueConstraint("dataset", "principal", "action"),
)
"""`action`: read, write, manage. `columns` is a JSON list (none: all); `masks` maps a column to
how it is masked; `row_filter` is an SQL condition."""

ingests = sa.Table(
    "ingests",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("dataset", _T, nullable=False),
    sa.Column("kind", _T, nullable=False),
    sa.Column("source", _T, nullable=False),
    sa.Column("state", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("ended_at", _F),
    sa.Column("by", _T, nullable=False),
    sa.Column("rows", _B),
    sa.Column("snapshot_id", _T),
    sa.Column("files", _T, nullable=False, server_default="[]"),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("run_id", _T),
    sa.Column("holder", _T),
    sa.Index("ingests_dataset", "dataset", "at"),
    sa.Index("ingests_state", "state"),
)
"""Batches on their way into a dataset: `kind` batch, stream, replay; `state` open, done,
failed, quarantined. The row is there before the commit, whose snapshot carries its id; while it
is open, `holder` says whose it is: host, pid and that process's start."""

ingested_files = sa.Table(
    "ingested_files",
    metadata,
    sa.Column("dataset", _T, primary_key=True),
    sa.Column("uri", _T, primary_key=True),
    sa.Column("fingerprint", _T, primary_key=True),
    sa.Column("batch_id", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
)

intakes = sa.Table(
    "intakes",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("dataset", _T, nullable=False),
    sa.Column("settings", _T, nullable=False, server_default="{}"),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("closed_at", _F),
)

crawls = sa.Table(
    "crawls",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("root", _T, nullable=False),
    sa.Column("dataset", _T, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("state", _T, nullable=False),
    sa.Column("found", _T, nullable=False, server_default="{}"),
    sa.Column("changes", _T, nullable=False, server_default="[]"),
    sa.Column("breaking", _I, nullable=False, server_default="0"),
    sa.Column("decided_by", _T),
    sa.Column("decided_at", _F),
    sa.Index("crawls_state", "state", "at"),
)
"""What a crawler found and proposes: `state` proposed, accepted, rejected, unchanged."""

profiles = sa.Table(
    "profiles",
    metadata,
    sa.Column("dataset", _T, primary_key=True),
    sa.Column("snapshot_id", _T, primary_key=True),
    sa.Column("at", _F, nullable=False),
    sa.Column("rows", _B, nullable=False),
    sa.Column("sampled_rows", _B),
    sa.Column("body", _T, nullable=False),
)

validations = sa.Table(
    "validations",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("dataset", _T, nullable=False),
    sa.Column("snapshot_id", _T),
    sa.Column("batch_id", _T),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("passed", _I, nullable=False),
    sa.Column("rows", _B),
    sa.Column("failed_rows", _B),
    sa.Column("body", _T, nullable=False),
    sa.Column("run_id", _T),
    sa.Index("validations_dataset", "dataset", "at"),
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("dataset", _T, nullable=False),
    sa.Column("batch_id", _T, nullable=False),
    sa.Column("validation_id", _T),
    sa.Column("at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("state", _T, nullable=False),
    sa.Column("rows", _B, nullable=False),
    sa.Column("bad_rows", _B, nullable=False),
    sa.Column("path", _T, nullable=False),
    sa.Column("reasons", _T, nullable=False, server_default="[]"),
    sa.Column("decided_by", _T),
    sa.Column("decided_at", _F),
    sa.Column("snapshot_id", _T),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Index("quarantine_state", "state", "at"),
)
"""Batches that failed validation: `state` held, repaired, replaying, replayed, discarded."""

queries = sa.Table(
    "queries",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("at", _F, nullable=False),
    sa.Column("actor", _T, nullable=False),
    sa.Column("sql", _T, nullable=False),
    sa.Column("datasets", _T, nullable=False, server_default="[]"),
    sa.Column("state", _T, nullable=False),
    sa.Column("rows", _B),
    sa.Column("milliseconds", _F),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Index("queries_actor", "actor", "at"),
)

views = sa.Table(
    "views",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("sql", _T, nullable=False),
    sa.Column("sources", _T, nullable=False, server_default="[]"),
    sa.Column("keys", _T, nullable=False, server_default="[]"),
    sa.Column("mode", _T, nullable=False),
    sa.Column("settings", _T, nullable=False, server_default="{}"),
    sa.Column("cursor", _T, nullable=False, server_default="{}"),
    sa.Column("owner", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("refreshed_at", _F),
    sa.Column("state", _T, nullable=False),
    sa.Column("message", _T, nullable=False, server_default=""),
    sa.Column("dropped_at", _F),
)
"""Materialised views; the rows are in the dataset of the same name. `cursor` maps a source to
the snapshot that the view has seen."""

feature_views = sa.Table(
    "feature_views",
    metadata,
    sa.Column("name", _T, primary_key=True),
    sa.Column("version", _I, primary_key=True),
    sa.Column("spec", _T, nullable=False),
    sa.Column("owner", _T, nullable=False),
    sa.Column("state", _T, nullable=False),
    sa.Column("created_at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.Column("cursor", _T, nullable=False, server_default="{}"),
    sa.Column("materialized_at", _F),
    sa.Column("rows", _B),
    sa.Column("online_rows", _B),
    sa.Column("message", _T, nullable=False, server_default=""),
)

feature_skew = sa.Table(
    "feature_skew",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("view", _T, nullable=False),
    sa.Column("version", _I, nullable=False),
    sa.Column("at", _F, nullable=False),
    sa.Column("entities", _B, nullable=False),
    sa.Column("body", _T, nullable=False),
    sa.Index("feature_skew_view", "view", "at"),
)

lineage_edges = sa.Table(
    "lineage_edges",
    metadata,
    sa.Column("id", _T, primary_key=True),
    sa.Column("source_kind", _T, nullable=False),
    sa.Column("source", _T, nullable=False),
    sa.Column("source_column", _T, nullable=False, server_default=""),
    sa.Column("target_kind", _T, nullable=False),
    sa.Column("target", _T, nullable=False),
    sa.Column("target_column", _T, nullable=False, server_default=""),
    sa.Column("via", _T, nullable=False),
    sa.Column("detail", _T, nullable=False, server_default=""),
    sa.Column("run_id", _T),
    sa.Column("snapshot_id", _T),
    sa.Column("first_at", _F, nullable=False),
    sa.Column("last_at", _F, nullable=False),
    sa.Column("by", _T, nullable=False),
    sa.UniqueConstraint(
        "source_kind", "source", "source_column", "target_kind", "target", "target_column", "via"
    ),
    sa.Index("lineage_edges_target", "target_kind", "target"),
)
"""One row an edge. Kinds: source, dataset, view, feature_view, run, model, endpoint, capture.
An empty column means the whole of it; `via` says by what: ingest, view, recipe, query, features,
train, deploy, capture, crawl."""
