"""Looking at datasets: profiles, differences, samples, data cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.domain.dataset import Snapshot
from core.domain.profile import DatasetProfile, ProfileDiff
from core.errors import BadInput
from core.explore.errors import NoProfile
from core.lake.names import check_name
from core.reads import profiles as _reads
from core.reads.datasets import find_dataset, find_snapshot
from core.session import Session

if TYPE_CHECKING:
    from core.lake.lake import Lake

MOST_SAMPLED = 100_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a snapshot. `of` is how many there were, `hidden` what its reader does not
    see as it is."""

    dataset: str
    snapshot_number: int
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    of: int
    hidden: tuple[str, ...] = ()


class ExploreService:
    """What is in the workspace's datasets. Whatever it shows, the actor may see: who sees a
    dataset masked or in part gets a profile made of that, which is not kept."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def kept(self, name: str, at: str | None = None) -> DatasetProfile | None:
        """The kept profile of a snapshot, from the state alone: for lists and screens.

        None where none was made, or where the actor does not see all of the dataset.
        """
        from core.explore.rights import sees_all_surely
        from core.governance.access import open_access

        snapshot = self._named(name, at)
        if snapshot is None or not sees_all_surely(open_access(self._session), name):
            return None
        return _reads.find_profile(self._session.reader, name, snapshot.id)

    def profile(self, name: str, at: str | None = None, *, refresh: bool = False) -> DatasetProfile:
        """The profile of a snapshot (the newest, unless `at` names one by number, id, tag,
        branch or time); made now where none is kept, or `refresh`.

        Raises `NotFound`, `Refused`, `NoProfile` (a dataset without columns to see).
        """
        from core.explore.rights import sees_all_surely
        from core.governance.access import open_access
        from core.lake import open_lake

        check_name(name)
        snapshot = self._named(name, at)
        if snapshot is not None and not refresh:
            kept = _reads.find_profile(self._session.reader, name, snapshot.id)
            if kept is not None and sees_all_surely(open_access(self._session), name):
                return kept
        with open_lake(self._session) as lake:
            found = snapshot or self._resolved(lake, name, at)
            return self._made(lake, found, refresh)

    def _named(self, name: str, at: str | None) -> Snapshot | None:
        """The snapshot, where the state alone tells which; `at` may be a time, too."""
        found = find_dataset(self._session.reader, name)
        if at is None:
            if found.current_snapshot is None:
                raise NoProfile(f"dataset {name}: nothing has been written to it yet")
            return find_snapshot(self._session.reader, name, found.current_snapshot)
        if at[:1].isdigit() and ("-" in at or ":" in at):
            return None
        return find_snapshot(self._session.reader, name, at)

    def _resolved(self, lake: Lake, name: str, at: str | None) -> Snapshot:
        return find_snapshot(self._session.reader, name, lake.resolve(name, at))

    def _made(self, lake: Lake, snapshot: Snapshot, refresh: bool) -> DatasetProfile:
        from core.explore.keeping import ensure_profile, keep, profile_rows
        from core.explore.rights import what_is_seen
        from core.governance.access import Access

        access = Access(self._session, lake)
        seen = what_is_seen(access, snapshot.dataset, snapshot.id)
        if seen.all and not refresh:
            return ensure_profile(self._session, lake, snapshot)
        earlier = None
        if seen.all:
            earlier = _reads.newest_profile(
                self._session.reader, snapshot.dataset, before=snapshot.number
            )
        rows = access.scan(snapshot.dataset, at=snapshot.id, purpose="profile")
        made = profile_rows(snapshot.dataset, rows, snapshot, earlier=earlier)
        if not seen.all:
            return replace(made, notes=(*made.notes, *seen.words), restricted=True)
        if not self._session.read_only:
            keep(self._session, made)
        return made

    def diff(self, name: str, before: str, after: str | None = None) -> ProfileDiff:
        """What changed from one snapshot to another (the newest, unless `after` is given)."""
        from core.explore.diff import profile_diff

        one, two = self.profile(name, before), self.profile(name, after)
        if one.snapshot_id == two.snapshot_id:
            raise BadInput(
                f"dataset {name}: both are snapshot #{one.snapshot_number}",
                f"name two of them; see: opsdeck data snapshots {name}",
            )
        return profile_diff(one, two)

    def sample(
        self,
        name: str,
        count: int = 20,
        *,
        at: str | None = None,
        seed: int = 0,
        stratify: str | None = None,
        columns: Sequence[str] = (),
    ) -> Sample:
        """Rows drawn by chance, the same for the same seed; with `stratify` each value of that
        column has its share. Raises `NotFound`, `Refused`, `BadInput`."""
        from core.explore.frames import frames
        from core.explore.rights import what_is_seen
        from core.explore.sampling import sample_rows
        from core.governance.access import Access
        from core.lake import open_lake

        check_name(name)
        if not 1 <= count <= MOST_SAMPLED:
            raise BadInput(f"a sample of {count} rows", f"1 to {MOST_SAMPLED:,} are possible")
        with open_lake(self._session) as lake:
            access = Access(self._session, lake)
            snapshot = self._named(name, at) or self._resolved(lake, name, at)
            seen = what_is_seen(access, name, snapshot.id)
            wanted = None
            if columns:
                wanted = list(dict.fromkeys([*columns, *([stratify] if stratify else [])]))
            rows = access.scan(name, at=snapshot.id, columns=wanted, purpose="sample")
            names = tuple(columns) or tuple(rows.schema.names)
            found, of = sample_rows(
                frames(rows), count, seed=seed, stratify=stratify, columns=names
            )
        return Sample(name, snapshot.number, names, tuple(found.to_dicts()), of, seen.words)

    def card(self, name: str, at: str | None = None) -> str:
        """The data card of a dataset, in Markdown; profiled now if it was not."""
        from core.explore.card import data_card

        profile = self.profile(name, at)
        return data_card(self._session, find_dataset(self._session.reader, name), profile)

    def write_card(
        self, name: str, path: Path | None = None, *, at: str | None = None, force: bool = False
    ) -> Path:
        """Write the card to a file (`cards/NAME.md` unless named); raises `BadInput` where
        there is one that was not `force`d."""
        from core.explore.card import write_text

        text = self.card(name, at)
        target = path or self._session.workspace.root / "cards" / f"{name}.md"
        write_text(target, text, force)
        return target
