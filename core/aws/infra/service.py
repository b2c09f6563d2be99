"""Stacks of a project's environment: list, plan, deploy, compare, destroy."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from core.aws.account import Account
from core.aws.infra.deploying import Deployer, failed
from core.aws.infra.destroying import Holding, holdings, refuse_full, retaining
from core.aws.infra.diff import StackPlan
from core.aws.infra.drifting import StackDrift, drift_of
from core.aws.infra.errors import InfraInvalid, PlanChanged, StillNeeded
from core.aws.infra.place import Place
from core.aws.infra.planning import Planner
from core.aws.infra.stacks import (
    FAILED_FIRST,
    GOOD,
    USABLE,
    Event,
    Patience,
    Stack,
    Tell,
    find,
    follow,
    newest_event,
    stacks_under,
)
from core.aws.infra.template import Template, chosen
from core.aws.infra.values import FILES_FROM, Given, Values, key_of, resolve


def _silent(event: Event) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A layer that was left out because nobody gave these parameters."""

    layer: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plans:
    """What would be done, stack by stack, and which layers were left out."""

    stacks: tuple[StackPlan, ...]
    left_out: tuple[Missing, ...] = ()

    @property
    def changing(self) -> tuple[StackPlan, ...]:
        """The plans that do something."""
        return tuple(each for each in self.stacks if each.kind != "none")


@dataclass(frozen=True, slots=True)
class Row:
    """A layer and its stack, which may not be there (None)."""

    layer: str
    stack: Stack | None
    about: str = ""
    needs: tuple[str, ...] = ()


