"""All keys of a screen, from the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from screens.actions import GLOBAL, Action, Context
from screens.dialogs.base import Choice, Dialog
from screens.moves import MOVES
from screens.registry import REGISTRY
from screens.widgets.lines import Line, Piece, fit
from screens.widgets.sheet import Sheet

LOG_KEYS = (
    ("f", "follow the end, or stop"),
    ("w", "wrap long lines, or stop"),
    ("/  n  N", "search, next match, match before"),
    ("← →", "sideways"),
)


def _rows(title: str, actions: Sequence[Action], context: Context) -> list[Line]:
    rows: list[Line] = [[(title, "title")]]
    for action in actions:
        off = action.blocked(context)
        rows.append(
            [
                (f"  {fit(action.keys, 9)}", "faint" if off else "key"),
                (fit(action.label, 16), "faint" if off else "text"),
                (action.help, "faint" if off else "dim"),
            ]
        )
        if off:
            rows.append([(" " * 11, "faint"), (f"↳ not now: {off}", "faint")])
    return [*rows, []]


Fitted = Callable[[Action], Action | None]


def help_lines(scope: str, context: Context, fitted: Fitted = lambda action: action) -> list[Line]:
    """The help of a screen: its own keys, where one can go, what holds everywhere.

    `fitted` names an action as the screen does, or says that there is none such in view.
    """
    own = [action for action in map(fitted, REGISTRY.of(scope)) if action is not None]
    lines: list[Line] = []
    if own:
        lines += _rows(f"This screen ({scope})", own, context)
    everywhere = [action for action in map(fitted, REGISTRY.of(GLOBAL)) if action is not None]
    general = [action for action in everywhere if not action.id.startswith("go.")]
    modes = [action for action in everywhere if action.id.startswith("go.")]
    if scope in ("run", "release", "awslog"):
        lines += [[("In the log", "title")]]
        lines += [[(f"  {fit(keys, 17)}", "key"), (what, "dim")] for keys, what in LOG_KEYS]
        lines.append([])
    if scope == "query":
        from screens.query.editor import EDITOR_KEYS

        lines += [[("In the editor", "title")]]
        lines += [[(f"  {fit(keys, 17)}", "key"), (what, "dim")] for keys, what in EDITOR_KEYS]
        lines.append([])
    lines += _rows("Everywhere", general, context)
    moving: list[Line] = [[("Moving", "title")]]
    for keys, what in MOVES:
        moving.append([(f"  {fit(keys, 17)}", "key"), (what, "dim")])
    lines += [*moving, []]
    lines += _rows("Modes", modes, context)
    return [*lines, *_commands(_AWS_COMMANDS if scope.startswith("aws") else _COMMANDS)]


_AWS_COMMANDS = (
    (":pulse :runs :models …", "go to a mode"),
    (":KIND [TEXT]", "go to a kind of resource, filtered"),
    (":KIND/ID", "open one resource"),
    (":context [NAME]", "look at another account or the workspace"),
    (":region NAME", "the same account in another region"),
    (":q", "quit"),
)
_COMMANDS = (
    (":pulse :data :query …", "go to a mode"),
    (":data NAME  :features NAME", "go to a dataset, a feature view"),
    (":lineage [KIND/]NAME[.COLUMN]", "where it is from, what it goes into"),
    (":12", "open run 12"),
    (":run NAME key=value …", "start a pipeline"),
    (":cancel :resume :rerun RUN", "act on a run"),
    (":approve :reject ID", "decide on a request"),
    (":deploy MODEL VERSION ENDPOINT", "deploy a version"),
    (":promote :hold :weight :abort ENDPOINT", "act on a release"),
    (":release :rollback ENDPOINT", "show a release, go back"),
    (":q  :context NAME", "quit; look at another account"),
)


def _commands(pieces: Sequence[tuple[str, str]]) -> list[Line]:
    rows: list[Line] = [[("Commands", "title")]]
    for command, what in pieces:
        row: list[Piece] = [(f"  {fit(command, 36)}", "key"), (what, "dim")]
        rows.append(row)
    return rows


class HelpScreen(Dialog[None]):
    """The help, scrolling where it is longer than the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,question_mark", "cancel", show=False)]
    box_width = 92
    focus_at = "#help"

    def __init__(
        self, scope: str, context: Context, fitted: Fitted = lambda action: action
    ) -> None:
        super().__init__()
        self._lines_to_show = help_lines(scope, context, fitted)

    def compose(self) -> ComposeResult:
        box = Vertical(id="box", classes="tall")
        box.border_title = "Keys"
        with box:
            yield Sheet(self._lines_to_show, id="help")
            with Horizontal(id="choices"):
                yield Choice("Close", "esc", id="cancel")
