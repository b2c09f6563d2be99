"""What is expected of datasets, whether it holds, and the batches that were held back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.pipeline import Problem
from core.domain.quality import (
    CheckResult,
    CheckStatus,
    Expectations,
    HoldPreview,
    QuarantinedBatch,
    QuarantinedRow,
    Validation,
)
from core.errors import BadInput, NotAllowed, WrongState
from core.lake.names import check_name
from core.quality.files import FOLDER, expectations_path, load_expectations, read_expectations
from core.reads import quality as _reads
from core.reads.datasets import find_dataset
from core.services.users import users_of
from core.session import Session

if TYPE_CHECKING:
    from core.governance.access import Access

SAMPLED = 20_000
"""Rows that are looked at for columns which are the sum of others."""


class QualityService:
    """Expectations, validations and quarantine. Values of rows are shown as the actor may see
    the dataset's."""

    def __init__(self, session: Session) -> None:
        self._session = session

    # -- expectations

    def expectations(self, name: str) -> Expectations:
        """What the dataset's file expects; raises `NoExpectations`, `ExpectationsInvalid`."""
        check_name(name)
        return load_expectations(self._session.workspace.root, name)

    def lint(self, name: str, file: Path | None = None) -> tuple[Problem, ...]:
        """Everything that is wrong with a file of expectations; raises `NoExpectations`."""
        check_name(name)
        root = self._session.workspace.root
        path = file or expectations_path(root, name)
        if path is None or not path.is_file():
            load_expectations(root, name, file)  # raises, saying where it looked
            raise AssertionError(name)
        return read_expectations(root, path, name)[1]

    def suggest(
        self, name: str, at: str | None = None, *, force: bool = False, write: bool = True
    ) -> tuple[Path, str]:
        """A file of expectations from a snapshot's profile: where it is, and its text.

        Raises `BadInput` where the dataset has one that was not `force`d.
        """
        from core.explore.card import write_text
        from core.quality.suggesting import suggested_file
        from core.services.explore import ExploreService

        check_name(name)
        root = self._session.workspace.root
        known = expectations_path(root, name)
        path = known or root / FOLDER / f"{name}.yaml"
        if write and known is not None and not force:
            raise BadInput(f"{path}: exists already", "add --force, or --print to see it only")
        if write:
            self._session.refuse_when_read_only("data suggest")
        profile = ExploreService(self._session).profile(name, at)
        text = suggested_file(profile, self._sums(name, at))
        if write:
            write_text(path, text, force)
        return path, text

    def _sums(self, name: str, at: str | None) -> tuple[str, ...]:
        import polars as pl

        from core.quality._sums import sums
        from core.services.explore import ExploreService

        sample = ExploreService(self._session).sample(name, SAMPLED, at=at)
        if sample.hidden or not sample.rows:
            return ()
        return sums(pl.DataFrame(list(sample.rows), infer_schema_length=None))

    def export_constraints(
        self, name: str, folder: Path, at: str | None = None, *, force: bool = False
    ) -> tuple[Path, Path]:
        """Write `statistics.json` and `constraints.json` as Model Monitor reads them; the paths
        of both. They tell values: raises `NotAllowed` for whoever does not see all of it."""
        from core.explore.card import write_text
        from core.quality.modelmonitor import constraints, statistics
        from core.services.explore import ExploreService

        check_name(name)
        root = self._session.workspace.root
        expected = None
        if expectations_path(root, name) is not None:
            expected = load_expectations(root, name)
        profile = ExploreService(self._session).profile(name, at)
        if profile.restricted:
            raise NotAllowed(
                f"dataset {name}: a baseline needs all of its values",
                "ask its owner to export it",
            )
        written = []
        for file, body in (
            ("statistics.json", statistics(profile)),
            ("constraints.json", constraints(profile, expected)),
        ):
            write_text(folder / file, json.dumps(body, indent=2) + "\n", force)
            written.append(folder / file)
        return written[0], written[1]

    # -- validations

    def validate(
        self,
        name: str,
        at: str | None = None,
        *,
        file: Path | None = None,
        run_id: str | None = None,
    ) -> Validation:
        """Ask a snapshot for what is expected of it; see `core.quality.validating`."""
        check_name(name)
        find_dataset(self._session.reader, name)
        load_expectations(self._session.workspace.root, name, file)  # before anything is loaded
        from core.quality.validating import validate_dataset

        return self._as_seen(validate_dataset(self._session, name, at=at, file=file, run_id=run_id))

    def validations(self, name: str | None = None, limit: int = 50) -> tuple[Validation, ...]:
        """What came of validations, newest first; examples as the actor may see them."""
        found = _reads.list_validations(self._session.reader, dataset=name, limit=limit)
        return tuple(self._as_seen(each) for each in found)

    def validation(self, ref: str) -> Validation:
        """One validation by its id or the beginning of it."""
        return self._as_seen(_reads.find_validation(self._session.reader, ref))

    def _as_seen(self, found: Validation) -> Validation:
        """Without values of columns that the actor sees masked, or not at all."""
        hidden = self._hidden(found.dataset)
        if not hidden:
            return found
        return replace(found, results=tuple(_silenced(each, hidden) for each in found.results))

    def _hidden(self, dataset: str) -> frozenset[str] | None:
        """Columns whose values the actor may not see; None where nothing is hidden."""
        from core.explore.rights import sees_all_surely, what_is_seen
        from core.governance.access import open_access
        from core.governance.errors import Refused

        access = open_access(self._session)
        if sees_all_surely(access, dataset):
            return None
        columns = frozenset(
            each.name for each in find_dataset(self._session.reader, dataset).columns
        )
        try:
            seen = what_is_seen(access, dataset)
        except Refused:
            return columns
        return columns if seen.rows else frozenset(seen.hidden) or None

    # -- quarantine

    def quarantined(
        self, name: str | None = None, *, all_: bool = False, limit: int = 100
    ) -> tuple[QuarantinedBatch, ...]:
        """Batches that wait (with `all_` also those that don't), newest first."""
        return _reads.list_quarantine(self._session.reader, dataset=name, all_=all_, limit=limit)

    def held(self, ref: str) -> QuarantinedBatch:
        """A batch by its id or the beginning of it; raises `NotFound`, `BadInput`."""
        return _reads.find_quarantined(self._session.reader, ref)

    def held_rows(
        self, ref: str, *, only_bad: bool = True, limit: int = 20
    ) -> tuple[QuarantinedRow, ...]:
        """Its rows with their reasons, as the actor may see the dataset's; raises `Refused`."""
        from core.quality.quarantining import shown_rows

        return shown_rows(self._session, self.held(ref), only_bad=only_bad, limit=limit)

    def export_held(self, ref: str, path: Path, *, all_: bool = False) -> int:
        """Write its bad rows (or all) to a CSV file to be mended; how many they are.

        Raises `Refused`, and `NotAllowed` for whoever does not see all of them as they are.
        """
        from core.quality.quarantining import held_rows
        from core.quality.repair import to_csv, write_csv

        batch = self.held(ref)
        self._check_whole(batch)
        text, count = to_csv(held_rows(self._session, batch), all_=all_)
        write_csv(path, text)
        return count

    def repair(self, ref: str, path: Path) -> tuple[QuarantinedBatch, int, int]:
        """Take a mended CSV file back: the batch as it is now, rows changed and dropped.

        Raises `RepairInvalid` with the line of the file, `Refused`, `WrongState`.
        """
        from core.lake import open_lake
        from core.quality.quarantining import held_rows, put_back
        from core.quality.repair import mended

        self._session.refuse_when_read_only("data quarantine repair")
        batch = self.held(ref)
        self._check_whole(batch)
        self._access().check_write(batch.dataset)
        table, changed, dropped = mended(held_rows(self._session, batch), path)
        with open_lake(self._session) as lake:
            return put_back(self._session, batch, table, lake), changed, dropped

    def preview_hold(self, name: str, where: str) -> HoldPreview:
        """What `hold` would do, and who uses the dataset. Raises `ConditionInvalid`,
        `BadInput`, `Refused`, and `NotAllowed` for whoever does not see all of it."""
        from core.lake import open_lake
        from core.quality.holding import preview

        self._check_holder(name)
        with open_lake(self._session) as lake:
            found = preview(self._session, lake, name, where)
        return replace(found, users=users_of(self._session, name))

    def hold(self, name: str, where: str, reason: str) -> QuarantinedBatch:
        """Take the rows that meet a condition out of a dataset's newest version, into
        quarantine; a replay puts them back, once. Raises as `preview_hold` does, `BadInput`
        without a reason, and what a commit raises."""
        from core.lake import open_lake
        from core.quality.holding import hold, settle

        self._session.refuse_when_read_only("data quarantine hold")
        if not reason.strip():
            raise BadInput("data quarantine hold: no reason", 'say why: --reason "…"')
        self._check_holder(name)
        with open_lake(self._session) as lake:
            settle(self._session, lake, name)
            return hold(self._session, lake, name, where.strip(), reason.strip())

    def settle_holds(self, name: str) -> int:
        """Put on record what was taken out of a dataset by somebody who died before saying so;
        how many batches that were. The worker does it by itself."""
        from core.lake import open_lake
        from core.quality.holding import settle

        self._session.refuse_when_read_only(f"data quarantine settle {name}")
        check_name(name)
        with open_lake(self._session) as lake:
            return settle(self._session, lake, name)

    def replay(self, ref: str, *, as_they_were: bool = False) -> QuarantinedBatch:
        """Ask a batch again and commit it, once, as the batch that it was; rows that were taken
        out of the dataset may go back `as_they_were`, unasked.

        Raises `ValidationFailed`, `Refused`, `WrongState`, `BadInput`, and what a commit raises.
        """
        from core.lake import open_lake
        from core.quality.quarantining import replay

        self._session.refuse_when_read_only("data quarantine replay")
        batch = self.held(ref)
        self._access().check_write(batch.dataset)
        with open_lake(self._session) as lake:
            return replay(self._session, batch, lake, as_they_were=as_they_were)

    def discard(self, ref: str, reason: str = "") -> QuarantinedBatch:
        """Give a batch up; its rows are deleted. Raises `Refused`, `WrongState`."""
        from core.quality.quarantining import discard

        self._session.refuse_when_read_only("data quarantine discard")
        batch = self.held(ref)
        self._access().check_write(batch.dataset)
        return discard(self._session, batch, reason)

    def _access(self) -> Access:
        from core.governance.access import open_access

        return open_access(self._session)

    def _check_holder(self, name: str) -> None:
        """Whoever counts rows by a condition learns of their values, and whoever holds them takes
        them away."""
        from core.explore.rights import sees_all_surely

        check_name(name)
        found = find_dataset(self._session.reader, name)
        access = self._access()
        access.check_write(name)
        if found.kind == "view":
            raise WrongState(
                f"dataset {name}: is a view, whose next refresh brings its rows back",
                f"hold them in what it is made from: opsdeck lineage show {name}",
            )
        if not (sees_all_surely(access, name) or access.sees_all(name)):
            raise NotAllowed(
                f"dataset {name}: you do not see all of it", "ask its owner to hold the rows"
            )

    def _check_whole(self, batch: QuarantinedBatch) -> None:
        from core.explore.rights import sees_all_surely

        access = self._access()
        if sees_all_surely(access, batch.dataset) or access.sees_all(batch.dataset):
            return
        raise NotAllowed(
            f"quarantine {batch.id}: you do not see all of dataset {batch.dataset}",
            "mending needs the rows as they are: ask its owner",
        )


def _silenced(result: CheckResult, hidden: frozenset[str]) -> CheckResult:
    if result.status is CheckStatus.SKIPPED or not hidden.intersection(result.columns):
        return result
    told = "failed" if result.status is CheckStatus.FAILED else ""
    return replace(result, observed="", message=told, examples=())
