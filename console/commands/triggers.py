"""`opsdeck triggers`: what starts runs by itself, what made it fire, what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from console.groups import noun
from console.output import emit
from console.session import Session, pass_session
from console.tables import Column, block, heading, table
from console.words import Cell, number, when

if TYPE_CHECKING:
    from core.domain.trigger import Firing, Outlook, Trigger
    from core.triggers.augmenting import Augmented

_STATES = {"ready": "green", "paused": "yellow", "off": "bright_black", "broken": "red"}
_DECISIONS = {
    "started": "green",
    "accepted": "cyan",
    "asked": "cyan",
    "relapsed": "red",
    "refused": "red",
}


@noun("List, check, fire and switch triggers of continuous training.")
def command() -> None:
    """Group of the verbs on triggers."""


@command.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the triggers that monitors/*.yaml define, with how they stand."""
    found = session.ops().triggers.list()
    emit(session, {"triggers": found}, lambda: _list_text(session, found))


@command.command("show")
@click.argument("name")
@click.option("-n", "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True,
              help="How many firings.")  # fmt: skip
@pass_session
def show(session: Session, name: str, limit: int) -> None:
    """Show a trigger, what would happen if it fired now, and its firings, newest first."""
    service = session.ops().triggers
    trigger = service.get(name)
    outlook = service.outlook(name)
    firings = service.firings(name, limit=limit)
    document = {"trigger": trigger, "outlook": outlook, "firings": firings}
    emit(session, document, lambda: _show_text(session, trigger, outlook, firings))


@command.command("fire")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the journal and the run.")
@click.option("--force", is_flag=True, help="Pass over cool-down and budget.")
@pass_session
def fire(session: Session, name: str, reason: str, force: bool) -> None:
    """Have a trigger fire by hand; a worker makes its run, unless something speaks against it.

    One model is retrained by one run at a time: nothing passes over that. Exits with 1 where
    there will be no run.
    """
    done = session.ops().triggers.fire(name, reason, force=force)
    emit(session, done, lambda: _fired_text(done))
    if done.decision.value not in ("accepted", "started"):
        raise click.exceptions.Exit(1)


@command.command("enable")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@pass_session
def enable(session: Session, name: str, reason: str) -> None:
    """Switch a trigger on again."""
    done = session.ops().triggers.enable(name, reason)
    note = " (its file says enabled: false)" if done.state == "off" else ""
    emit(session, done, lambda: f"trigger {name}: switched on{note}")


@command.command("disable")
@click.argument("name")
@click.option("-m", "--reason", default="", help="Why, for the journal and for others.")
@pass_session
def disable(session: Session, name: str, reason: str) -> None:
    """Switch a trigger off until somebody switches it on; its runs go on."""
    done = session.ops().triggers.disable(name, reason)
    emit(session, done, lambda: f"trigger {name}: switched off; on again: opsdeck triggers enable"
         f" {name}")  # fmt: skip


@command.command("check")
@click.argument("name", required=False)
@pass_session
def check(session: Session, name: str | None) -> None:
    """Check what is written, and tell what each trigger would do now. Nothing is fired.

    Exits with 1 where something is wrong.
    """
    service = session.ops().triggers
    names = [name] if name is not None else [each.name for each in service.list()]
    outlooks = [service.outlook(each) for each in names]
    problems = service.problems() if name is None else ()
    told = [each.one_line() for each in problems]
    document = {"problems": problems, "triggers": outlooks}
    emit(session, document, lambda: _check_text(session, outlooks, told))
    if told or any(each.problems for each in outlooks):
        raise click.exceptions.Exit(1)


@command.command("augment")
@click.argument("name")
@pass_session
def augment(session: Session, name: str) -> None:
    """Make the rows that a run of the trigger would get now: captured requests with labels."""
    made = session.ops().triggers.augment(name)
    emit(session, made, lambda: _augmented_text(made))


def _list_text(session: Session, found: tuple[Trigger, ...]) -> str:
    if not found:
        return "no triggers yet: write monitors/NAME.yaml (docs/continuous-training.md)"
    columns = [
        Column("trigger"),
        Column("state"),
        Column("pipeline"),
        Column("fires on", flexible=True),
        Column("runs", right=True),
        Column("next"),
        Column("last firing", flexible=True),
    ]
    text = table(session, columns, [_row(session, each) for each in found])
    wrong = [problem for each in found for problem in each.problems]
    return "\n".join([text, *wrong])


def _row(session: Session, each: Trigger) -> tuple[Cell | str, ...]:
    definition, last = each.definition, each.last
    conditions = "; ".join(c.words() for c in definition.conditions) if definition else ""
    return (
        each.name,
        Cell(each.state, _STATES.get(each.state, "bright_black")),
        definition.pipeline if definition else "-",
        conditions or "by hand",
        str(each.runs),
        when(each.next_at, terminal=session.terminal),
        f"{when(last.at, terminal=session.terminal)} {last.decision.value}" if last else "never",
    )


