"""What can be typed after `:`, how it is completed and what it does."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.errors import BadInput
from screens import changes
from screens.background import Change
from screens.deck import Deck
from screens.registry import MODES
from screens.rollouts import changes as releasechanges
from screens.switching import choose_context, context_names

if TYPE_CHECKING:
    from core.domain.model import ModelVersion
    from core.ops import Ops


@dataclass(frozen=True, slots=True)
class Names:
    """What arguments can be, for completion; read off the event loop."""

    pipelines: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name and its parameters
    endpoints: tuple[str, ...] = ()
    models: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name and its versions, aliases
    runs: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    monitors: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()


def read_names(ops: Ops) -> Names:
    """The names that commands take now."""
    pipelines = []
    for file in ops.pipelines.list():
        spec = None if file.problems else ops.pipelines.show(file.name)
        pipelines.append((file.name, tuple(p.name for p in spec.params) if spec else ()))
    return Names(
        pipelines=tuple(pipelines),
        endpoints=tuple(endpoint.name for endpoint in ops.endpoints.list()),
        models=tuple(
            (model.name, (*model.aliases, *map(str, range(model.latest, 0, -1))))
            for model in ops.models.list()
        ),
        runs=tuple(str(run.number) for run in ops.runs.list(limit=30)),
        approvals=tuple(approval.id for approval in ops.approvals.list()),
        datasets=tuple(dataset.name for dataset in ops.data.list()),
        features=tuple(view.spec.name for view in ops.features.list()),
        monitors=tuple(monitor.name for monitor in ops.monitors.list()),
        alerts=tuple(alert.id for alert in ops.alerts.list(state="active")),
        contexts=tuple(context_names()),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its words, what it takes, what it does."""

    name: str
    usage: str
    least: int
    kind: str
    do: Callable[[Deck, list[str]], None]
    changes: bool = True


def _with(read: Callable[[Ops, str], Any], act: Callable[[Deck, Any], None]) -> Any:
    """A command that first reads what it is about, off the event loop."""

    def do(deck: Deck, args: list[str]) -> None:
        def found(thing: Any) -> str:
            act(deck, thing)
            return ""

        deck.change(
            Change(
                group="command",
                title=f"look up {args[0]}",
                call=lambda ops: read(ops, args[0]),
                then=found,
            )
        )

    return do


def _run(deck: Deck, args: list[str]) -> None:
    params: dict[str, str] = {}
    for arg in args[1:]:
        key, equals, value = arg.partition("=")
        if not equals or not key:
            raise BadInput(f"{arg}: a parameter is written key=value", "run NAME key=value …")
        params[key] = value
    changes.start_run(deck, args[0], params)


def _deploy(deck: Deck, args: list[str]) -> None:
    model, version, endpoint = args[0], args[1].removeprefix("v"), args[2]

    def look_up(ops: Ops) -> tuple[ModelVersion, str]:
        known = {found.name: found.environment for found in ops.endpoints.list()}
        return ops.models.get(model, version), known.get(endpoint, "production")

    def found(thing: tuple[ModelVersion, str]) -> str:
        releasechanges.deploy(deck, thing[0], endpoint, thing[1])
        return ""

    deck.change(Change("command", f"look up {model} {version}", look_up, found))


def _rollback(deck: Deck, args: list[str]) -> None:
    from screens.dialogs.rollback import RollbackSheet

    command = f"opsdeck endpoints rollback {args[0]} --yes"
    to_version = None
    if len(args) > 1:
        digits = args[1].removeprefix("v")
        if not digits.isdigit():
            raise BadInput(f"{args[1]}: not a version", "rollback ENDPOINT [VERSION]")
        to_version = int(digits)
        command += f" --to {to_version}"
    deck.push_screen(RollbackSheet(args[0], command, to_version))


def _release(deck: Deck, args: list[str]) -> None:
    from screens.rollouts.screen import ReleaseScreen

    deck.push_screen(ReleaseScreen(args[0]))


def _lineage(deck: Deck, args: list[str]) -> None:
    from screens.lineage.screen import LineageScreen

    deck.push_screen(LineageScreen(args[0]))


def _labels(deck: Deck, args: list[str]) -> None:
    from screens.labels.screen import LabelsScreen

    deck.push_screen(LabelsScreen(args[0]))


NAMED = {
    "data": "datasets", "features": "features", "monitors": "monitors", "alerts": "alerts",
}  # fmt: skip
"""Modes that take the name of what to select: `:data rentals`."""

