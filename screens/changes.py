"""The changes that the console makes: what each asks first, and what it tells after.

Keys and typed commands both come here. Every function takes the deck and what it is
about; the services check again what was checked here.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from screens.actions import Context
from screens.background import Change
from screens.deck import Deck
from screens.dialogs.confirm import Question, Signed, dialog_for
from screens.registry import REGISTRY

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.gate import Approval
    from core.domain.run import Run, StepRun


def ask_first(deck: Deck, question: Question, change: Callable[[Signed], Change]) -> None:
    """Ask, and make the change where the answer is yes."""

    def answered(signed: Signed | None) -> None:
        if signed is not None:
            deck.change(change(signed))

    deck.push_screen(dialog_for(question), answered)


def equivalent(action_id: str, context: Context, *, confirm: str = "", **more: Any) -> str:
    """The equivalent command; `confirm` is the name that it asks for as the console does."""
    line = REGISTRY[action_id].command_line(context, **more)
    return f"{line} --confirm {shlex.quote(confirm)}" if confirm else line


def start_run(deck: Deck, pipeline: str, params: Mapping[str, str]) -> None:
    """Start a pipeline and show the run."""
    given = " ".join(f"-p {shlex.quote(f'{k}={v}')}" for k, v in params.items())
    command = f"opsdeck runs start {pipeline} {given}".strip()

    def started(run: Run) -> str:
        deck.open_run(str(run.number))
        return f"started {run.label}"

    deck.change(
        Change(
            group="runs",
            title=f"start {pipeline}",
            call=lambda ops: ops.runs.start(pipeline, params),
            then=started,
            command=command,
        )
    )


def cancel_run(deck: Deck, run: Run) -> None:
    """Ask, then cancel a run."""
    context = replace(deck.context, run=run)
    command = equivalent("runs.cancel", context)
    question = Question(
        title=f"Cancel {run.label}?",
        environment=context.environment,
        target=[
            ("run", f"{run.label}, {run.status}, {run.steps_done} of {run.steps_total} steps done")
        ],
        consequence="Its running steps are killed with everything they started; an open"
        " approval request becomes void. It can be resumed later.",
        yes="Cancel the run",
        no="Keep it",
        command=command,
        danger=True,
    )

    def change(_signed: Signed) -> Change:
        return Change(
            group=f"run/{run.number}",
            title=f"cancel {run.label}",
            call=lambda ops: ops.runs.cancel(str(run.number)),
            then=lambda done: f"{done.label} is being cancelled",
            command=command,
        )

    ask_first(deck, question, change)


def resume_run(deck: Deck, run: Run) -> None:
    """Ask, then resume a run."""
    context = replace(deck.context, run=run)
    command = equivalent("runs.resume", context)
    question = Question(
        title=f"Resume {run.label}?",
        environment=context.environment,
        target=[("run", f"{run.label}, {run.status}")],
        consequence=f"The {run.steps_done} steps that ended well are kept; the others run again.",
        yes="Resume",
        command=command,
    )

    def change(_signed: Signed) -> Change:
        return Change(
            group=f"run/{run.number}",
            title=f"resume {run.label}",
            call=lambda ops: ops.runs.resume(str(run.number)),
            then=lambda done: f"{done.label} goes on",
            command=command,
        )

    ask_first(deck, question, change)


def rerun(deck: Deck, run: Run, step: StepRun | None = None) -> None:
    """Ask, then repeat a run as a new one, whole or from a step on."""
    context = replace(deck.context, run=run, step=step)
    command = equivalent("run.rerun" if step else "runs.rerun", context)
    what = f"from step {step.step} on" if step else "from its first step"
    question = Question(
        title=f"Rerun {run.label}?",
        environment=context.environment,
        target=[("run", run.label), ("from", step.step if step else "the first step")],
        consequence=f"A new run with the same parameters starts {what}; "
        + ("earlier steps keep their outputs." if step else "equal steps are taken from cache."),
        yes="Rerun",
        command=command,
    )

    def started(new: Run) -> str:
        deck.open_run(str(new.number))
        return f"started {new.label}, a rerun of #{run.number}"

    def change(_signed: Signed) -> Change:
        return Change(
            group=f"run/{run.number}",
            title=f"rerun {run.label}",
            call=lambda ops: ops.runs.rerun(str(run.number), step.step if step else None),
            then=started,
            command=command,
        )

    ask_first(deck, question, change)


def decide(deck: Deck, approval: Approval, *, approve: bool) -> None:
    """Ask for a comment (to production: a reason and the model's name), then decide."""
    context = replace(deck.context, approval=approval)
    action = "approvals.approve" if approve else "approvals.reject"
    production = approval.environment == "production"
    confirm = approval.model if production and approve else ""
    target = [
        ("model", f"{approval.model} v{approval.version}"),
        ("asked by", f"{approval.requested_by}, run #{approval.run_number}"),
        ("evidence", approval.evidence_hash[:16]),
    ]
    if approve:
        needed = approval.approvals_needed - len(
            {d.actor for d in approval.decisions if d.evidence_hash == approval.evidence_hash}
        )
        after = (
            f"The run goes on and brings v{approval.version} to {approval.environment}."
            if needed <= 1
            else f"This is one of {needed} approvals still needed."
        )
        question = Question(
            title=f"Approve {approval.model} v{approval.version}?",
            environment=approval.environment,
            target=target,
            consequence=after + " The decision is bound to this evidence.",
            yes="Approve",
            command=equivalent(action, context, confirm=confirm),
            danger=production,
            typed=confirm,
            comment="reason" if production else "comment",
            comment_needed=production,
        )
    else:
        question = Question(
            title=f"Reject {approval.model} v{approval.version}?",
            environment=approval.environment,
            target=target,
            consequence="The run ends as rejected; production stays as it is.",
            yes="Reject",
            command=equivalent(action, context),
            danger=True,
            comment="comment",
            comment_needed=True,
        )

    def change(signed: Signed) -> Change:
        shown = approval.evidence_hash

        def call(ops: Any) -> Approval:
            decide_ = ops.approvals.approve if approve else ops.approvals.reject
            result: Approval = decide_(approval.id, signed.comment, evidence_hash=shown)
            return result

        word = "approved" if approve else "rejected"
        return Change(
            group=f"approval/{approval.id}",
            title=f"{'approve' if approve else 'reject'} {approval.model} v{approval.version}",
            call=call,
            then=lambda done: f"{word} {done.model} v{done.version}: request is {done.status}",
            command=equivalent(
                action, context, confirm=confirm, comment=shlex.quote(signed.comment)
            ),
        )

    ask_first(deck, question, change)


def acknowledge(deck: Deck, alert: Alert) -> None:
    """Ask for a comment (it may stay empty), then say that somebody looks after an alert."""
    command = equivalent("pulse.acknowledge", replace(deck.context, alert=alert))
    question = Question(
        title="Acknowledge this alert?",
        environment=deck.context.environment,
        target=[("alert", alert.title), ("why", alert.message or "not told")],
        consequence="It leaves Pulse, and the journal says that you look after it.",
        yes="Acknowledge",
        command=command,
        comment="comment",
    )

    def change(signed: Signed) -> Change:
        comment = f" --comment {shlex.quote(signed.comment)}" if signed.comment else ""
        return Change(
            group=f"alert/{alert.id}",
            title="acknowledge an alert",
            call=lambda ops: ops.alerts.acknowledge(alert.id, signed.comment),
            then=lambda done: f"{done.acked_by} looks after it: {done.title}",
            command=command + comment,
        )

    ask_first(deck, question, change)