def _show_text(
    session: Session, trigger: Trigger, outlook: Outlook, firings: tuple[Firing, ...]
) -> str:
    definition = trigger.definition
    facts: list[tuple[str, Cell | str]] = [
        ("trigger", trigger.name),
        ("state", Cell(trigger.state, _STATES.get(trigger.state, "bright_black"))),
        ("file", trigger.file),
    ]
    if trigger.paused_by:
        why = f": {trigger.paused_reason}" if trigger.paused_reason else ""
        facts.append(("switched off", f"by {trigger.paused_by}{why}"))
    if definition is not None:
        facts += _definition_facts(outlook, definition)
    facts.append(("if it fired now", _outlook_words(outlook)))
    parts = [block(session, facts), *trigger.problems]
    if outlook.conditions:
        columns = [Column("fires on", flexible=True), Column("met"), Column("now", flexible=True)]
        rows = [
            (words, Cell("yes", "yellow") if met else "no", now)
            for words, met, now in outlook.conditions
        ]
        parts += ["", table(session, columns, rows)]
    parts += ["", heading(session, "firings")]
    parts.append(_firings_text(session, firings) if firings else "  none yet")
    return "\n".join(parts)


def _definition_facts(outlook: Outlook, definition: object) -> list[tuple[str, Cell | str]]:
    from core.domain.trigger import TriggerDefinition, spell

    assert isinstance(definition, TriggerDefinition)
    params = " ".join(f"{key}={value}" for key, value in outlook.params.items())
    budget = definition.budget
    limits = [f"{budget.runs} runs"] if budget.runs is not None else []
    if budget.cpu_seconds is not None:
        limits.append(f"{spell(budget.cpu_seconds)} processor time")
    if budget.cost is not None:
        limits.append(f"{budget.cost:g} at {budget.price:g} an hour")
    relapse = definition.relapse
    facts: list[tuple[str, Cell | str]] = [
        ("description", definition.description),
        ("pipeline", f"{definition.pipeline} {params}".strip()),
        ("cool-down", spell(definition.cool_down)),
        ("budget", f"{' and '.join(limits)} a {budget.per}" if limits else "none"),
        ("alert instead", f"after {relapse.retrainings} retrainings in {spell(relapse.within)}"),
    ]
    if definition.augment is not None:
        facts.append(("augmented set", definition.augment.dataset))
    return facts


def _outlook_words(outlook: Outlook) -> Cell | str:
    word = "a run" if outlook.decision.value == "accepted" else outlook.decision.value
    text = f"{word}: {outlook.reason}" if outlook.reason else word
    return Cell(text, _DECISIONS.get(outlook.decision.value, "yellow"))


def _firings_text(session: Session, firings: tuple[Firing, ...]) -> str:
    columns = [
        Column("firing"),
        Column("when"),
        Column("decision"),
        Column("run"),
        Column("cause", flexible=True),
        Column("why", flexible=True),
    ]
    rows = [
        (
            each.id,
            when(each.at, terminal=session.terminal),
            Cell(each.decision.value, _DECISIONS.get(each.decision.value, "yellow")),
            f"#{each.run} {each.run_status}" if each.run is not None else "-",
            (each.cause.message or each.cause.subject)
            + (f" (×{each.times})" if each.times > 1 else ""),
            each.reason,
        )
        for each in firings
    ]
    return table(session, columns, rows)


def _fired_text(done: Firing) -> str:
    if done.decision.value == "accepted":
        return f"trigger {done.trigger}: firing {done.id} accepted; a worker makes its run"
    return f"trigger {done.trigger}: firing {done.id} {done.decision.value}: {done.reason}"


def _check_text(session: Session, outlooks: list[Outlook], problems: list[str]) -> str:
    rows = [
        (each.trigger, _outlook_words(each), ", ".join(w for w, met, _ in each.conditions if met))
        for each in outlooks
    ]
    columns = [
        Column("trigger"),
        Column("if it fired now", flexible=True),
        Column("conditions met", flexible=True),
    ]
    text = table(session, columns, rows) if rows else "no triggers"
    return "\n".join([text, *problems])


def _augmented_text(made: Augmented) -> str:
    left = ", ".join(f"{count:,} {word.replace('_', ' ')}" for word, count in made.left.items())
    tail = f"; left out: {left}" if left else ""
    if not made.snapshot:
        return f"dataset {made.dataset}: no labelled rows{tail}"
    return (
        f"dataset {made.dataset}@{made.version}: {number(made.rows)} labelled rows"
        f" ({made.added} new, {made.changed} changed, {made.removed} gone){tail}"
    )
