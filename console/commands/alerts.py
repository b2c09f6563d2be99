"""`opsdeck alerts`: what somebody should know of, who looks after it, and who is told."""

from __future__ import annotations

import click

from console.alert_text import (
    alerts_text,
    deliveries_text,
    detail_text,
    oncall_text,
    silence_text,
    silences_text,
    targets_text,
    triage_text,
)
from console.groups import noun
from console.moments import lasting_seconds, moment
from console.output import emit
from console.session import Session, pass_session
from core.errors import BadInput

STATES = ("open", "acknowledged", "resolved")
_REMARK = click.option("-m", "--comment", default="", help="For the timeline and the journal.")
_FOR = click.option("--for", "lasts", metavar="TIME", required=True, help="How long: 30m, 8h, 3d.")


@noun("List and show alerts; acknowledge, silence, escalate, resolve; who is on call.")
def command() -> None:
    """Group of the verbs on alerts."""


@command.command("list")
@click.option("--state", "wanted", type=click.Choice(STATES), help="Only those.")
@click.option("--all", "all_", is_flag=True, help="Those that are over, silenced, snoozed, too.")
@click.option("--endpoint", metavar="NAME", help="Only those about this endpoint.")
@click.option("--target", metavar="KIND/NAME", help="Only those about this, such as dataset/x.")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pass_session
def list_(
    session: Session,
    wanted: str | None,
    all_: bool,
    endpoint: str | None,
    target: str | None,
    limit: int,
) -> None:
    """List what is open or acknowledged, worst first; what is hidden is counted."""
    if all_ and wanted is not None:
        raise BadInput("--all and --state exclude each other")
    if endpoint is not None and target is not None:
        raise BadInput("--endpoint and --target exclude each other")
    about = target if endpoint is None else f"endpoint/{endpoint}"
    if not all_ and wanted is None:
        found = session.ops().alerts.triage(target=about)
        emit(session, found, lambda: triage_text(session, found, limit))
        return
    listed = session.ops().alerts.list(state=wanted, target=about, limit=limit)
    emit(session, {"alerts": listed}, lambda: alerts_text(session, listed) or "no such alerts")


@command.command("show")
@click.argument("alert")
@pass_session
def show(session: Session, alert: str) -> None:
    """Show ALERT: what was found, its runbook, what changed before it, its timeline."""
    found = session.ops().alerts.detail(alert)
    emit(session, found, lambda: detail_text(session, found))


@command.command("ack")
@click.argument("alert")
@_REMARK
@pass_session
def ack(session: Session, alert: str, comment: str) -> None:
    """Say that you look after ALERT (the beginning of its id)."""
    done = session.ops().alerts.acknowledge(alert, comment)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: acknowledged")


@command.command("assign")
@click.argument("alert")
@click.option("--to", "owner", metavar="NAME", required=True, help="A person, or oncall/SCHEDULE.")
@_REMARK
@pass_session
def assign(session: Session, alert: str, owner: str, comment: str) -> None:
    """Give ALERT to somebody, who is told."""
    done = session.ops().alerts.assign(alert, owner, comment)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: {done.owner}'s")


@command.command("snooze")
@click.argument("alert")
@_FOR
@_REMARK
@pass_session
def snooze(session: Session, alert: str, lasts: str, comment: str) -> None:
    """Put ALERT off; then it is open again."""
    done = session.ops().alerts.snooze(alert, lasting_seconds("--for", lasts), comment)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: snoozed for {lasts}")


