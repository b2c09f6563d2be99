"""What went wrong, or what there is to read: errors, bugs, plain text."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from core.errors import OpsdeckError
from screens.dialogs.base import Dialog, facts, paragraph
from screens.widgets.lines import Line


class ErrorDialog(Dialog[None]):
    """An error that somebody can do something about: code, message, hint."""

    danger = True

    def __init__(self, title: str, error: OpsdeckError) -> None:
        super().__init__()
        self.heading = f"{title} · {error.code}"
        self.error = error

    def lines(self, width: int) -> Sequence[Line]:
        lines = [*paragraph(f"✗ {self.error.message}", width, "bad")]
        if self.error.hint:
            lines += [[], *facts([("what to do", self.error.hint)], width)]
        return lines


class BugDialog(Dialog[None]):
    """An error that nobody should ever see: it says so, and where its trace is."""

    danger = True

    def __init__(self, title: str, error: Exception, log: Path) -> None:
        super().__init__()
        self.heading = f"{title} · a bug in Opsdeck"
        self.error = error
        self.log_path = log

    def lines(self, width: int) -> Sequence[Line]:
        kind = type(self.error).__name__
        return [
            *paragraph(f"✗ {kind}: {self.error}", width, "bad"),
            [],
            *paragraph("This should not have happened; nothing you did is wrong.", width),
            [],
            *facts(
                [("trace", str(self.log_path)), ("what to do", "report it with that file")], width
            ),
        ]


class TextDialog(Dialog[None]):
    """Some lines to read."""

    def __init__(self, title: str, lines: Sequence[Line], *, width: int = 90) -> None:
        super().__init__()
        self.heading = title
        self._text = lines
        self.box_width = width

    def lines(self, width: int) -> Sequence[Line]:
        return self._text


def write_trace(path: Path, title: str, error: Exception, at: datetime) -> None:
    """Append an error's trace to the console's log; a log that takes none is no second fault."""
    trace = "".join(traceback.format_exception(error))
    with contextlib.suppress(OSError):  # a full disk: the error itself is told all the same
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{at.isoformat()} {title}\n{trace}\n")
