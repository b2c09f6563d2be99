"""Triggers: what starts runs by itself, what made them fire, and what was decided."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.domain.trigger import (
    Cause,
    CauseKind,
    Firing,
    FiringDecision,
    Outlook,
    Trigger,
    TriggerDefinition,
)
from core.errors import BadInput, NotFound, OpsdeckError
from core.ids import short_id
from core.pipelines._report import did_you_mean
from core.reads import triggers as _reads
from core.services.workers import WorkersService
from core.session import Session
from core.triggers.files import TriggerFiles, load_triggers

if TYPE_CHECKING:
    from core.domain.pipeline import Problem
    from core.domain.trigger import Condition
    from core.triggers.augmenting import Augmented
    from core.triggers.checking import Known
    from core.triggers.conditions import Look


class TriggersService:
    """The workspace's triggers."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    # -- reading

    def list(self) -> tuple[Trigger, ...]:
        """Every trigger, by name: those that files define, and those gone that have fired."""
        files = load_triggers(self._session.workspace.root)
        kept, last = (
            _reads.kept_rows(self._session.reader),
            _reads.last_firings(self._session.reader),
        )
        counts = _reads.run_counts(self._session.reader)
        problems = self._problems(files)
        names = sorted({*files.names, *kept, *last})
        return tuple(
            self._trigger(name, files, problems, kept, last.get(name), counts.get(name, 0))
            for name in names
        )

    def get(self, name: str) -> Trigger:
        """A trigger; raises `NotFound`."""
        known = self.list()
        for each in known:
            if each.name == name:
                return each
        hint = did_you_mean(name, [each.name for each in known])
        raise NotFound(
            f"no trigger {name}", hint or "define it in monitors/NAME.yaml, under triggers:"
        )

    def firings(
        self,
        name: str | None = None,
        *,
        decision: str | None = None,
        model: str | None = None,
        limit: int = 50,
    ) -> tuple[Firing, ...]:
        """Firings, newest first, of one trigger or all; raises nothing for unknown names."""
        return _reads.list_firings(
            self._session.reader, trigger=name, decision=decision, model=model, limit=limit
        )

    def firing(self, ref: str) -> Firing:
        """A firing by its id or the beginning of it; raises `NotFound`, `BadInput`."""
        return _reads.find_firing(self._session.reader, ref)

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with triggers' files, and with what they name."""
        files = load_triggers(self._session.workspace.root)
        found = self._problems(files)
        return tuple(problem for name in sorted(found) for problem in found[name])

    def outlook(self, name: str) -> Outlook:
        """What would happen if it fired now, for the first of its conditions that is met or else
        by hand, and which are met. Raises `NotFound`."""
        from core.triggers import conditions
        from core.triggers.arbitration import arbitrate
        from core.triggers.filling import Filling
        from core.triggers.standing import facts_for

        trigger = self.get(name)
        definition = trigger.definition
        if definition is None:
            refused = FiringDecision.REFUSED
            return Outlook(name, refused, "; ".join(trigger.problems), problems=trigger.problems)
        reader, now = self._session.reader, time.time()
        files = load_triggers(self._session.workspace.root)
        known = self._survey(files)
        model, cycle = self._about(definition, files, known)
        seen = self._seen(name)
        looks = [
            (each, conditions.look(reader, definition, each, seen, now))
            for each in definition.conditions
        ]
        met = [(each.words(), _now(each, found), found.words) for each, found in looks]
        by_hand = Cause(CauseKind.HAND, f"trigger/{name}", key=f"outlook/{now}")
        causes = [found.cause for each, found in looks if found.cause and _now(each, found)]
        cause = causes[0] if causes else by_hand
        facts = facts_for(reader.rows, definition, model, cause, now, cycle=cycle)
        decision, reason = arbitrate(definition, cause, facts, now)
        wrong = self._deciding(files)(name)
        if isinstance(wrong, str):
            decision, reason = FiringDecision.REFUSED, wrong
        filling = Filling(self._session, model=model, actor=f"trigger/{name}", cause=cause, now=now)
        try:
            params: Mapping[str, Any] = filling.params(definition, light=True)
        except OpsdeckError as error:
            params, decision, reason = definition.params, FiringDecision.REFUSED, error.message
        return Outlook(name, decision, reason, tuple(met), params, trigger.problems)

    # -- changing

    def fire(self, name: str, reason: str = "", *, force: bool = False) -> Firing:
        """Have it fire by hand, and decide at once; a worker then makes its run. `force` passes
        over cool-down and budget. Raises `NotFound`, `ReadOnly`."""
        from core.triggers.deciding import decide_all
        from core.triggers.firing import ask

        self._session.refuse_when_read_only("triggers fire")
        self.get(name)
        known = self._deciding()
        said = reason or ("by hand, past cool-down and budget" if force else "by hand")
        cause = Cause(CauseKind.HAND, f"trigger/{name}", said, key=f"hand/{short_id()}")
        with self._session.change("triggers fire") as tx:
            firing = ask(tx, name, cause)
            decide_all(tx, known, force=firing if force else "")
        self._workers.wake()
        return _reads.find_firing(self._session.reader, firing)

    def enable(self, name: str, reason: str = "") -> Trigger:
        """Switch it on again; raises `NotFound`, `ReadOnly`."""
        return self._switch(name, paused=False, reason=reason)

    def disable(self, name: str, reason: str = "") -> Trigger:
        """Switch it off until somebody switches it on; what it has started goes on. Raises
        `NotFound`, `ReadOnly`."""
        return self._switch(name, paused=True, reason=reason)

    def _switch(self, name: str, *, paused: bool, reason: str) -> Trigger:
        from core.state.trigger_tables import triggers

        verb = "disable" if paused else "enable"
        self._session.refuse_when_read_only(f"triggers {verb}")
        self.get(name)
        with self._session.change(f"triggers {verb}") as tx:
            values = {
                "paused": int(paused),
                "paused_by": tx.actor if paused else None,
                "paused_at": tx.now if paused else None,
                "paused_reason": reason if paused else "",
            }
            changed = tx.execute(triggers.update().where(triggers.c.name == name).values(**values))
            if not changed.rowcount:
                tx.execute(triggers.insert().values(name=name, **values))
            tx.journal(f"trigger.{verb}", f"trigger/{name}", reason=reason)
        return self.get(name)

    def augment(self, name: str) -> Augmented:
        """Make the set of captured and labelled rows that a run would get now. Raises
        `NotFound`, `BadInput` (it has none), `AugmentFailed`, `Refused`, `ReadOnly`."""
        from core.pipelines import load_pipeline
        from core.triggers.augmenting import augment
        from core.triggers.checking import endpoint_of

        self._session.refuse_when_read_only("triggers augment")
        trigger = self.get(name)
        definition = trigger.definition
        if definition is None or definition.augment is None:
            told = trigger.problems[0] if trigger.problems else f"trigger {name} augments nothing"
            raise BadInput(told, "add augment: {dataset: …} to it")
        spec = load_pipeline(self._session.workspace.root, definition.pipeline)
        endpoint = endpoint_of(definition, spec)
        return augment(
            self._session,
            definition.augment,
            endpoint,
            by=self._session.actor,
            as_of=time.time(),
            message=f"trigger {name}, by hand",
        )

    def augment_for(self, endpoint: str) -> tuple[str, ...]:
        """Bring the augmented sets that take rows of an endpoint up to its labels; the datasets.
        Raises what `augment` raises, `ReadOnly`."""
        from core.triggers.augmenting import augment
        from core.triggers.checking import endpoint_of

        self._session.refuse_when_read_only("triggers augment")
        files = load_triggers(self._session.workspace.root)
        known = self._survey(files)
        done: set[str] = set()
        for name, each in files.definitions.items():
            if each.augment is None or each.augment.dataset in done:
                continue
            if endpoint_of(each, known.spec(each.pipeline)) == endpoint:
                message = f"labels of {endpoint}, for trigger {name}"
                by, now = self._session.actor, time.time()
                augment(self._session, each.augment, endpoint, by=by, as_of=now, message=message)
                done.add(each.augment.dataset)
        return tuple(sorted(done))

    # -- what the worker does by itself

    def look(self) -> int:
        """Look at every condition, have triggers fire and decide on all that has been asked;
        how many firings were accepted. Raises `ReadOnly`."""
        from core.triggers.looking import look_at_all

        self._session.refuse_when_read_only("triggers look")
        files = load_triggers(self._session.workspace.root)
        return len(look_at_all(self._session, files, self._deciding(files)))

    def start(self, firing: str) -> str | None:
        """Make the run of an accepted firing; its id, None where it has one or somebody else
        is at it. Raises `ReadOnly`, `TriggerRefused`."""
        from core.triggers import starting

        self._session.refuse_when_read_only("triggers start")
        taken = starting.take(self._session, firing)
        if taken is None:
            return None
        files = load_triggers(self._session.workspace.root)
        definition = files.definitions.get(taken.trigger)
        if definition is None:
            from core.triggers.deciding import refuse

            with self._session.change("triggers start") as tx:
                refuse(tx, taken, "no file defines it any more")
            return None
        run = starting.start(self._session, taken, definition)
        self._workers.wake()
        return run

    # -- what is known

    def _deciding(self, files: TriggerFiles | None = None) -> Any:
        """A function from a trigger's name to what deciding needs of it."""
        from core.triggers.deciding import Known as Decisive

        read = files or load_triggers(self._session.workspace.root)
        known = self._survey(read)
        problems = self._problems(read, known)

        def find(name: str) -> Decisive | str:
            definition = read.definitions.get(name)
            if definition is None:
                wrong = problems.get(name)
                return wrong[0].one_line() if wrong else f"no trigger {name} is defined"
            hindering = [each for each in problems.get(name, ()) if ".on" not in each.key]
            if hindering:
                return hindering[0].one_line()
            return Decisive(definition, *self._about(definition, read, known))

        return find

    def _about(
        self, definition: TriggerDefinition, files: TriggerFiles, known: Known
    ) -> tuple[str, str]:
        """The model that its runs are about, and how it would make itself fire."""
        from core.triggers.checking import cycle_of, model_of

        among = tuple(files.definitions.values())
        return model_of(definition, known.spec(definition.pipeline)), cycle_of(
            definition, among, known
        )

    def _survey(self, files: TriggerFiles) -> Known:
        from core.triggers.checking import survey

        return survey(
            self._session.workspace.root, self._session.reader, files.monitors, files.alarms
        )

    def _problems(
        self, files: TriggerFiles, known: Known | None = None
    ) -> dict[str, tuple[Problem, ...]]:
        """By trigger: of its form, and of what it names."""
        from core.releases.values import Problems
        from core.triggers.checking import check_trigger
        from core.triggers.files import placed

        if not files.definitions:
            return dict(files.problems)
        known = known or self._survey(files)
        found = dict(files.problems)
        among = tuple(files.definitions.values())
        for name, definition in files.definitions.items():
            problems = Problems()
            check_trigger(problems, definition, known, [o for o in among if o.name != name])
            if problems.found:
                file = files.places.get(name, ("", 1))[0]
                more = placed(self._session.workspace.root, file, problems)
                found[name] = (*found.get(name, ()), *more)
        return found

    def _seen(self, name: str) -> Any:
        from core.triggers.conditions import Seen

        row = _reads.kept_rows(self._session.reader).get(name)
        return Seen(json.loads(row["seen"]) if row else {})

    def _trigger(
        self,
        name: str,
        files: TriggerFiles,
        problems: Mapping[str, tuple[Problem, ...]],
        kept: Mapping[str, Mapping[str, Any]],
        last: Firing | None,
        runs: int,
    ) -> Trigger:
        from core.triggers.conditions import Seen, next_at

        definition, row = files.definitions.get(name), kept.get(name, {})
        told = tuple(problem.one_line() for problem in problems.get(name, ()))
        file, line = files.places.get(name, ("", 0))
        state = "ready"
        if name not in files.names:
            state = "gone"
        elif told:
            state = "broken"
        elif row.get("paused"):
            state = "paused"
        elif definition is not None and not definition.enabled:
            state = "off"
        seen, now = Seen(json.loads(row.get("seen", "{}"))), time.time()
        times = [
            at
            for each in (definition.conditions if definition and state == "ready" else ())
            if (at := next_at(each, seen, now)) is not None
        ]
        return Trigger(
            name=name,
            state=state,
            definition=definition,
            file=f"{file}:{line}" if file else "",
            problems=told,
            paused_by=row.get("paused_by"),
            paused_at=row.get("paused_at"),
            paused_reason=row.get("paused_reason", ""),
            next_at=min(times, default=None),
            last=last,
            runs=runs,
            looked_at=row.get("looked_at"),
        )


def _now(condition: Condition, found: Look) -> bool:
    """Whether a condition is met at this moment; a schedule only as it comes round."""
    fresh = condition.kind is not CauseKind.SCHEDULE or found.seen is not None
    return found.cause is not None and fresh