@command.command("silence")
@click.argument("alert", required=False)
@click.option("--target", default="", metavar="PATTERN", help="Such as 'endpoint/bike-*'.")
@click.option("--kind", default="", metavar="PATTERN", help="Such as drift.")
@click.option("--severity", default="", metavar="WORD", help="critical, warning or info.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="May be repeated.")
@_FOR
@click.option("-m", "--reason", required=True, help="Why nobody wants to see them.")
@pass_session
def silence(
    session: Session,
    alert: str | None,
    target: str,
    kind: str,
    severity: str,
    labels: tuple[str, ...],
    lasts: str,
    reason: str,
) -> None:
    """Hide alerts for a while: those like ALERT (its target and kind), or those that fit.

    They are still recorded; nobody is told of them. When it ends, what is still open is told.
    """
    from core.domain.alert import Matcher

    service = session.ops().alerts
    if alert is not None:
        if target or kind or severity or labels:
            raise BadInput("an ALERT and a pattern exclude each other")
        like = service.get(alert)
        matcher = Matcher(target=like.target, kind=like.kind)
    else:
        matcher = Matcher(target, kind, severity, dict(_label(each) for each in labels))
    made = service.silence(matcher, lasting_seconds("--for", lasts), reason)
    emit(session, made, lambda: silence_text(session, made))


@command.command("silences")
@click.option("--all", "all_", is_flag=True, help="Those that have ended, too.")
@click.option("--end", "ended", metavar="SILENCE", help="End this one before its time.")
@pass_session
def silences(session: Session, all_: bool, ended: str | None) -> None:
    """List what is silenced, until when and why."""
    service = session.ops().alerts
    if ended is not None:
        done = service.unsilence(ended)
        emit(session, done, lambda: f"silence {done.id}: ended; {done.matcher.words()} is shown")
        return
    found = service.silences(all_=all_)
    emit(session, {"silences": found}, lambda: silences_text(session, found))


@command.command("escalate")
@click.argument("alert")
@_REMARK
@pass_session
def escalate(session: Session, alert: str, comment: str) -> None:
    """Tell the next level of ALERT's policy now."""
    done = session.ops().alerts.escalate(alert, comment)
    words = f"alert {done.id} of {done.target}: escalated to level {done.level + 1}"
    emit(session, done, lambda: words)


@command.command("resolve")
@click.argument("alert")
@_REMARK
@pass_session
def resolve(session: Session, alert: str, comment: str) -> None:
    """Say that ALERT (the beginning of its id) is over."""
    done = session.ops().alerts.resolve(alert, comment)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: resolved")


@command.command("comment")
@click.argument("alert")
@click.argument("text")
@pass_session
def comment(session: Session, alert: str, text: str) -> None:
    """Leave a remark on ALERT's timeline."""
    done = session.ops().alerts.comment(alert, text)
    emit(session, done, lambda: f"alert {done.id} of {done.target}: noted")


@command.command("oncall")
@click.option("--at", "at", metavar="TIME", help="At another moment, such as 2026-12-24T09:00.")
@pass_session
def oncall(session: Session, at: str | None) -> None:
    """Show who is on call by each schedule, until when, and who is next."""
    from core.alerting.config import alert_settings

    ops = session.ops()
    alert_settings(ops.workspace)  # a wrong file is to be told here
    found = ops.alerts.oncall(moment("--at", at))
    emit(session, {"on_call": found}, lambda: oncall_text(session, found))


@command.command("notify")
@click.option("--test", "target", metavar="TARGET", help="Send a test to this address, and wait.")
@click.option("--open", "open_only", is_flag=True, help="Only what has not arrived.")
@click.option("-n", "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@pass_session
def notify(session: Session, target: str | None, open_only: bool, limit: int) -> None:
    """List the addresses and what was sent to them; or send a test to one."""
    service = session.ops().alerts
    if target is not None:
        sent = service.test(target)
        by = "this process (no worker is running)" if sent is None else "the worker"
        emit(session, {"target": target, "sent": True, "by_worker": sent is not None},
             lambda: f"target {target}: it took the test, sent by {by}")  # fmt: skip
        return
    targets, found = service.targets(), service.deliveries(open_only=open_only, limit=limit)
    document = {
        "targets": [{"name": name, "kind": kind} for name, kind in targets],
        "deliveries": found,
    }
    emit(
        session,
        document,
        lambda: targets_text(session, targets) + "\n\n" + deliveries_text(session, found),
    )


def _label(text: str) -> tuple[str, str]:
    key, found, value = text.partition("=")
    if not found or not key:
        raise BadInput(f"--label {text!r}: must be KEY=VALUE")
    return key, value
