"""Crawlers: tables found in folders and buckets, and what is proposed for their datasets."""

from __future__ import annotations

from pathlib import Path

from core.domain.ingest import Crawl, CrawlState, IngestReport
from core.errors import BadInput
from core.reads import ingests as _reads
from core.session import Session


class CrawlsService:
    """What crawlers found. Looking keeps its findings; only accepting changes a dataset."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self, *, state: str | None = "proposed", dataset: str | None = None, limit: int = 50
    ) -> tuple[Crawl, ...]:
        """Findings, newest first; `state` None means all."""
        return _reads.list_crawls(self._session.reader, state=state, dataset=dataset, limit=limit)

    def get(self, ref: str) -> Crawl:
        """A finding by its id or the beginning of it; raises `NotFound`."""
        return _reads.find_crawl(self._session.reader, ref)

    def crawl(
        self, root: str, *, name: str | None = None, base: Path | None = None
    ) -> tuple[Crawl, ...]:
        """Look at a folder or an `s3://` prefix. Raises `SourceUnreadable`, `BadInput`."""
        from core.ingest.buckets import store_of
        from core.ingest.crawling import Crawler, known_name
        from core.ingest.sources import find, named
        from core.lake import open_lake

        self._session.refuse_when_read_only("data crawl")
        if name is not None:
            known_name(name)
        sources = find([root], store_of=store_of, base=base)
        with open_lake(self._session) as lake:
            found = Crawler(self._session, lake).look(named([root], base), sources, name)
        return tuple(one.crawl for one in found)

    def accept(self, ref: str, *, breaking: bool = False) -> Crawl:
        """Make or change the dataset as proposed. Raises `BreakingChange` where that would
        break readers and `breaking` does not say that it is meant; `WrongState`, `Refused`."""
        from core.ingest.crawling import accept
        from core.lake import open_lake

        self._session.refuse_when_read_only("data crawl accept")
        with open_lake(self._session) as lake:
            return accept(self._session, lake, ref, breaking=breaking)

    def reject(self, ref: str) -> Crawl:
        """Leave the dataset as it is; the same is not proposed again. Raises `WrongState`."""
        from core.ingest.crawling import reject

        self._session.refuse_when_read_only("data crawl reject")
        return reject(self._session, ref)

    def ingest(self, ref: str) -> IngestReport:
        """Take the files of a finding into its dataset: new ones, each once. Raises
        `BadInput` where the proposal was not accepted, and what an ingest raises."""
        from core.ingest.batch import Batch
        from core.ingest.buckets import store_of
        from core.ingest.options import IngestOptions
        from core.ingest.sources import find
        from core.ingest.tables import find_tables
        from core.ingest.targets import check_target
        from core.lake import open_lake

        self._session.refuse_when_read_only(f"data crawl ingest {ref}")
        crawl = self.get(ref)
        if crawl.state not in (CrawlState.ACCEPTED, CrawlState.UNCHANGED):
            raise BadInput(
                f"crawl {crawl.id} is {crawl.state}", f"first: opsdeck data crawl accept {crawl.id}"
            )
        self._session.refuse_when_read_only("data crawl --ingest")
        check_target(self._session, crawl.dataset)
        sources = find([crawl.root], store_of=store_of)
        place = (crawl.found["folder"], crawl.found["format"])
        names = {column["name"] for column in crawl.found["columns"]}
        tables = [
            table
            for table in find_tables(sources, crawl.root)
            if (table.folder, table.format) == place and set(table.columns) <= names
        ]
        files = [source for table in tables for source in table.files]
        with open_lake(self._session) as lake:
            options = IngestOptions(evolve=True, fill=True)
            batch = Batch(self._session, lake, crawl.dataset, options, source=crawl.root)
            return batch.files(files)
