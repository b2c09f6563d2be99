"""Who may use a dataset: `opsdeck data grant`, `revoke`, `grants`, `label`, `whocan`."""

from __future__ import annotations

import click

from console.governance_text import grants_text, labels_text, policy_text, reach_text
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.domain.datalineage import Node, NodeKind
from core.domain.governance import Action
from core.errors import BadInput


@click.command("grant", cls=Verb)
@click.argument("name")
@click.option("--to", required=True, metavar="WHO", help="A name, group:NAME, or '*' for everyone.")
@click.option("--read", is_flag=True, help="See rows (this is what is granted if you say nothing).")
@click.option("--write", is_flag=True, help="Add, change and delete rows.")
@click.option("--manage", is_flag=True, help="All of that, roll back, evolve, drop, grant.")
@click.option("--columns", metavar="A,B", help="Only these columns.")
@click.option(
    "--mask",
    "masks",
    multiple=True,
    metavar="COLUMN=MASK",
    help="hash, redact, null, partial:4, round:1, bucket:10, month, year, clear; may be repeated.",
)
@click.option("--where", metavar="SQL", help="Only the rows that meet this condition.")
@click.option("--for", "span", metavar="TIME", help="Then it ends by itself: 30d, 12h.")
@pass_session
def grant(
    session: Session,
    name: str,
    to: str,
    read: bool,
    write: bool,
    manage: bool,
    columns: str | None,
    masks: tuple[str, ...],
    where: str | None,
    span: str | None,
) -> None:
    """Let somebody use the dataset NAME; its first grant closes it to all others.

    \b
      opsdeck data grant rentals --to ann
      opsdeck data grant rentals --to group:analysts --columns ts,cnt --where "yr = 1"
      opsdeck data grant riders --to ann --mask email=partial:4 --for 30d
      opsdeck data grant rentals --to loader --write
    """
    wanted = [action for action, given in _flags(read, write, manage) if given]
    done = session.ops().governance.grant(
        name,
        to,
        actions=wanted or [Action.READ],
        columns=None if columns is None else _listed(columns),
        masks=dict(_pair(mask) for mask in masks),
        where=where,
        seconds=_seconds(span),
    )
    open_ = _still_open(session, name)
    document = {"grants": done, "still_open": open_}
    emit(session, document, lambda: grants_text(session, done))
    if open_:
        session.say(f"made of {name}, and still open to all: {', '.join(open_)}")


def _still_open(session: Session, name: str) -> list[str]:
    """Datasets that were made of this one before, and that nobody was granted yet: a grant
    closes the dataset that it is about, and what is made of it from now on."""
    ops = session.ops()
    below = ops.lineage.impact(Node(NodeKind.DATASET, name)).touched
    made = [each.node.name for each in below if each.node.kind is NodeKind.DATASET]
    live = {dataset.name for dataset in ops.data.list()}
    return [each for each in made if each in live and not ops.governance.grants(each)]


@click.command("revoke", cls=Verb)
@click.argument("name")
@click.option("--from", "of", required=True, metavar="WHO", help="A name, group:NAME, or '*'.")
@click.option("--read", is_flag=True, help="End only this.")
@click.option("--write", is_flag=True, help="End only this.")
@click.option("--manage", is_flag=True, help="End only this.")
@pass_session
def revoke(session: Session, name: str, of: str, read: bool, write: bool, manage: bool) -> None:
    """End what somebody was granted on the dataset NAME.

    It stays closed to everybody without a grant; open it with: data grant NAME --to '*'
    """
    wanted = [action for action, given in _flags(read, write, manage) if given]
    ended = session.ops().governance.revoke(name, of, actions=wanted or tuple(Action))
    document = {"dataset": name, "principal": of, "ended": ended}
    emit(session, document, lambda: f"dataset {name}: {of} may no longer {' or '.join(ended)} it")


@click.command("grants", cls=Verb)
@click.argument("name")
@pass_session
def grants(session: Session, name: str) -> None:
    """Show who was granted what on the dataset NAME, and its labels."""
    service = session.ops().governance
    found, labels = service.grants(name), service.labels(name)
    owner = session.ops().data.get(name).owner
    document = {"dataset": name, "owner": owner, "grants": found, "labels": labels}
    emit(session, document, lambda: policy_text(session, name, owner, found, labels))


@click.command("label", cls=Verb)
@click.argument("target", metavar="NAME[.COLUMN]")
@click.argument("tags", metavar="LABEL...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take the labels away.")
@pass_session
def label(session: Session, target: str, tags: tuple[str, ...], remove: bool) -> None:
    """Label a column (or all of a dataset), for example as pii.

    Columns labelled pii are hashed, those labelled secret left empty, for everybody but the
    dataset's owner, admins, and those whom a grant shows them clear (--mask COLUMN=clear).
    Other labels and masks: lake: {masks: {LABEL: MASK}} in opsdeck.yaml. What is derived from
    a labelled column is labelled, too.

    \b
      opsdeck data label riders.email pii
      opsdeck data label riders.email pii --remove
    """
    name, _, column = target.partition(".")
    service = session.ops().governance
    change = service.unlabel if remove else service.label
    kept = change(name, column, tags)
    on = service.handed_on(name, column)
    emit(
        session,
        {"dataset": name, "column": column, "labels": kept, "handed_on": on},
        lambda: labels_text(session, kept) if kept else f"{target}: no labels",
    )
    if on:
        also = ", ".join(f"{each.dataset}.{each.column}".rstrip(".") for each in on)
        session.say(f"{'still ' * remove}labelled because it is made of it: {also}")


@click.command("whocan", cls=Verb)
@click.argument("name")
@click.argument("who", nargs=-1)
@pass_session
def whocan(session: Session, name: str, who: tuple[str, ...]) -> None:
    """Show who can do what with the dataset NAME; of one WHO, column by column."""
    found = session.ops().governance.whocan(name, who)
    emit(session, {"dataset": name, "who": found}, lambda: reach_text(session, name, found))


def _flags(read: bool, write: bool, manage: bool) -> tuple[tuple[Action, bool], ...]:
    return (Action.READ, read), (Action.WRITE, write), (Action.MANAGE, manage)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(text: str) -> tuple[str, str]:
    name, sign, mask = text.rpartition("=")
    if not sign or not name.strip():
        raise BadInput(f"--mask {text!r}: no column and mask", "for example: --mask email=hash")
    return name.strip(), mask.strip()


def _seconds(span: str | None) -> float | None:
    if span is None:
        return None
    from core.units import seconds

    try:
        return seconds(span)
    except ValueError as error:
        raise BadInput(f"--for {error}", "for example: --for 30d") from error
