"""Taking data in: batches of files and queries, intakes, crawlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.ingest import Ingest, IngestReport
from core.errors import BadInput
from core.reads import ingests as _reads
from core.session import Session

if TYPE_CHECKING:
    from core.ingest.options import ReadOptions

MODES = ("append", "overwrite", "upsert")
ON_ERROR = ("fail", "quarantine", "skip")


class IngestService:
    """What comes into the workspace's datasets. Thread-safe."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self,
        *,
        dataset: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        limit: int = 50,
    ) -> tuple[Ingest, ...]:
        """Batches, newest first."""
        return _reads.list_ingests(
            self._session.reader, dataset=dataset, state=state, kind=kind, limit=limit
        )

    def get(self, ref: str) -> Ingest:
        """A batch by its id or the beginning of it; raises `NotFound`."""
        return _reads.find_ingest(self._session.reader, ref)

    def ingest(
        self,
        dataset: str,
        froms: Sequence[str],
        *,
        query: str | None = None,
        password_env: str | None = None,
        format: str | None = None,
        mode: str = "append",
        keys: Sequence[str] = (),
        create: bool = False,
        evolve: bool = False,
        fill_missing: bool = False,
        again: bool = False,
        hive: bool = True,
        dry_run: bool = False,
        types: Iterable[str] = (),
        timestamps: Iterable[str] = (),
        rename: Iterable[str] = (),
        nulls: Iterable[str] = (),
        encoding: str = "utf-8",
        delimiter: str | None = None,
        on_error: str = "fail",
        message: str = "",
        run_id: str | None = None,
        base: Path | None = None,
        progress: Callable[[str], None] = lambda _text: None,
    ) -> IngestReport:
        """Take files (paths, folders, patterns, `s3://`), or a query's rows, into a dataset.

        Of the files only those that it does not hold yet, each once, in one commit. `base` is
        the folder that paths are relative to. Texts of columns (`types`, `timestamps`,
        `rename`) are `COLUMN=…`. Raises `BadInput`, `NotFound`, `SourceUnreadable`,
        `BadRows`, `SchemaDiffers`, `BatchQuarantined`, `DiskFull`, `Refused`, `ReadOnly`.
        """
        from core.ingest.batch import Batch
        from core.ingest.buckets import store_of
        from core.ingest.options import IngestOptions
        from core.ingest.sources import find, named
        from core.ingest.targets import check_target
        from core.lake import open_lake

        _check(mode, keys, on_error, froms)
        if not dry_run:
            self._session.refuse_when_read_only("data ingest")
        options = IngestOptions(
            read=read_options(types, timestamps, rename, nulls, encoding, delimiter, on_error),
            mode=mode,
            keys=tuple(keys),
            create=create,
            evolve=evolve,
            fill=fill_missing,
            again=again,
            dry_run=dry_run,
            message=message,
            run_id=run_id,
        )
        check_target(self._session, dataset)
        with open_lake(self._session) as lake:
            if query is not None or any(_is_database(text) for text in froms):
                return self._query(dataset, froms, query, password_env, options, lake, progress)
            sources = find(froms, store_of=store_of, format=format, base=base, hive=hive)
            batch = Batch(
                self._session, lake, dataset, options, source=named(froms, base), progress=progress
            )
            return batch.files(sources)

    def _query(
        self,
        dataset: str,
        froms: Sequence[str],
        query: str | None,
        password_env: str | None,
        options: object,
        lake: object,
        progress: Callable[[str], None],
    ) -> IngestReport:
        from core.ingest.batch import Batch
        from core.ingest.options import IngestOptions
        from core.ingest.sqlquery import SqlQuery, address_of, shown
        from core.lake.lake import Lake

        assert isinstance(options, IngestOptions)
        assert isinstance(lake, Lake)
        if query is None:
            raise BadInput("a database needs a query", "add --query 'SELECT …'")
        if len(froms) != 1:
            raise BadInput("--query needs one database", "for example: postgresql://USER@HOST/NAME")
        url = address_of(froms[0], password_env)
        batch = Batch(self._session, lake, dataset, options, source=shown(url), progress=progress)
        return batch.query(lambda folder: SqlQuery(url, query, folder))


def _check(mode: str, keys: Sequence[str], on_error: str, froms: Sequence[str]) -> None:
    if mode not in MODES:
        raise BadInput(f"mode {mode!r}: unknown", "one of: " + ", ".join(MODES))
    if on_error not in ON_ERROR:
        raise BadInput(f"on-error {on_error!r}: unknown", "one of: " + ", ".join(ON_ERROR))
    if (mode == "upsert") != bool(keys):
        raise BadInput("--mode upsert and --keys go together", "for example: --keys id")
    if not froms:
        raise BadInput("nothing to take in", "name files, a folder, a pattern or a database")


def _is_database(text: str) -> bool:
    scheme = text.partition("://")[0] if "://" in text else ""
    return scheme.split("+")[0] in ("postgresql", "sqlite", "mysql", "mariadb", "mssql", "oracle")


def read_options(
    types: Iterable[str] = (),
    timestamps: Iterable[str] = (),
    rename: Iterable[str] = (),
    nulls: Iterable[str] = (),
    encoding: str = "utf-8",
    delimiter: str | None = None,
    on_error: str = "fail",
) -> ReadOptions:
    """Options as people give them, checked; raises `BadInput`."""
    from core.ingest.csvfile import check_delimiter
    from core.ingest.options import ReadOptions
    from core.ingest.streams import check_encoding
    from core.ingest.times import check_format
    from core.ingest.words import types_of

    formats: dict[str, tuple[str, ...]] = {}
    for column, form in _pairs("--timestamp", timestamps, "'ts=%d/%m/%Y %H:%M'"):
        formats[column] = (*formats.get(column, ()), check_format(column, form))
    return ReadOptions(
        encoding=check_encoding(encoding),
        delimiter=None if delimiter is None else check_delimiter(delimiter),
        nulls=tuple(nulls),
        types=types_of(types),
        formats=formats,
        rename=_names(rename),
        on_error=on_error,
    )


def _names(rename: Iterable[str]) -> Mapping[str, str]:
    return dict(_pairs("--rename", rename, "temprature=temp"))


def _pairs(option: str, texts: Iterable[str], example: str) -> Iterable[tuple[str, str]]:
    for text in texts:
        left, equals, right = text.partition("=")
        if not (equals and left.strip() and right.strip()):
            raise BadInput(f"{option} {text!r}: not NAME=VALUE", f"for example: {option} {example}")
        yield left.strip(), right.strip()
