"""What can be done in the console: one list that feeds keys, footer, help and palette."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.domain.alert import Alert
    from core.domain.dataset import Dataset, Snapshot
    from core.domain.features import FeatureView
    from core.domain.gate import Approval
    from core.domain.journal import JournalEntry
    from core.domain.model import ModelVersion
    from core.domain.monitor import Monitor
    from core.domain.quality import QuarantinedBatch
    from core.domain.release import Endpoint
    from core.domain.run import Run, StepRun

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Context:
    """What an action looks at: the session and what is selected on the screen.

    `ref` is what a screen of its own stands for where none of the records does; `busy` what is
    being computed for it.
    """

    read_only: bool = False
    environment: str = ""
    actor: str = ""
    run: Run | None = None
    step: StepRun | None = None
    approval: Approval | None = None
    version: ModelVersion | None = None
    endpoint: Endpoint | None = None
    entry: JournalEntry | None = None
    alert: Alert | None = None
    dataset: Dataset | None = None
    snapshot: Snapshot | None = None
    batch: QuarantinedBatch | None = None
    features: FeatureView | None = None
    monitor: Monitor | None = None
    ref: str = ""
    busy: str = ""


def _always(_context: Context) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done.

    `key` is Textual's name of the key (several by comma); `shown` how people write it.
    `scope` is the screen it belongs to, or `global`. `changes`: it changes the state, so
    it is gone in a read-only session. `dangerous`: it asks first, in red. `enabled` tells
    why it can't be done now, or `None` where it can. `command` is the equivalent command
    line, a template over `Context` and what the handler adds. Actions with the lowest
    `rank` come first in the footer; those without a rank are in the help only.
    """

    id: str
    key: str
    label: str
    scope: str
    help: str
    group: str = "general"
    changes: bool = False
    dangerous: bool = False
    shown: str = ""
    command: str = ""
    enabled: Callable[[Context], str | None] = field(default=_always)
    rank: int | None = None

    def blocked(self, context: Context) -> str | None:
        """Why this can't be done now; `None` where it can."""
        if self.changes and context.read_only:
            return f"{self.label}: this session is read-only"
        return self.enabled(context)

    def command_line(self, context: Context, **more: Any) -> str:
        """The command that does the same; what is not known yet is written `…`."""
        values = _Values(
            run=context.run,
            step=context.step,
            approval=context.approval,
            version=context.version,
            endpoint=context.endpoint,
            entry=context.entry,
            alert=context.alert,
            dataset=context.dataset,
            snapshot=context.snapshot,
            batch=context.batch,
            features=context.features,
            monitor=context.monitor,
            ref=context.ref,
            **more,
        )
        return self.command.format_map(values) if self.command else ""

    @property
    def keys(self) -> str:
        """The key as people write it."""
        return self.shown or self.key.split(",")[0]


class _Values(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


class Registry:
    """All actions; ids are unique, and keys within a scope and against the global ones."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._actions: dict[str, Action] = {}
        taken: dict[tuple[str, str], str] = {}
        for action in actions:
            if action.id in self._actions:
                raise ValueError(f"two actions are called {action.id}")
            for key in filter(None, action.key.split(",")):
                other = taken.get((action.scope, key)) or taken.get((GLOBAL, key))
                if other:
                    raise ValueError(f"{action.id} and {other} have the same key {key}")
                taken[action.scope, key] = action.id
            self._actions[action.id] = action

    def __getitem__(self, action_id: str) -> Action:
        return self._actions[action_id]

    def __iter__(self) -> Iterator[Action]:
        return iter(self._actions.values())

    def of(self, scope: str) -> list[Action]:
        """The actions of one scope."""
        return [action for action in self if action.scope == scope]

    def footer(self, scope: str, read_only: bool, first: Sequence[str] = ()) -> list[Action]:
        """What the footer shows on a screen, best first; changes are stripped if read-only.

        `first` are ids that come before the others, whether they have a rank or not.
        """
        shown = [
            action
            for action in self
            if action.scope in (scope, GLOBAL)
            and (action.rank is not None or action.id in first)
            and not (read_only and action.changes)
        ]
        places = {id_: place - len(first) for place, id_ in enumerate(first)}
        return sorted(
            shown,
            key=lambda action: (action.scope == GLOBAL, places.get(action.id, action.rank or 0)),
        )
