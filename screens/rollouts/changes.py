"""The changes of a release: what each asks first, and what it tells after.

Friction by direction: a step on is one `y`; all of production's traffic wants the model's
name and a reason; stopping and going back want little.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from screens.background import Change
from screens.changes import ask_first, equivalent
from screens.deck import Deck
from screens.dialogs.confirm import Question, Signed
from screens.rollouts.ladder import next_step_words
from screens.rollouts.state import current_step
from screens.words import percent

if TYPE_CHECKING:
    from core.domain.model import ModelVersion
    from core.domain.release import Deployment, Endpoint


def _under_way(deck: Deck, endpoint: Endpoint) -> Deployment | None:
    """The deployment that is open; says so where there is none."""
    deployment = endpoint.deployment
    if deployment is None or deployment.status.ended:
        deck.tell(f"▲ no deployment of {endpoint.name} is under way", "warn")
        return None
    return deployment


def _target(endpoint: Endpoint, deployment: Deployment) -> list[tuple[str, str]]:
    version = f"{deployment.model} v{deployment.version}"
    return [
        ("endpoint", endpoint.name),
        ("version", f"{version}, {percent(deployment.set_weight)} of the traffic now"),
    ]


def _reason(signed: Signed) -> str:
    return f" --reason {shlex.quote(signed.comment)}" if signed.comment else ""


def promote(deck: Deck, endpoint: Endpoint, *, full: bool) -> None:
    """Ask, then end the pause of a deployment (or let a held one go on), or all of its steps."""
    deployment = _under_way(deck, endpoint)
    if deployment is None:
        return
    production = endpoint.environment == "production"
    confirm = deployment.model if full and production else ""
    context = replace(deck.context, endpoint=endpoint)
    command = equivalent("deploys.full" if full else "deploys.promote", context, confirm=confirm)
    version = f"{deployment.model} v{deployment.version}"
    if full:
        consequence = f"All traffic goes to v{deployment.version} now, past all steps that are left"
        consequence += "; it becomes the champion." if production else "."
    else:
        consequence = f"It goes on to its next step: {next_step_words(deployment)}."
        step = current_step(deployment)
        if step is not None and step.kind in ("analyse", "shadow", "window"):
            consequence += f" The present one ({step.words()}) is not over: it is cut short."
    question = Question(
        title=f"Promote {version}{' in full' if full else ''}?",
        environment=endpoint.environment,
        target=_target(endpoint, deployment),
        consequence=consequence,
        yes="Promote full" if full else "Promote",
        command=command,
        danger=full,
        typed=confirm,
        comment="reason" if full else "",
        comment_needed=full and production,
    )

    def change(signed: Signed) -> Change:
        return Change(
            group=f"endpoint/{endpoint.name}",
            title=f"promote {version}",
            call=lambda ops: ops.endpoints.promote(
                endpoint.name,
                full=full,
                reason=signed.comment,
                seen=(deployment.id, deployment.step_index),
            ),
            then=lambda _done: f"promoting {version} on {endpoint.name}",
            command=command + _reason(signed),
        )

    ask_first(deck, question, change)


def hold(deck: Deck, endpoint: Endpoint) -> None:
    """Ask for a reason (it may stay empty), then stop the deployment where it is."""
    deployment = _under_way(deck, endpoint)
    if deployment is None:
        return
    command = equivalent("deploys.hold", replace(deck.context, endpoint=endpoint))
    question = Question(
        title=f"Hold v{deployment.version} at {percent(deployment.set_weight)}?",
        environment=endpoint.environment,
        target=_target(endpoint, deployment),
        consequence="It stops where it is until somebody promotes it. Its alarms stay armed.",
        yes="Hold",
        command=command,
        comment="reason",
    )

    def change(signed: Signed) -> Change:
        return Change(
            group=f"endpoint/{endpoint.name}",
            title=f"hold v{deployment.version}",
            call=lambda ops: ops.endpoints.hold(endpoint.name, reason=signed.comment),
            then=lambda done: f"{endpoint.name} is held at {percent(done.set_weight)}",
            command=command + _reason(signed),
        )

    ask_first(deck, question, change)


def weight(deck: Deck, endpoint: Endpoint) -> None:
    """Ask for the weight (and in production for a reason), then set it; the release is held."""
    from screens.dialogs.weight import Weighed, WeightSheet

    deployment = _under_way(deck, endpoint)
    if deployment is None:
        return
    context = replace(deck.context, endpoint=endpoint)

    def answered(signed: Weighed | None) -> None:
        if signed is None:
            return
        share = signed.percent
        line = equivalent("deploys.weight", context, percent=f"{share:g}")
        deck.change(
            Change(
                group=f"endpoint/{endpoint.name}",
                title=f"set v{deployment.version} to {percent(share)}",
                call=lambda ops: ops.endpoints.weight(endpoint.name, share, reason=signed.comment),
                then=lambda _done: f"v{deployment.version} gets {percent(share)} of the traffic",
                command=line + _reason(signed),
            )
        )

    deck.push_screen(WeightSheet(endpoint, deployment), answered)


def abort(deck: Deck, endpoint: Endpoint) -> None:
    """Ask, then abort the deployment under way."""
    deployment = _under_way(deck, endpoint)
    if deployment is None:
        return
    command = equivalent("deploys.abort", replace(deck.context, endpoint=endpoint))
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
            command=command + _reason(signed),
        )

    ask_first(deck, question, change)


def deploy(deck: Deck, version: ModelVersion, endpoint: str, environment: str) -> None:
    """Ask for a strategy (to production: the model's name and a reason), then deploy by it."""
    from screens.dialogs.deploy import DeploySheet, Planned

    context = replace(deck.context, version=version)
    confirm = version.name if environment == "production" else ""
    command = equivalent("models.deploy", context, confirm=confirm, target=endpoint)
    question = Question(
        title=f"Deploy {version.name} v{version.version}?",
        environment=environment,
        target=[("model", f"{version.name} v{version.version}"), ("endpoint", endpoint)],
        consequence="It can be aborted or rolled back at any time.",
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

    def answered(signed: Planned | None) -> None:
        if signed is None:
            return
        chosen = f" --strategy {signed.strategy}" if signed.strategy else ""
        deck.change(
            Change(
                group=f"endpoint/{endpoint}",
                title=f"deploy {version.name} v{version.version}",
                call=lambda ops: ops.endpoints.deploy(
                    endpoint,
                    version.name,
                    str(version.version),
                    strategy=signed.strategy or None,
                    reason=signed.comment,
                ),
                then=started,
                command=f"{command}{chosen}{_reason(signed)}",
            )
        )

    deck.push_screen(DeploySheet(question, endpoint, version.name, version.version), answered)