@dataclass
class Infra:
    """The stacks of one place, made of these templates. `owner` labels what is new."""

    account: Account
    place: Place
    templates: Mapping[str, Template]
    owner: str = ""
    patience: Patience = field(default_factory=Patience)

    def rows(self) -> list[Row]:
        """Every layer with its stack, in the order of deployment; then stacks of no layer."""
        there = self._there()
        rows = [
            Row(name, there.pop(name, None), each.about, each.needs)
            for name, each in self.templates.items()
        ]
        return rows + [Row(name, each) for name, each in there.items()]

    def plan(self, names: Sequence[str], given: Given, tell: Tell = _silent) -> Plans:
        """What deploying the layers (all without a name) would do.

        Waits for whatever goes on there already. The change sets that it holds are to be
        executed by `deploy` or taken away by `discard`. Layers that nobody named and that
        miss a parameter are left out; raises `InfraInvalid` where one was named, and what
        `Planner.plan` raises.
        """
        plans: list[StackPlan] = []
        left_out: list[Missing] = []
        there = self._settled(tell)
        try:
            for template in chosen(self.templates, names):
                values = self._values(template, given, there, {p.layer for p in plans})
                if values.missing and not names:
                    left_out.append(Missing(template.layer, values.missing))
                    continue
                _refuse_missing(template, values)
                mine = there.get(template.layer)
                plans.append(self._planner.plan(template, values, mine))
        except BaseException:
            self.discard(plans)
            raise
        return Plans(tuple(plans), tuple(left_out))

    def values(self, name: str, given: Given) -> dict[str, str]:
        """A layer's parameters with the values that deploying it now would give them.

        Raises `InfraInvalid` where one is missing.
        """
        (template,) = chosen(self.templates, [name])
        values = self._values(template, given, self._there(), set())
        if values.waits:
            raise InfraInvalid(f"{name}: {', '.join(values.waits)} is not deployed")
        _refuse_missing(template, values)
        return dict(values.known)

    def discard(self, plans: Sequence[StackPlan]) -> None:
        """Take away the change sets of these plans."""
        for each in plans:
            self._planner.discard(each)

    def deploy(
        self,
        plans: Plans,
        given: Given,
        tell: Tell = _silent,
        begin: Callable[[StackPlan], None] = lambda plan: None,
    ) -> list[Stack]:
        """Do what was planned, in order; what was not reached is discarded.

        A plan that had to wait for earlier layers is made now; raises `PlanChanged` where it
        then does more than was shown, and `StackFailed` with the first resource's reason.
        """
        waiting = list(plans.stacks)
        done: list[Stack] = []
        try:
            while waiting:
                self._upload(given, self.templates[waiting[0].layer])
                plan = waiting[0] = self._renewed(waiting[0], given, tell)
                if plan.kind != "none":
                    begin(plan)
                    done.append(self._deployer.execute(plan, tell))
                else:
                    self._protect(plan)
                waiting.pop(0)
        except BaseException:
            self.discard(waiting)
            raise
        return done

    def drift(self, names: Sequence[str]) -> list[StackDrift]:
        """Compare the layers' stacks (all that are there) with what there really is."""
        there = self._there()
        layers = [each.layer for each in chosen(self.templates, names) if each.layer in there]
        if names and len(layers) < len(names):
            gone = next(name for name in names if name not in there)
            raise InfraInvalid(f"{self.place.stack(gone)}: there is no such stack")
        return [drift_of(self.account, there[layer].name, layer, self.patience) for layer in layers]

    def to_destroy(self, names: Sequence[str]) -> list[Stack]:
        """The stacks of the layers (all without a name), each before those it is built on.

        Raises `StillNeeded` where a stack that stays is built on one of them.
        """
        there = self._there()
        going = [each.layer for each in chosen(self.templates, names) if each.layer in there]
        for layer, template in self.templates.items():
            needed = [each for each in template.needs if each in going]
            if layer in there and layer not in going and needed:
                raise StillNeeded(
                    f"{self.place.stack(needed[0])}: {there[layer].name} is built on it",
                    f"destroy {layer} too, or first",
                )
        return [there[layer] for layer in reversed(going)]

    def full(self, stacks: Sequence[Stack]) -> list[Holding]:
        """What in these stacks holds something."""
        return [held for each in stacks for held in holdings(self.account, each.name)]

    def destroy(
        self,
        stacks: Sequence[Stack],
        tell: Tell = _silent,
        *,
        retain: bool = False,
        unprotect: bool = False,
    ) -> None:
        """Delete these stacks in this order; with `retain` what holds something stays.

        Raises `NotEmpty` before anything is deleted, `StackProtected`, `StackFailed`.
        """
        for each in stacks:
            if each.protected and not unprotect:
                self._deployer.delete(each, tell)  # raises, before anything is gone
        if not retain:
            refuse_full(self.full(stacks))
        for each in stacks:
            settled = self._deployer.settle(each, tell)
            if settled is None:
                continue
            if retain and settled.status in USABLE:
                self._retain(settled, tell)
            self._deployer.delete(settled, tell, unprotect=unprotect)

    # inside

    @property
    def _planner(self) -> Planner:
        return Planner(self.account, self.place, self.owner, self.patience)

    @property
    def _deployer(self) -> Deployer:
        return Deployer(self.account, self.place, self.patience)

    def _there(self) -> dict[str, Stack]:
        found = stacks_under(self.account, self.place.prefix)
        named = {each.name.removeprefix(f"{self.place.prefix}-"): each for each in found}
        return {layer: each for layer, each in named.items() if self._ours(layer, each)}

    def _ours(self, layer: str, stack: Stack) -> bool:
        """Whether a stack is of this place: `a-b` and `a-b-c` begin alike."""
        return layer in self.templates or stack.tags.get("environment") == self.place.environment

    def _settled(self, tell: Tell) -> dict[str, Stack]:
        settled = {k: self._deployer.settle(s, tell) for k, s in self._there().items()}
        return {layer: stack for layer, stack in settled.items() if stack is not None}

    def _values(
        self, template: Template, given: Given, there: Mapping[str, Stack], coming: set[str]
    ) -> Values:
        values = resolve(template, self.place, given, there)
        gone = [each for each in values.waits if each not in coming]
        if gone and not self.account.read_only:
            raise InfraInvalid(
                f"{self.place.stack(template.layer)}: takes outputs of what is not deployed yet:"
                f" {', '.join(gone)}",
                f"opsdeck infra deploy {' '.join([*gone, template.layer])}",
            )
        return values

    def _renewed(self, plan: StackPlan, given: Given, tell: Tell) -> StackPlan:
        """The plan as it holds now that the layers before it are done."""
        template = self.templates[plan.layer]
        there = self._there()
        stack = there.get(plan.layer)
        if stack is not None and stack.status in FAILED_FIRST:
            self._deployer.delete(stack, tell, creation_failed=True)
            stack = None
        values = resolve(template, self.place, given, there)
        if plan.change_set and list(values.request) == plan.request.get("parameters"):
            return plan
        if plan.kind == "none" and not _differs(values, stack):
            return plan
        self._planner.discard(plan)
        stack = find(self.account, plan.stack)
        renewed = self._planner.plan(template, values, stack)
        if _does_more(renewed, plan):
            self._planner.discard(renewed)
            raise PlanChanged(
                f"{plan.stack}: now that the layers before it are done, more would change"
                " than was shown; it was left as it is",
                f"see: opsdeck infra plan {plan.layer}",
            )
        return renewed

    def _protect(self, plan: StackPlan) -> None:
        stack = find(self.account, plan.stack)
        if stack is not None and stack.status in USABLE:
            self._deployer.protect(stack)

    def _retain(self, stack: Stack, tell: Tell) -> None:
        """Give everything in the stack that holds something a policy that keeps it."""
        body = self.account.call("cloudformation", "get_template", StackName=stack.name)[
            "TemplateBody"
        ]
        stamp = uuid.uuid4().hex[:12]
        text, kept = retaining(body, stamp)
        if not kept:
            return
        marker = newest_event(self.account, stack.id)
        self.account.call(
            "cloudformation",
            "update_stack",
            StackName=stack.name,
            TemplateBody=text,
            Parameters=[
                {"ParameterKey": name, "UsePreviousValue": True} for name in stack.parameters
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        end, events = follow(self.account, stack.id, marker, tell, self.patience)
        if end.status not in GOOD:
            raise failed(end, events)

    def _upload(self, given: Given, template: Template) -> None:
        """Put the files that a layer's parameters name where their keys say."""
        files = [path for name, path in given.files.items() if name in template.parameters]
        if not files:
            return
        layer, output = FILES_FROM
        there = self._there().get(layer)
        bucket = there.outputs.get(output) if there is not None else None
        if bucket is None:
            raise InfraInvalid(
                f"--file: {self.place.stack(layer)} is not deployed, whose bucket takes the files",
                f"opsdeck infra deploy {layer}",
            )
        for path in files:
            self.account.call(
                "s3", "put_object", Bucket=bucket, Key=key_of(path), Body=path.read_bytes()
            )


def _refuse_missing(template: Template, values: Values) -> None:
    if not values.missing:
        return
    name = values.missing[0]
    about = template.parameters[name].about
    raise InfraInvalid(
        f"{template.layer}: {', '.join(values.missing)} must be given"
        + (f" ({name}: {about.rstrip('.')})" if about else ""),
        f"add --parameters {name}=…",
    )


def _differs(values: Values, stack: Stack | None) -> bool:
    """Whether CloudFormation would get another value than the stack has."""
    had = stack.parameters if stack is not None else {}
    return any(had.get(name) != value for name, value in values.known.items())


def _does_more(now: StackPlan, then: StackPlan) -> bool:
    """Whether a plan touches something that was not shown to be touched in that way."""
    if then.kind in ("create", "recreate"):
        return not now.adds_only
    shown = {(each.name, each.action) for each in then.changes}
    return any((each.name, each.action) not in shown for each in now.changes)
