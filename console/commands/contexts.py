"""`opsdeck contexts`: the AWS accounts and regions that can be looked at."""

from __future__ import annotations

from dataclasses import replace

import click

from console.aws_text import context_text, contexts_text
from console.contexts import context_of, named_context
from console.failures import EXIT_REFUSED
from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from core.aws.context import AwsContext, add_context, contexts, find_context, remove_context
from core.errors import BadInput


@noun("AWS accounts and regions to look at: list, add, remove, show, check.")
def command() -> None:
    """Group of the verbs on contexts."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the contexts that are written down, and the profiles of ~/.aws/config."""
    found = contexts()
    here = named_context(session) or ""
    emit(session, {"contexts": found}, lambda: contexts_text(session, found, here))


@command.command("show")
@click.argument("name", required=False)
@pass_session
def show(session: Session, name: str | None) -> None:
    """Show a context (default: the one that commands are about now)."""
    found = find_context(name, session.region or "") if name else context_of(session)
    emit(session, found, lambda: context_text(session, found))


@command.command("add")
@click.argument("name")
@click.option("--profile", default="", help="A profile of ~/.aws/config.")
@click.option("--region", "of_region", default="", metavar="REGION", help="The region.")
@click.option("--role", "role_arn", default="", metavar="ARN", help="A role to assume.")
@click.option("--external-id", default="", help="What the role's owner demands.")
@click.option("--endpoint-url", default="", help="Another address: a simulated account.")
@click.option("--environment", default="aws", show_default=True, help="The badge: production …")
@click.option("--always-read-only", is_flag=True, help="No change is ever sent from here.")
@click.option("--replace", "again", is_flag=True, help="In place of one of this name.")
@pass_session
def add(
    session: Session, name: str, again: bool, of_region: str, always_read_only: bool, **more: str
) -> None:
    """Write a context down under NAME."""
    known = [each.name for each in contexts()]
    if name in known and not again:
        raise BadInput(f"{name}: is there already", "--replace puts this in its place")
    made = AwsContext(name, region=of_region, read_only=always_read_only, **more)
    path = add_context(made)
    emit(session, {"context": made, "file": path}, lambda: f"{name} is in {path}")


@command.command("remove")
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Take a context away; nothing at AWS changes."""
    path = remove_context(name)
    emit(session, {"removed": name, "file": path}, lambda: f"{name} is no more in {path}")


@command.command("check")
@click.argument("name", required=False)
@pass_session
def check(session: Session, name: str | None) -> None:
    """Ask AWS who this is and which services answer; exits 1 if anything is missing.

    Identity (STS), region, this machine's clock, and one reading call of each service.
    """
    from console.context_check import check_account, checks_text
    from console.contexts import open_account

    account = open_account(replace(session, context=name) if name else session)
    checks = check_account(account)
    account.close()
    ok = all(check.ok for check in checks)
    document = {"context": account.context, "ok": ok, "checks": checks}
    emit(session, document, lambda: checks_text(session, account.name, checks))
    if not ok:
        raise click.exceptions.Exit(EXIT_REFUSED)
