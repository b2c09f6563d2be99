"""`opsdeck data crawl`: tables in folders and buckets."""

from __future__ import annotations

import sys

import click

from console.crawl_text import crawl_text, crawls_text
from console.groups import Verb
from console.ingest_text import report_text
from console.output import emit
from console.session import Session, pass_session
from core.domain.ingest import Crawl, CrawlState
from core.errors import BadInput

_DECISIONS = ("accept", "reject", "show")


@click.command("crawl", cls=Verb)
@click.argument("root", required=False)
@click.argument("crawl", required=False)
@click.option("--apply", is_flag=True, help="Make new datasets and safe changes; ask otherwise.")
@click.option("--accept-breaking", is_flag=True, help="Also changes that can break readers.")
@click.option("--ingest", "take", is_flag=True, help="Then take the files in (new ones only).")
@click.option("--name", help="The dataset's name, where there is one table.")
@click.option("--pending", is_flag=True, help="List what waits for a decision.")
@click.option("--all", "all_", is_flag=True, help="List all findings.")
@pass_session
def crawl(
    session: Session,
    root: str | None,
    crawl: str | None,
    apply: bool,
    accept_breaking: bool,
    take: bool,
    name: str | None,
    pending: bool,
    all_: bool,
) -> None:
    """Find tables below ROOT (a folder or s3://) and propose datasets for them.

    Files of one format and schema in one folder are a table; folders called name=value are its
    columns. Nothing is changed without --apply, or until a proposal is accepted. Columns that
    go, are renamed or change their type can break who reads the dataset: that is always asked.

    \b
      opsdeck data crawl data/
      opsdeck data crawl s3://bucket/exports --apply --ingest
      opsdeck data crawl --pending
      opsdeck data crawl accept ID        (or reject, show)
    """
    service = session.ops().crawls
    if pending or all_:
        listed = service.list(state=None if all_ else "proposed")
        emit(session, {"crawls": listed}, lambda: crawls_text(session, listed))
        return
    if root is None:
        raise BadInput("what is to be crawled?", "name a folder or s3:// prefix, or see --pending")
    if root in _DECISIONS and crawl is not None:
        one = _decide(session, root, crawl, accept_breaking)
        emit(session, one, lambda: crawl_text(session, one))
        return
    if crawl is not None:
        raise BadInput(f"{crawl}: one root at a time", "or: accept ID, reject ID, show ID")
    found = list(service.crawl(root, name=name))
    if apply:
        found = [_applied(session, one, accept_breaking) for one in found]
    reports = [
        service.ingest(one.id)
        for one in found
        if take
        and one.state in (CrawlState.ACCEPTED, CrawlState.UNCHANGED)
        and one.found["columns"]
    ]

    def text() -> str:
        parts = [crawl_text(session, one) for one in found]
        parts += [report_text(session, report) for report in reports]
        return "\n\n".join(parts)

    emit(session, {"crawls": found, "ingests": reports}, text)
    left = [one for one in found if one.state is CrawlState.PROPOSED]
    if left and not session.json:
        session.say(f"{len(left)} to decide: opsdeck data crawl accept {left[0].id} (or --apply)")


def _decide(session: Session, what: str, ref: str, breaking: bool) -> Crawl:
    service = session.ops().crawls
    if what == "accept":
        one = service.get(ref)
        return service.accept(ref, breaking=breaking or _agreed(session, one))
    return service.reject(ref) if what == "reject" else service.get(ref)


def _applied(session: Session, one: Crawl, breaking: bool) -> Crawl:
    if one.state is not CrawlState.PROPOSED:
        return one
    if one.breaking and not breaking and not _agreed(session, one):
        return one
    return session.ops().crawls.accept(one.id, breaking=one.breaking)


def _agreed(session: Session, one: Crawl) -> bool:
    """Whether somebody at the terminal says yes to what would break readers."""
    if not one.breaking or one.state is not CrawlState.PROPOSED:
        return False
    if session.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    click.echo(crawl_text(session, one), err=True)
    return click.confirm(
        f"This can break who reads {one.dataset}. Change it?", default=False, err=True
    )
