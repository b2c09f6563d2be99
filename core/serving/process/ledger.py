"""What a server process has in hand and has failed, in memory that its supervisor shares.

A server that hangs or has died cannot say what became of its requests; these two counters can.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from pathlib import Path

_BYTES = 16
_ESTABLISHED, _CLOSE_WAIT = "01", "08"


def shared_memory() -> int:
    """A descriptor of a few zero bytes that can be handed to another process."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("opsdeck-ledger")
    else:  # macOS
        with tempfile.TemporaryFile() as stream:
            descriptor = os.dup(stream.fileno())
    os.pwrite(descriptor, bytes(_BYTES), 0)
    return descriptor


class Ledger:
    """The two counters; one process writes them, on its event loop."""

    def __init__(self, descriptor: int = -1) -> None:
        """Over a descriptor of `shared_memory` (which may be closed then), or private."""
        self._counts = memoryview(mmap.mmap(descriptor, _BYTES)).cast("q")

    @property
    def in_flight(self) -> int:
        """Requests that have been read and not been answered."""
        return self._counts[0]

    @property
    def failed(self) -> int:
        """Requests that ended in a 5xx or without an answer, since the server started."""
        return self._counts[1]

    def enter(self) -> None:
        """A request begins."""
        self._counts[0] += 1

    def leave(self) -> None:
        """The answer of a request has been handed to the kernel, or nobody waits for it."""
        self._counts[0] -= 1

    def fail(self) -> None:
        """A request has failed."""
        self._counts[1] += 1


def unanswered(ledger: Ledger, port: int, pid: int) -> int:
    """The requests that are lost when a server on a local port, which hangs, is killed: in
    hand, or sent on a connection that it has accepted and not read.

    Connections that wait to be accepted lose nothing: they are the listening socket's. From
    Linux' `/proc`; where there is none, what is in hand.
    """
    try:
        lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
        own = _sockets(pid)
    except OSError:
        return ledger.in_flight
    with contextlib.suppress(OSError):  # a system without IPv6
        lines += Path("/proc/self/net/tcp6").read_text().splitlines()[1:]
    accepted = unread = 0
    for fields in (line.split() for line in lines):
        here, state, queues, inode = fields[1], fields[3], fields[4], fields[9]
        # A connection that nobody has accepted belongs to no process: its inode is 0.
        if inode not in own or int(here.rpartition(":")[2], 16) != port:
            continue
        if state in (_ESTABLISHED, _CLOSE_WAIT):
            accepted += 1
            unread += int(queues.rpartition(":")[2], 16) > 0
    # It may have stopped between an answer and the note of it, with the client's next request
    # sent already: a connection never has two.
    return min(ledger.in_flight + unread, accepted)


def _sockets(pid: int) -> set[str]:
    """The inodes of the sockets that a process holds. Raises OSError when it has gone."""
    found: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            target = str(entry.readlink())
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found
