"""What a resource printed, read on as it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import Widget

from core.aws.kind import Item, Kind
from core.aws.logs import LogLine, LogSource, read_logs
from core.domain.run import LogLine as Shown
from core.errors import BadInput, OpsdeckError
from screens.aws import words
from screens.aws.kindbar import KindBar
from screens.aws.offered import name_of
from screens.background import Ask
from screens.base import ModeScreen
from screens.widgets.logview import LogView
from screens.widgets.page import Page

if TYPE_CHECKING:
    from core.aws.account import Account

BUDGET_SECONDS = 0.3
EVERY = 2.0


@dataclass(frozen=True, slots=True)
class News:
    """Lines since the last reading; `behind`: there are more already."""

    lines: tuple[LogLine, ...]
    behind: bool
    source: LogSource | None
    error: OpsdeckError | None


class LogReader:
    """Reads on from where it was, a moment's worth at a time. Used by the polling thread."""

    def __init__(self, kind: Kind, id_: str) -> None:
        self._kind = kind
        self._id = id_
        self._source: LogSource | None = None
        self._since: float | None = None
        self._seen: set[str] = set()
        self._going: Iterator[LogLine] | None = None

    def __call__(self, account: Account) -> News:
        """The next lines."""
        found: list[LogLine] = []
        behind = False
        try:
            if self._source is None:
                if self._kind.logs is None:
                    raise BadInput(f"{self._kind.title}: these have no logs")
                self._source = self._kind.logs(account, self._id)
            if self._going is None:
                since = self._source.since if self._since is None else self._since
                self._going = read_logs(account, self._source, since=since)
            end = time.monotonic() + BUDGET_SECONDS
            for line in self._going:
                if self._new(line):
                    found.append(line)
                if time.monotonic() > end:
                    behind = True
                    break
            else:
                self._going = None
        except OpsdeckError as error:
            self._going = None
            return News(tuple(found), False, self._source, error)
        return News(tuple(found), behind, self._source, None)

    def _new(self, line: LogLine) -> bool:
        if line.id in self._seen:
            return False
        if self._since is None or line.at > self._since:
            self._since, self._seen = line.at, set()
        self._seen.add(line.id)
        return True


class LogScreen(ModeScreen):
    """The log of a resource: follow, wrap, search."""

    scope = "awslog"
    CSS = "LogScreen #log { height: 1fr; }"

    def __init__(self, kind: Kind, item: Item) -> None:
        super().__init__()
        self._item = item
        self._kind = kind
        self._reader = LogReader(kind, item.id)
        self._ask = Ask(self, self._reader, live=True, every=EVERY)
        self._news = News((), False, None, None)

    @property
    def trouble(self) -> str:
        return self._news.error.code if self._news.error is not None else ""

    @property
    def log_view(self) -> LogView:
        """The log."""
        return self.query_one("#log", LogView)

    def body(self) -> ComposeResult:
        name = name_of(self._item)
        yield KindBar(["logs"], (self._kind.title, name), id="bar")
        yield Page(lambda _width: [], id="notice")
        yield LogView(id="log")

    def first_focus(self) -> Widget | None:
        return self.log_view

    def ask(self) -> Ask:
        return self._ask

    def show(self, data: News) -> None:
        self._news = data
        self.log_view.add(_shown(line) for line in data.lines)
        error = data.error
        self.query_one("#notice", Page).put(
            lambda width: words.error_lines(error, width) if error is not None else []
        )
        if data.behind:
            self.deck.poke()

    def refilter(self) -> None:
        self.log_view.search(self.filter_text)

    def copyable(self) -> str:
        source = self._news.source
        return source.group if source is not None else self._item.id

    def on_log_view_changed(self, _event: LogView.Changed) -> None:
        self.foot()

    def status(self) -> Sequence[tuple[str, str]]:
        log, source = self.log_view, self._news.source
        line = [("follows  " if log.follow else "stands still, f follows  ", "faint")]
        line.append((f"{len(log):,} lines  ", "faint"))
        if self.filter_text:
            line.append((f"/{self.filter_text}  {log.matches} matches  ", "warn"))
        if source is not None:
            line.append((f"{source.group} {source.prefix}", "faint"))
        return line


def _shown(line: LogLine) -> Shown:
    stream = line.stream.rpartition("/")[2] or line.stream
    return Shown(at=line.at, stream="out", text=line.text, step=stream)
