"""The one facade: open a workspace, then a service for every noun.

The command line and the screens call the same methods, so that what one can do the other
can. All calls block and are thread-safe.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import StateCorrupt, StateVersion
from core.session import Session, default_actor
from core.state.version import is_older
from core.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from core.aside import Aside
    from core.services.alarms import AlarmsService
    from core.services.alerts import AlertsService
    from core.services.approvals import ApprovalsService
    from core.services.audit import AuditService
    from core.services.captures import CapturesService
    from core.services.crawls import CrawlsService
    from core.services.data import DataService
    from core.services.endpoints import EndpointsService
    from core.services.explaining import ExplainingService
    from core.services.explore import ExploreService
    from core.services.fairness import FairnessService
    from core.services.features import FeaturesService
    from core.services.governance import GovernanceService
    from core.services.ingest import IngestService
    from core.services.intakes import IntakesService
    from core.services.labelling import LabellingService
    from core.services.labels import LabelsService
    from core.services.lineage import LineageService
    from core.services.models import ModelsService
    from core.services.monitors import MonitorsService
    from core.services.pipelines import PipelinesService
    from core.services.pulse import PulseService
    from core.services.quality import QualityService
    from core.services.queries import QueriesService
    from core.services.recipes import RecipesService
    from core.services.remote import RemoteService
    from core.services.runs import RunsService
    from core.services.series import SeriesService
    from core.services.slos import SlosService
    from core.services.splits import SplitsService
    from core.services.triggers import TriggersService
    from core.services.views import ViewsService
    from core.services.workers import WorkersService


class Ops:
    """A workspace, opened by somebody. Close it when done.

    A service is imported and made when it is first used: a command pays for its own only.
    """

    def __init__(self, workspace: Workspace, actor: str, read_only: bool) -> None:
        self.workspace = workspace
        self.actor = actor
        self.read_only = read_only
        self.session = Session(workspace, actor, read_only)

    @cached_property
    def workers(self) -> WorkersService:
        """Who executes runs."""
        from core.services.workers import WorkersService

        return WorkersService(self.session)

    @cached_property
    def pipelines(self) -> PipelinesService:
        """What the files define."""
        from core.services.pipelines import PipelinesService

        return PipelinesService(self.session)

    @cached_property
    def runs(self) -> RunsService:
        """Executions of pipelines."""
        from core.services.runs import RunsService

        return RunsService(self.session, self.workers)

    @cached_property
    def remote(self) -> RemoteService:
        """Runs in AWS accounts."""
        from core.services.remote import RemoteService

        return RemoteService(self.session)

    @cached_property
    def models(self) -> ModelsService:
        """Registered models and their versions."""
        from core.services.models import ModelsService

        return ModelsService(self.session)

    @cached_property
    def monitors(self) -> MonitorsService:
        """Scheduled checks, and what they found."""
        from core.services.monitors import MonitorsService

        return MonitorsService(self.session)

    @cached_property
    def approvals(self) -> ApprovalsService:
        """What waits for a decision."""
        from core.services.approvals import ApprovalsService

        return ApprovalsService(self.session, self.workers)

    @cached_property
    def endpoints(self) -> EndpointsService:
        """What is served."""
        from core.services.endpoints import EndpointsService

        return EndpointsService(self.session, self.workers)

    @cached_property
    def features(self) -> FeaturesService:
        """What is known of entities, offline and online."""
        from core.services.features import FeaturesService

        return FeaturesService(self.session)

    @cached_property
    def explore(self) -> ExploreService:
        """What is in the datasets."""
        from core.services.explore import ExploreService

        return ExploreService(self.session)

    @cached_property
    def quality(self) -> QualityService:
        """What is expected of the datasets, and what was held back."""
        from core.services.quality import QualityService

        return QualityService(self.session)

    @cached_property
    def alarms(self) -> AlarmsService:
        """Rules over metrics, and how they stand."""
        from core.services.alarms import AlarmsService

        return AlarmsService(self.session, self.workers)

    @cached_property
    def series(self) -> SeriesService:
        """Metrics over time."""
        from core.services.series import SeriesService

        return SeriesService(self.session)

    @cached_property
    def slos(self) -> SlosService:
        """What is promised of endpoints, and what is left of it."""
        from core.services.slos import SlosService

        return SlosService(self.session)

    @cached_property
    def alerts(self) -> AlertsService:
        """What somebody should know of."""
        from core.services.alerts import AlertsService

        return AlertsService(self.session, self.workers)

    @cached_property
    def captures(self) -> CapturesService:
        """What was asked and answered."""
        from core.services.captures import CapturesService

        return CapturesService(self.session)

    @cached_property
    def labels(self) -> LabelsService:
        """What turned out to be true."""
        from core.services.labels import LabelsService

        return LabelsService(self.session)

    @cached_property
    def labelling(self) -> LabellingService:
        """What people are asked to say."""
        from core.services.labelling import LabellingService

        return LabellingService(self.session, self.workers)

    @cached_property
    def lineage(self) -> LineageService:
        """What was made from what."""
        from core.services.lineage import LineageService

        return LineageService(self.session)

    @cached_property
    def data(self) -> DataService:
        """Datasets of the lake."""
        from core.services.data import DataService

        return DataService(self.session)

    @cached_property
    def views(self) -> ViewsService:
        """Materialised views."""
        from core.services.views import ViewsService

        return ViewsService(self.session)

    @cached_property
    def aside(self) -> Aside:
        """The process for what would hold a front end up."""
        from core.aside import Aside

        return Aside(self.session)

    @cached_property
    def governance(self) -> GovernanceService:
        """Who may use which dataset."""
        from core.services.governance import GovernanceService

        return GovernanceService(self.session)

    @cached_property
    def recipes(self) -> RecipesService:
        """Transformations, and files of them."""
        from core.services.recipes import RecipesService

        return RecipesService(self.session)

    @cached_property
    def splits(self) -> SplitsService:
        """Datasets divided into parts, and what leaks between them."""
        from core.services.splits import SplitsService

        return SplitsService(self.session)

    @cached_property
    def triggers(self) -> TriggersService:
        """What starts runs by itself."""
        from core.services.triggers import TriggersService

        return TriggersService(self.session, self.workers)

    @cached_property
    def explaining(self) -> ExplainingService:
        """What models' predictions are made of."""
        from core.services.explaining import ExplainingService

        return ExplainingService(self.session)

    @cached_property
    def fairness(self) -> FairnessService:
        """Whether models treat groups of people differently."""
        from core.services.fairness import FairnessService

        return FairnessService(self.session)

    @cached_property
    def queries(self) -> QueriesService:
        """Questions about datasets, in SQL."""
        from core.services.queries import QueriesService

        return QueriesService(self.session)

    @cached_property
    def ingest(self) -> IngestService:
        """What comes into datasets."""
        from core.services.ingest import IngestService

        return IngestService(self.session)

    @cached_property
    def crawls(self) -> CrawlsService:
        """Tables found in folders and buckets."""
        from core.services.crawls import CrawlsService

        return CrawlsService(self.session)

    @cached_property
    def intakes(self) -> IntakesService:
        """Ways into datasets that stay open."""
        from core.services.intakes import IntakesService

        return IntakesService(self.session)

    @cached_property
    def audit(self) -> AuditService:
        """The journal."""
        from core.services.audit import AuditService

        return AuditService(self.session)

    @cached_property
    def pulse(self) -> PulseService:
        """Everything at a glance."""
        from core.services.pulse import PulseService

        return PulseService(self.session, self.endpoints, self.workers, self.alerts)

    def version(self) -> int:
        """A number that changes whenever the state may have; equal means nothing did."""
        return hash(self.session.reader.change_counter())

    def close(self) -> None:
        """Close every connection, and end the process aside."""
        if "aside" in self.__dict__:
            self.aside.close()
        for name in ("data", "governance", "queries"):
            if name in self.__dict__:
                getattr(self, name).close()
        self.session.close()

    def __enter__(self) -> Ops:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ops(
    path: Path | None = None,
    *,
    actor: str | None = None,
    read_only: bool = False,
    any_schema: bool = False,
) -> Ops:
    """Open the workspace at or above `path` (default: the present folder).

    A state of an older schema is brought up to date. Raises `NotAWorkspace`,
    `ConfigInvalid`, and `StateVersion` where this Opsdeck is too old for the state, or may
    not update it because the session is read-only; `any_schema` leaves all that to later.
    """
    workspace = open_workspace(path)
    ops = Ops(workspace, actor or default_actor(workspace), read_only)
    with contextlib.suppress(StateCorrupt):  # whatever reads it first says so, or doctor does
        if not any_schema and is_older(ops.session.reader):
            if read_only:
                raise StateVersion(
                    "the state database is of an older Opsdeck", "open it once without --read-only"
                )
            ops.session.store()
    return ops
