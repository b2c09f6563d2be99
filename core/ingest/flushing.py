"""From an intake's spool into the dataset: a segment, a batch, at most once."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from core.domain.ingest import BadRow, IngestState
from core.errors import NotFound, OpsdeckError
from core.ingest import rejects
from core.ingest.ledger import Ledger
from core.ingest.records import Problem, Record, Shape
from core.ingest.spool import Segment, Spool, frames_of
from core.reads.ingests import find_ingest
from core.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from core.lake.lake import Lake

log = logging.getLogger(__name__)

LONGEST_WAIT = 30.0  # seconds between attempts where the lake does not take a segment
TICK = 0.1
MOST_KEYS = 100_000


class Keys:
    """The keys of requests that were accepted, the newest; a request that is sent again because
    its answer was lost is known by its key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._lines = 0
        with contextlib.suppress(FileNotFoundError):
            for line in path.read_text(encoding="utf-8").splitlines():
                self._lines += 1
                self.add(line)

    def __contains__(self, key: str) -> bool:
        with self._lock:
            return key in self._keys

    def add(self, key: str) -> None:
        """Remember a key, in memory."""
        with self._lock:
            self._keys[key] = None
            if len(self._keys) > MOST_KEYS:
                self._keys.popitem(last=False)

    def keep(self, keys: Iterable[str]) -> None:
        """Put keys on the disk: their segment is about to go."""
        new = [key for key in keys if key]
        if not new:
            return
        if self._lines > 3 * MOST_KEYS:
            with self._lock:
                text = "".join(f"{key}\n" for key in self._keys)
            beside = self._path.with_suffix(".new")
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._path)
            self._lines = len(text.splitlines())
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write("".join(f"{key}\n" for key in new))
            stream.flush()
            os.fsync(stream.fileno())
        self._lines += len(new)


@dataclass(frozen=True)
class FlushPolicy:
    """When a segment is closed: at so many bytes, or when it is so many seconds old."""

    bytes: int = 16 << 20
    seconds: float = 10.0


class Flusher:
    """A thread that brings segments into one dataset, and tries again where it cannot."""

    def __init__(
        self,
        session: Session,
        name: str,
        dataset: str,
        spool: Spool,
        shape: Shape,
        keys: Keys,
        policy: FlushPolicy,
    ) -> None:
        self._session = session
        self._source = f"intake {name}"
        self._dataset = dataset
        self._spool = spool
        self._shape = shape
        self._keys = keys
        self._policy = policy
        self._ledger = Ledger(session, dataset)
        self._lake: Lake | None = None
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)
        self.flushed = 0
        self.last_error = ""
        self.last_flush: float | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> bool:
        """Flush all that there is and end; False where that did not succeed in so many
        seconds: what is left stays in the spool."""
        self._leave.set()
        self._thread.join(seconds)
        return not self._thread.is_alive() and not self._spool.count()

    def _run(self) -> None:
        wait = 0.0
        while True:
            leaving = self._leave.wait(wait or TICK)
            due = self._spool.age() >= self._policy.seconds
            if leaving or due or self._spool.size() >= self._policy.bytes:
                self._spool.seal()
            try:
                for segment in self._spool.ready():
                    self.flush(segment)
                wait, self.last_error = 0.0, self.last_error if not wait else ""
            except OpsdeckError as error:
                self.last_error = error.one_line()
                log.error("%s: %s", self._source, self.last_error)
                wait = min(LONGEST_WAIT, max(1.0, wait * 2))
            except Exception as error:  # the spool keeps all; it is tried again
                self.last_error = f"{type(error).__name__}: {error}"
                log.exception("%s: flushing failed", self._source)
                wait = min(LONGEST_WAIT, max(1.0, wait * 2))
            if leaving and (wait or not self._spool.count()):
                break
        if self._lake is not None:
            self._lake.close()

    def flush(self, segment: Segment) -> None:
        """Bring one segment into the dataset, unless it is in already."""
        frames = list(frames_of(segment.path))
        if self._begun(segment) is IngestState.OPEN:
            records = [
                orjson.loads(line) for frame in frames for line in frame.body.splitlines() if line
            ]
            self._commit(segment, records)
        self._keys.keep(frame.key for frame in frames)
        self._spool.remove(segment)

    def _begun(self, segment: Segment) -> IngestState:
        try:
            return IngestState(find_ingest(self._session.reader, segment.id).state)
        except NotFound:
            self._ledger.open("stream", self._source, [], batch_id=segment.id)
            return IngestState.OPEN

    def _commit(self, segment: Segment, records: list[Record]) -> None:
        from core.governance.access import open_access
        from core.lake import open_lake

        if self._lake is None:
            self._lake = open_lake(self._session)
        open_access(self._session).check_write(self._dataset)
        self._shape.follow(self._lake.schema(self._dataset))
        table, problems = self._shape.table(records)
        message = self._aside(segment, records, problems)
        snapshot_id: str | None = None
        held = self._held(segment, table) if table.num_rows else ""
        if table.num_rows and not held:
            snapshot = self._lake.append(
                self._dataset,
                table,
                by=self._session.actor,
                batch_id=segment.id,
                message=f"from {self._source}",
                evolve="add" if self._shape.evolve else "refuse",
            )
            snapshot_id = snapshot.id
        self._ledger.done(
            segment.id,
            rows=table.num_rows,
            snapshot_id=snapshot_id,
            state="quarantined" if held else "done",
            message=held or message,
        )
        self.flushed += table.num_rows
        self.last_flush = time.time()

    def _held(self, segment: Segment, table: pa.Table) -> str:
        """Why the dataset's expectations hold the segment back, if they do."""
        from core.quality.files import expectations_path

        if expectations_path(self._session.workspace.root, self._dataset) is None:
            return ""
        from core.quality.gate import gate

        verdict = gate(
            self._session,
            self._dataset,
            table,
            batch_id=segment.id,
            by=self._session.actor,
            message=f"from {self._source}",
            evolve="add" if self._shape.evolve else "refuse",
            lake=self._lake,
        )
        return "" if verdict.passed else verdict.message

    def _aside(self, segment: Segment, records: list[Record], problems: list[Problem]) -> str:
        """Keep records that fitted when they came and do not any more."""
        if not problems:
            return ""
        rows = [
            BadRow(
                self._source, one.record, one.reason, orjson.dumps(records[one.record - 1]).decode()
            )
            for one in problems
        ]
        path = rejects.keep(self._session, self._dataset, segment.id, rows)
        return f"{len({one.record for one in problems}):,} records left out: {path.name}"
