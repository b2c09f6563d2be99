"""What every service shares: the workspace, the reader, the store and who is acting."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import ReadOnly
from core.state.reading import Reader, open_reader
from core.workspace import Workspace

if TYPE_CHECKING:
    from core.state.store import Store, Transaction


class Session:
    """One person's (or program's) opening of a workspace. Thread-safe."""

    def __init__(self, workspace: Workspace, actor: str, read_only: bool) -> None:
        self.workspace = workspace
        self.actor = actor
        self.read_only = read_only
        self.reader: Reader = open_reader(workspace.database_url)
        self._store: Store | None = None
        self._lock = threading.Lock()

    def refuse_when_read_only(self, what: str) -> None:
        """Raise `ReadOnly` where this session may change nothing."""
        if self.read_only:
            raise ReadOnly(f"{what}: this session is read-only", "start again without --read-only")

    def store(self) -> Store:
        """The store for changes, its schema brought up to date; loads SQLAlchemy."""
        with self._lock:
            if self._store is None:
                from core.state.store import Store

                store = Store(self.workspace.database_url)
                store.migrate()
                self._store = store
            return self._store

    @contextmanager
    def change(self, what: str) -> Iterator[Transaction]:
        """A transaction in this actor's name; raises `ReadOnly`."""
        self.refuse_when_read_only(what)
        with self.store().transaction(self.actor) as tx:
            yield tx

    def close(self) -> None:
        """Close every connection."""
        self.reader.close()
        if self._store is not None:
            self._store.close()


def default_actor(workspace: Workspace) -> str:
    """Who acts unless said otherwise: OPSDECK_ACTOR, `me` of opsdeck.yaml, the system's user."""
    named = os.environ.get("OPSDECK_ACTOR") or workspace.me
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"uid-{os.getuid()}"
