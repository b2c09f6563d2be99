"""Labels that go with the data: what is derived from a labelled column carries its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from core.domain.datalineage import Node, NodeKind
from core.domain.governance import Label
from core.ids import new_id
from core.reads.governance import list_labels, read_policy
from core.reads.lineage import edges_from
from core.session import Session
from core.state.reading import Reader

if TYPE_CHECKING:
    from core.state.store import Transaction

Sources = Mapping[str, Sequence[tuple[str, str]]]


def inherited(
    target: str, sources: Sources, labels: Mapping[str, Sequence[Label]]
) -> dict[tuple[str, str], str]:
    """The labels that `target` gets: (column, tag) to where each comes from.

    `labels` maps a source dataset to its labels. A column gets those of the columns that it was
    made of and those of their whole datasets; one made of nobody knows which columns (an empty
    name) gets all of that dataset's.
    """
    found: dict[tuple[str, str], str] = {}
    for column, pairs in sources.items():
        for dataset, source in pairs:
            if dataset == target:
                continue
            for label in labels.get(dataset, ()):
                if not source or not label.column or label.column == source:
                    origin = label.origin or f"{dataset}.{label.column or source}".rstrip(".")
                    found.setdefault((column, label.tag), origin)
    return found


def inherit_rows(session: Session, target: str, sources: Sources, like: Sequence[str] = ()) -> int:
    """Write them, each once, and close the target where a source, or one of `like`, is closed."""
    import sqlalchemy as sa

    from core.state.lake_tables import dataset_tags, grants

    made_of = {dataset for pairs in sources.values() for dataset, _ in pairs}
    names = sorted({*made_of, *like} - {target})
    policies = {name: read_policy(session.reader, name) for name in names}
    wanted = inherited(target, sources, {name: each.labels for name, each in policies.items()})
    mine = read_policy(session.reader, target)
    closing = [name for name in names if policies[name].governed] if not mine.governed else []
    have = {(label.column, label.tag) for label in mine.labels}
    new = {key: origin for key, origin in wanted.items() if key not in have}
    if not new and not closing:
        return 0
    with session.change("data inherit") as tx:
        for (column, tag), origin in new.items():
            row = {"dataset": target, "column_name": column, "tag": tag}
            exists = sa.select(dataset_tags.c.tag).filter_by(**row)
            if tx.row(exists) is None:
                tx.execute(
                    dataset_tags.insert().values(**row, origin=origin, at=tx.now, by=tx.actor)
                )
        owner = mine.owner or tx.actor
        if closing and tx.row(sa.select(grants.c.id).filter_by(dataset=target)) is None:
            tx.execute(
                grants.insert().values(
                    id=new_id(),
                    dataset=target,
                    principal=owner,
                    action="manage",
                    at=tx.now,
                    by=tx.actor,
                )
            )
        tx.journal(
            "data.inherit",
            f"dataset/{target}",
            labels=[f"{column}: {tag} of {origin}" for (column, tag), origin in new.items()],
            closed_like=closing,
        )
    return len(new)


def spread(tx: Transaction, reader: Reader, fresh: Sequence[Label]) -> tuple[Label, ...]:
    """Hand new labels on to what was made of their datasets before; returns those written.

    A label is mostly put on when the data have been used already: without this the copies would
    show until they are made anew. Nothing is closed by it, and labels that were there before
    are left as they are, also where somebody has taken an inherited one away.
    """
    from core.state.lake_tables import dataset_tags

    written: list[Label] = []
    starts = {label.dataset for label in fresh}
    waiting = list(fresh)
    while waiting:
        label = waiting.pop(0)
        for target, sources in _made_of(reader, label.dataset).items():
            if target in starts:
                continue  # made of itself by way of others: its own labels say what it holds
            known = [*list_labels(reader, target), *written]
            have = {(each.column, each.tag) for each in known if each.dataset == target}
            found = inherited(target, sources, {label.dataset: [label]})
            new = [
                Label(target, column, tag, origin, tx.now, tx.actor)
                for (column, tag), origin in found.items()
                if (column, tag) not in have
            ]
            for each in new:
                row = {"dataset": target, "column_name": each.column, "tag": each.tag}
                tx.execute(
                    dataset_tags.insert().values(**row, origin=each.origin, at=each.at, by=each.by)
                )
            if new:
                told = [f"{each.column}: {each.tag} of {each.origin}" for each in new]
                tx.journal("data.inherit", f"dataset/{target}", labels=told, closed_like=[])
            written += new
            waiting += new
    return tuple(written)


def _made_of(reader: Reader, dataset: str) -> dict[str, Sources]:
    """The datasets made of this one: each one's columns to the columns here that are in them.

    Where only the whole is known, any column may hold any.
    """
    edges: dict[str, list[tuple[str, str]]] = {}
    for edge in edges_from(reader, Node(NodeKind.DATASET, dataset)):
        if edge.target.kind is NodeKind.DATASET and edge.target.name != dataset:
            edges.setdefault(edge.target.name, []).append((edge.target.column, edge.source.column))
    made: dict[str, Sources] = {}
    for target, pairs in edges.items():
        columns: dict[str, list[tuple[str, str]]] = {}
        for column, source in pairs:
            if column:
                columns.setdefault(column, []).append((dataset, source))
        made[target] = columns or {"": [(dataset, "")]}
    return made