COMMANDS = (
    Command("run", "run NAME key=value …", 1, "pipelines", _run),
    Command(
        "cancel", "cancel RUN", 1, "runs",
        _with(lambda ops, ref: ops.runs.get(ref).run, changes.cancel_run),
    ),
    Command(
        "resume", "resume RUN", 1, "runs",
        _with(lambda ops, ref: ops.runs.get(ref).run, changes.resume_run),
    ),
    Command(
        "rerun", "rerun RUN", 1, "runs",
        _with(lambda ops, ref: ops.runs.get(ref).run, changes.rerun),
    ),
    Command("open", "open RUN", 1, "runs", lambda deck, args: deck.open_run(args[0]), False),
    Command(
        "approve", "approve ID", 1, "approvals",
        _with(
            lambda ops, ref: ops.approvals.get(ref),
            lambda deck, found: changes.decide(deck, found, approve=True),
        ),
    ),
    Command(
        "reject", "reject ID", 1, "approvals",
        _with(
            lambda ops, ref: ops.approvals.get(ref),
            lambda deck, found: changes.decide(deck, found, approve=False),
        ),
    ),
    Command("deploy", "deploy MODEL VERSION ENDPOINT", 3, "models", _deploy),
    Command(
        "promote", "promote ENDPOINT", 1, "endpoints",
        _with(
            lambda ops, name: ops.endpoints.get(name),
            lambda deck, found: releasechanges.promote(deck, found, full=False),
        ),
    ),
    Command(
        "hold", "hold ENDPOINT", 1, "endpoints",
        _with(lambda ops, name: ops.endpoints.get(name), releasechanges.hold),
    ),
    Command(
        "weight", "weight ENDPOINT", 1, "endpoints",
        _with(lambda ops, name: ops.endpoints.get(name), releasechanges.weight),
    ),
    Command(
        "abort", "abort ENDPOINT", 1, "endpoints",
        _with(lambda ops, name: ops.endpoints.get(name), releasechanges.abort),
    ),
    Command("release", "release ENDPOINT", 1, "endpoints", _release, False),
    Command("labels", "labels ENDPOINT", 1, "endpoints", _labels, False),
    Command("lineage", "lineage [KIND/]NAME[.COLUMN]", 1, "datasets", _lineage, False),
    Command("rollback", "rollback ENDPOINT [VERSION]", 1, "endpoints", _rollback),
    Command(
        "context", "context [NAME]", 0, "contexts",
        lambda deck, args: choose_context(deck, args[0] if args else ""), False,
    ),
    Command("help", "help", 0, "", lambda deck, _args: deck.perform("help"), False),
    Command("q", "q", 0, "", lambda deck, _args: deck.leave(), False),
    Command("quit", "quit", 0, "", lambda deck, _args: deck.leave(), False),
)  # fmt: skip

_BY_NAME = {command.name: command for command in COMMANDS}


def run_command(deck: Deck, text: str) -> None:
    """Do what was typed; raises `BadInput` for what is no command."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"{text}: {error}", "close the quotes") from error
    if not words:
        return
    name, args = words[0], words[1:]
    if name.removeprefix("#").isdigit():
        deck.open_run(name.removeprefix("#"))
        return
    modes = [mode for mode in MODES if mode.startswith(name)]
    if name in MODES or (name not in _BY_NAME and len(modes) == 1 and len(name) > 1):
        mode = name if name in MODES else modes[0]
        deck.go(mode, args[0] if args and mode in NAMED else "")
        return
    command = _BY_NAME.get(name)
    if command is None:
        import difflib

        close = difflib.get_close_matches(name, [*MODES, *_BY_NAME], n=1)
        hint = f"did you mean :{close[0]}?" if close else "tab shows what there is; ? helps"
        raise BadInput(f":{name} is no command", hint)
    if len(args) < command.least:
        raise BadInput(f":{name} needs more", f"write: {command.usage}")
    if command.changes and deck.context.read_only:
        raise BadInput(f":{name}: this session is read-only", "start again without --read-only")
    command.do(deck, args)


def complete(names: Names, text: str, *, read_only: bool = False) -> list[str]:
    """Words that may stand in place of the last word of `text`."""
    words = text.split(" ")
    stem = words[-1]
    if len(words) == 1:
        usable = [c.name for c in COMMANDS if not (read_only and c.changes)]
        return [word for word in (*MODES, *usable) if word.startswith(stem)]
    if words[0] in NAMED and len(words) == 2:
        known: Sequence[str] = getattr(names, NAMED[words[0]])
        return [name for name in known if name.startswith(stem)]
    command = _BY_NAME.get(words[0])
    if command is None:
        return []
    options: Sequence[str] = ()
    place = len(words) - 1
    if command.kind == "pipelines":
        params = dict(names.pipelines)
        given = {word.partition("=")[0] for word in words[2:-1]}
        options = (
            [name for name, _ in names.pipelines]
            if place == 1
            else [f"{key}=" for key in params.get(words[1], ()) if key not in given]
        )
    elif command.kind == "models":
        versions = dict(names.models)
        options = (
            [name for name, _ in names.models],
            versions.get(words[1], ()) if place > 1 else (),
            names.endpoints,
        )[min(place - 1, 2)]
    elif place == 1:
        options = getattr(names, command.kind, ())
    return [option for option in options if option.startswith(stem)]


def usage_of(text: str) -> str:
    """How the command being typed is written."""
    command = _BY_NAME.get(text.split(" ")[0])
    return command.usage if command else ""
