"""The keys of the Data mode: what each does to the dataset, snapshot or batch that is selected."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from screens.data.reading import DataQuery
from screens.working import WorkingScreen

if TYPE_CHECKING:
    from core.domain.catalogue import CatalogueEntry
    from core.domain.dataset import Snapshot
    from core.domain.profile import DatasetProfile, ProfileDiff
    from core.domain.quality import QuarantinedBatch, QuarantinedRow
    from screens.data.reading import Detail


class DatasetKeys(WorkingScreen):
    """A screen on which a dataset is selected: the method `do_data_<what>` of each action.

    `asked` is what is looked at. What was computed aside and is kept nowhere else stays here:
    profiles of what one sees in part, differences, rows of held batches.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = DataQuery()
        self.made: dict[tuple[str, int], DatasetProfile] = {}
        self.compared: dict[tuple[str, int, int], ProfileDiff] = {}
        self.bad_rows: dict[str, tuple[QuarantinedRow, ...]] = {}

    @property
    @abstractmethod
    def entry(self) -> CatalogueEntry | None:
        """The selected dataset as the catalogue has it."""

    @property
    @abstractmethod
    def detail(self) -> Detail | None:
        """What was read of the selected dataset; `None` until it has been."""

    @property
    @abstractmethod
    def snapshot(self) -> Snapshot | None:
        """The snapshot that is selected, or looked at."""

    @property
    @abstractmethod
    def held_batch(self) -> QuarantinedBatch | None:
        """The selected batch of the held pane."""

    @abstractmethod
    def show_pane(self, pane: str) -> None:
        """Show a pane of the selected dataset."""

    @abstractmethod
    def draw(self) -> None:
        """Draw the pane in view from what was read."""

    def do_data_tree(self) -> None:
        """The lineage on a screen of its own."""
        from screens.lineage.screen import LineageScreen

        if self.entry is not None:
            self.deck.push_screen(LineageScreen(f"dataset/{self.entry.dataset.name}"))

    def do_data_view(self) -> None:
        """Some rows, as one may see them."""
        from screens.data.rows import show_sample

        if self.entry is not None:
            snapshot = self.snapshot
            show_sample(self, self.entry.dataset, snapshot.number if snapshot else None)

    def do_data_query(self) -> None:
        """A query on the dataset."""
        if self.entry is not None:
            name = self.entry.dataset.name
            at = f"@{self.asked.at}" if self.asked.at is not None else ""
            self.deck.go("query", f"SELECT *\nFROM {name}{at}\nLIMIT 100")

    def do_data_recipe(self) -> None:
        """A recipe tried on a sample."""
        from screens.data.recipe import try_recipe

        if self.entry is not None:
            try_recipe(self, self.entry.dataset, self.asked.at)

    def do_data_now(self) -> None:
        """Make the profile, or the difference, now."""
        detail = self.detail
        if detail is None or self.entry is None:
            return
        if self.asked.pane == "diff" and detail.before is not None:
            self._compare(detail)
            return
        dataset, snapshot = self.entry.dataset, self.snapshot
        number = snapshot.number if snapshot is not None else dataset.number
        if number is not None:
            self._make_profile(dataset.name, number)

    def _make_profile(self, name: str, number: int) -> None:
        def made(found: DatasetProfile) -> str:
            self.made[name, number] = found
            if self.asked.pane not in ("profile", "overview"):
                self.show_pane("profile")
            self.draw()
            return f"profiled {name} #{number} in {found.seconds:.1f} s"

        self.work(
            f"profile {name} #{number}", "explore", "profile", name, str(number), then=made,
            command=f"opsdeck data profile {name}@{number}",
        )  # fmt: skip

    def _compare(self, detail: Detail) -> None:
        before, after = detail.before, detail.snapshot
        assert before is not None and after is not None
        name = after.dataset

        def made(found: ProfileDiff) -> str:
            self.compared[name, before.number, after.number] = found
            self.draw()
            return f"compared #{before.number} with #{after.number} of {name}"

        self.work(
            f"compare {name} #{before.number} with #{after.number}",
            "explore", "diff", name, str(before.number), str(after.number), then=made,
            command=f"opsdeck data diff {name} --from {before.number} --to {after.number}",
        )  # fmt: skip

    def do_data_tag(self) -> None:
        """Name the selected snapshot."""
        from screens.data import changes

        if self.entry is not None and self.snapshot is not None:
            changes.tag(self, self.entry.dataset, self.snapshot)

    def do_data_rollback(self) -> None:
        """Make the selected snapshot the current one."""
        from screens.data import changes

        if self.entry is not None and self.snapshot is not None:
            changes.roll_back(self, self.entry.dataset, self.snapshot)

    def do_data_validate(self) -> None:
        """Ask whether its expectations hold."""
        from screens.data import changes

        if self.entry is not None:
            changes.validate(self, self.entry.dataset)

    def do_data_rows(self) -> None:
        """Rows of the held batch with their reasons."""
        batch = self.held_batch
        if batch is None:
            return

        def read(rows: tuple[QuarantinedRow, ...]) -> str:
            self.bad_rows[batch.id] = rows
            self.draw()
            return ""

        self.work(f"read batch {batch.id[:8]}", "quality", "held_rows", batch.id, then=read)

    def do_data_replay(self) -> None:
        """Ask a held batch again and take it in."""
        from screens.data import changes

        if self.held_batch is not None:
            changes.replay(self, self.held_batch)

    def do_data_export(self) -> None:
        """Bad rows of the held batch as CSV."""
        from screens.data import changes

        if self.held_batch is not None:
            changes.export(self, self.held_batch)

    def do_data_discard(self) -> None:
        """Give the held batch up."""
        from screens.data import changes

        if self.held_batch is not None:
            changes.discard(self, self.held_batch)
