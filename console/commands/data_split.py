"""`opsdeck data split` and `data leaks`: parts for training, and what would give answers away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from console.failures import EXIT_REFUSED
from console.groups import Verb
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput

KINDS = ("time", "group", "stratum", "hash", "random")


def _split_options(required: bool) -> Callable[[Any], Any]:
    """The options that describe a split."""
    options = [
        click.option("--by", type=click.Choice(KINDS), required=required, help="How."),
        click.option("--column", "columns", multiple=True, metavar="NAME",
                     help="The time, group, stratum or key. Repeat for more."),
        click.option("--shares", metavar="70/15/15",
                     help="Of train, valid and test (two: train and test); or train=80,test=20."),
        click.option("--starts", multiple=True, metavar="PART=TIME",
                     help="By time: when a part starts, after train. Repeat for more."),
        click.option("--gap", default="", metavar="TIME",
                     help="By time: leave out so much before each boundary (24h, 7d)."),
        click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True),
    ]  # fmt: skip

    def wrap(function: Any) -> Any:
        for each in reversed(options):
            function = each(function)
        return function

    return wrap


def _parts(shares: str | None, starts: tuple[str, ...]) -> Mapping[str, float | str] | None:
    if shares and starts:
        raise BadInput("--shares and --starts exclude each other", "give one of them")
    if starts:
        found: dict[str, float | str] = {"train": ""}
        for each in starts:
            name, mark, moment = each.partition("=")
            if not mark or not name or not moment:
                raise BadInput(f"--starts {each}: must be PART=TIME", "such as test=2012-07-01")
            found[name] = moment
        return found
    if shares is None:
        return None
    from core.recipes.splits.spec import shares_of

    return dict(shares_of(shares))


@click.command("split", cls=Verb)
@click.argument("name")
@_split_options(required=True)
@click.option("--target", default="", metavar="COLUMN", help="Tell of it in the report.")
@click.option("--at", metavar="VERSION", help="A number, tag, branch or time (default: newest).")
@click.option("--to", metavar="PREFIX", help="Write PREFIX_train, … (default: NAME_train, …).")
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@pass_session
def split(
    session: Session,
    name: str,
    by: str,
    columns: tuple[str, ...],
    shares: str | None,
    starts: tuple[str, ...],
    gap: str,
    seed: int,
    target: str,
    at: str | None,
    to: str | None,
    dry_run: bool,
) -> None:
    """Divide dataset NAME into parts, each a dataset of its own.

    By time, later parts are later; by group, a group's rows stay together; by stratum, each
    value has the same share in every part; by hash, a key stays in its part when rows are
    added; at random, by the seed.
    """
    from console.split_text import split_text

    told = session.ops().splits.split(
        name,
        by=by,
        columns=columns,
        parts=_parts(shares, starts),
        gap=gap,
        seed=seed,
        target=target,
        at=at,
        to=to,
        dry=dry_run,
    )
    emit(session, told, lambda: split_text(session, told, dry_run))


@click.command("leaks", cls=Verb)
@click.argument("name")
@click.option("--target", required=True, metavar="COLUMN", help="The column to be predicted.")
@click.option("--time", default="", metavar="COLUMN", help="When a row is from.")
@click.option("--group", multiple=True, metavar="COLUMN", help="Must not be in two parts.")
@click.option("--key", multiple=True, metavar="COLUMN", help="What makes a row unique.")
@click.option("--ignore", multiple=True, metavar="COLUMN", help="Is no feature. Repeat for more.")
@click.option("--against", multiple=True, metavar="PART=DATASET",
              help="Compare with another part (NAME is then train). Repeat for more.")  # fmt: skip
@click.option("--at", metavar="VERSION", help="A number, tag, branch or time (default: newest).")
@_split_options(required=False)
@pass_session
def leaks(
    session: Session,
    name: str,
    target: str,
    time: str,
    group: tuple[str, ...],
    key: tuple[str, ...],
    ignore: tuple[str, ...],
    against: tuple[str, ...],
    at: str | None,
    by: str | None,
    columns: tuple[str, ...],
    shares: str | None,
    starts: tuple[str, ...],
    gap: str,
    seed: int,
) -> None:
    """Look for columns of NAME that give the target away, and for leaks between parts.

    Exits 1 where something is surely a leak.
    """
    from console.split_text import leaks_text

    others: dict[str, str] = {}
    for each in against:
        part, mark, dataset = each.partition("=")
        others[part if mark else "test"] = dataset if mark else each
    told = session.ops().splits.leaks(
        name,
        target=target,
        at=at,
        time=time,
        group=group,
        key=key,
        ignore=ignore,
        by=by,
        columns=columns,
        parts=_parts(shares, starts),
        gap=gap,
        seed=seed,
        others=others or None,
    )
    emit(session, told, lambda: leaks_text(session, told))
    if not told.clean:
        raise click.exceptions.Exit(EXIT_REFUSED)
