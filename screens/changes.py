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
from screens.words import percent

if TYPE_CHECKING:
    from core.domain.gate import Approval
    from core.domain.model import ModelVersion
    from core.domain.release import Endpoint
    from core.domain.run import Run, StepRun


def _ask(deck: Deck, question: Question, change: Callable[[Signed], Change]) -> None:
    """Ask, and make the change where the answer is yes."""

    def answered(signed: Signed | None) -> None:
        if signed is not None:
            deck.change(change(signed))

    deck.push_screen(dialog_for(question), answered)


def _command(action_id: str, context: Context, *, confirm: str = "", **more: Any) -> str:
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
    command = _command("runs.cancel", context)
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

    _ask(deck, question, change)


def resume_run(deck: Deck, run: Run) -> None:
    """Ask, then resume a run."""
    context = replace(deck.context, run=run)
    command = _command("runs.resume", context)
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

    _ask(deck, question, change)


def rerun(deck: Deck, run: Run, step: StepRun | None = None) -> None:
    """Ask, then repeat a run as a new one, whole or from a step on."""
    context = replace(deck.context, run=run, step=step)
    command = _command("run.rerun" if step else "runs.rerun", context)
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

    _ask(deck, question, change)


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
            command=_command(action, context, confirm=confirm),
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
            command=_command(action, context),
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
            command=_command(action, context, confirm=confirm, comment=shlex.quote(signed.comment)),
        )

    _ask(deck, question, change)


def deploy(deck: Deck, version: ModelVersion, endpoint: str, environment: str) -> None:
    """Ask (to production: the model's name and a reason), then deploy to an endpoint."""
    context = replace(deck.context, version=version)
    confirm = version.name if environment == "production" else ""
    command = _command("models.deploy", context, confirm=confirm, target=endpoint)
    question = Question(
        title=f"Deploy {version.name} v{version.version}?",
        environment=environment,
        target=[("model", f"{version.name} v{version.version}"), ("endpoint", endpoint)],
        consequence="The version is loaded beside the stable one and takes traffic by the"
        " default strategy; it can be aborted or rolled back at any time.",
        yes="Deploy",
        command=command,
        danger=True,
        typed=confirm,
        comment="reason",
        comment_needed=environment == "production",
    )

    def started(_deployment: object) -> str:
        deck.go("deploys")
        return f"deploying {version.name} v{version.version} to {endpoint}"

    def change(signed: Signed) -> Change:
        return Change(
            group=f"endpoint/{endpoint}",
            title=f"deploy {version.name} v{version.version}",
            call=lambda ops: ops.endpoints.deploy(
                endpoint, version.name, str(version.version), reason=signed.comment
            ),
            then=started,
            command=f"{command} --reason {shlex.quote(signed.comment)}",
        )

    _ask(deck, question, change)


def promote(deck: Deck, endpoint: Endpoint, *, full: bool) -> None:
    """Ask, then end the pause of a deployment, or all of its steps."""
    context = replace(deck.context, endpoint=endpoint)
    deployment = endpoint.deployment
    if deployment is None:
        deck.tell(f"no deployment of {endpoint.name} is under way", "warn")
        return
    confirm = deployment.model if full and endpoint.environment == "production" else ""
    command = _command("deploys.full" if full else "deploys.promote", context, confirm=confirm)
    version = f"{deployment.model} v{deployment.version}"
    question = Question(
        title=f"Promote {version}{' in full' if full else ''}?",
        environment=endpoint.environment,
        target=[
            ("endpoint", endpoint.name),
            ("version", f"{version}, {percent(deployment.set_weight)} of the traffic now"),
        ],
        consequence=(
            f"All traffic goes to v{deployment.version} now"
            + ("; it becomes the champion." if endpoint.environment == "production" else ".")
            if full
            else "The pause ends and the next step of the strategy begins."
        ),
        yes="Promote full" if full else "Promote",
        command=command,
        danger=full,
        typed=confirm,
    )

    def change(_signed: Signed) -> Change:
        return Change(
            group=f"endpoint/{endpoint.name}",
            title=f"promote {version}",
            call=lambda ops: ops.endpoints.promote(endpoint.name, full=full),
            then=lambda _done: f"promoting {version} on {endpoint.name}",
            command=command,
        )

    _ask(deck, question, change)


def abort(deck: Deck, endpoint: Endpoint) -> None:
    """Ask, then abort the deployment under way."""
    context = replace(deck.context, endpoint=endpoint)
    deployment = endpoint.deployment
    if deployment is None:
        deck.tell(f"no deployment of {endpoint.name} is under way", "warn")
        return
    command = _command("deploys.abort", context)
    stable = next((r for r in endpoint.revisions if r.state == "stable"), None)
    back = f"v{stable.version}" if stable else "the stable version"
    question = Question(
        title=f"Abort the deployment of v{deployment.version}?",
        environment=endpoint.environment,
        target=[
            ("endpoint", endpoint.name),
            ("version", f"{deployment.model} v{deployment.version}"),
        ],
        consequence=f"All traffic goes back to {back} at once.",
        yes="Abort",
        command=command,
        danger=True,
        comment="reason",
    )

    def change(signed: Signed) -> Change:
        return Change(
            group=f"endpoint/{endpoint.name}",
            title=f"abort v{deployment.version}",
            call=lambda ops: ops.endpoints.abort(endpoint.name, signed.comment),
            then=lambda _done: f"aborted: {endpoint.name} is on {back}",
            command=command,
        )

    _ask(deck, question, change)
