"""Changing what is laid down: grants and labels, each checked before it is written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from core.domain.governance import EVERYBODY, GROUP, Action, Mask
from core.errors import BadInput
from core.governance.conditions import Condition, check_condition
from core.governance.config import GovernanceConfig
from core.governance.errors import PolicyInvalid
from core.governance.masks import check_fits, parse_mask
from core.governance.tree import one_line
from core.ids import new_id

if TYPE_CHECKING:
    import pyarrow as pa

    from core.state.store import Transaction

_NAME = re.compile(r"[\w@][\w.@+:/-]{0,99}")
_TAG = re.compile(r"[a-z][a-z0-9_-]{0,30}")


def check_principal(text: str, config: GovernanceConfig) -> str:
    """A principal as it was given; raises `BadInput`, also for a group that is not there."""
    if text == EVERYBODY:
        return text
    if text.startswith(GROUP):
        if text.removeprefix(GROUP) not in config.groups:
            known = ", ".join(GROUP + name for name in sorted(config.groups)) or "none yet"
            raise BadInput(
                f"{text}: no such group", f"groups stand in opsdeck.yaml, lake.groups: {known}"
            )
        return text
    if not _NAME.fullmatch(text):
        raise BadInput(f"{text!r}: neither a name nor group:NAME nor '*'")
    return text


def check_tag(text: str) -> str:
    """A label such as `pii` as it was given; raises `BadInput`."""
    if not _TAG.fullmatch(text):
        raise BadInput(
            f"label {text!r}: not allowed", "use a-z, 0-9, _ and -, beginning with a letter"
        )
    return text


def check_column(name: str, schema: pa.Schema, dataset: str) -> str:
    """A column's name as it was given; raises `PolicyInvalid`."""
    if schema.get_field_index(name) < 0:
        known = ", ".join(schema.names[:12]) + (", …" if len(schema.names) > 12 else "")
        raise PolicyInvalid(f"dataset {dataset}: no column {name!r}", f"columns: {known}")
    return name


def check_masks(
    texts: Mapping[str, str], columns: Sequence[str] | None, schema: pa.Schema, dataset: str
) -> dict[str, Mask]:
    """Masks by column; raises `PolicyInvalid` for one that does not fit, or that is of a column
    which the grant does not give."""
    found: dict[str, Mask] = {}
    for name, text in texts.items():
        check_column(name, schema, dataset)
        if columns is not None and name not in columns:
            raise PolicyInvalid(f"mask of {name}: the grant does not give this column")
        found[name] = parse_mask(text)
        check_fits(found[name], name, schema.field(name).type)
    return found


def check_filter(text: str, schema: pa.Schema, dataset: str) -> Condition:
    """A row filter that DuckDB can apply to these columns; raises `PolicyInvalid`."""
    import duckdb

    condition = check_condition(text, schema.names)
    names = {name: f"c{index}" for index, name in enumerate(schema.names)}
    renamed = {short: name for name, short in names.items()}
    connection = duckdb.connect(":memory:")
    try:
        empty = schema.empty_table().rename_columns(list(names.values()))
        connection.register("source", empty)
        found = connection.sql(f"SELECT {condition.sql(names, 'x')} FROM source")
        kind = str(found.types[0])
        found.fetchall()
    except duckdb.Error as error:
        words = re.sub(r"\bc\d+\b", lambda hit: renamed.get(hit[0], hit[0]), one_line(error))
        raise PolicyInvalid(f"row filter {text!r} on {dataset}: {words[:200]}") from error
    finally:
        connection.close()
    if kind != "BOOLEAN":
        raise PolicyInvalid(
            f"row filter {text!r}: is a {kind.lower()}, not a condition", "for example: hour < 6"
        )
    return condition


def put_grant(
    tx: Transaction,
    dataset: str,
    principal: str,
    action: Action,
    *,
    columns: Sequence[str] | None = None,
    masks: Mapping[str, Mask] | None = None,
    row_filter: str | None = None,
    expires_at: float | None = None,
) -> None:
    """Write a grant in place of the one that this principal had for this action."""
    import sqlalchemy as sa

    from core.state.lake_tables import grants

    values: dict[str, Any] = {
        "columns": None if columns is None else json.dumps(list(columns)),
        "masks": json.dumps({name: str(mask) for name, mask in (masks or {}).items()}),
        "row_filter": row_filter,
        "expires_at": expires_at,
    }
    key = {"dataset": dataset, "principal": principal, "action": action.value}
    before = tx.row(sa.select(grants).filter_by(**key))
    tx.execute(grants.delete().filter_by(**key))
    tx.execute(grants.insert().values(id=new_id(), at=tx.now, by=tx.actor, **key, **values))
    detail = _told(values)
    if before is not None:
        detail["before"] = _told({name: before[name] for name in values})
    tx.journal("data.grant", f"dataset/{dataset}", to=principal, allows=action.value, **detail)


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """A grant's values for the journal, without those that say nothing."""
    told = {name: value for name, value in values.items() if value not in (None, "{}")}
    return told | {name: json.loads(told[name]) for name in ("columns", "masks") if name in told}


def end_grants(
    tx: Transaction, dataset: str, principal: str, actions: Sequence[Action]
) -> list[str]:
    """End grants now; returns what they allowed. Their rows stay: the dataset stays closed."""
    import sqlalchemy as sa

    from core.state.lake_tables import grants

    mine = (
        (grants.c.dataset == dataset)
        & (grants.c.principal == principal)
        & grants.c.action.in_([action.value for action in actions])
        & (grants.c.expires_at.is_(None) | (grants.c.expires_at > tx.now))
    )
    ended = sorted(row["action"] for row in tx.rows(sa.select(grants.c.action).where(mine)))
    if ended:
        tx.execute(grants.update().where(mine).values(expires_at=tx.now))
        tx.journal("data.revoke", f"dataset/{dataset}", of=principal, allowed=ended)
    return ended


def put_label(tx: Transaction, dataset: str, column: str, tag: str) -> bool:
    """Write a label; whether it is new."""
    import sqlalchemy as sa

    from core.state.lake_tables import dataset_tags

    key = {"dataset": dataset, "column_name": column, "tag": tag}
    if tx.row(sa.select(dataset_tags.c.tag).filter_by(**key)) is not None:
        return False
    tx.execute(dataset_tags.insert().values(**key, at=tx.now, by=tx.actor))
    tx.journal("data.label", f"dataset/{dataset}", column=column, label=tag)
    return True


def take_label(tx: Transaction, dataset: str, column: str, tag: str) -> bool:
    """Take a label away; whether it was there."""
    from core.state.lake_tables import dataset_tags

    key = {"dataset": dataset, "column_name": column, "tag": tag}
    gone = tx.execute(dataset_tags.delete().filter_by(**key)).rowcount > 0
    if gone:
        tx.journal("data.unlabel", f"dataset/{dataset}", column=column, label=tag)
    return gone
