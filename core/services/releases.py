"""Bringing a version to an endpoint, step by step, and back."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.domain.preview import ChangePreview
from core.domain.release import Deployment, Receipt, ReleasePlan
from core.domain.rollback import RollbackPreview
from core.domain.touched import Consumer
from core.errors import BadInput, NotFound, WorkerUnavailable, WrongState
from core.ids import new_id
from core.reads import models as _models
from core.reads import releases as _releases
from core.releases.presets import PRESETS
from core.releases.rollback import roll_back
from core.releases.strategy import DEFAULT_PLAN, Written, parse_plan, with_workers
from core.services import previews, touched
from core.services.featureusage import refuse_unreadable
from core.services.rules import check_gate, check_name
from core.services.workers import WorkersService
from core.serving.control import EndpointControl
from core.session import Session

GLANCE_SECONDS = 0.5  # for what is only nice to know on the way to a rollback


class ReleasesService:
    """Deployments of the workspace's endpoints."""

    def __init__(self, session: Session, workers: WorkersService) -> None:
        self._session = session
        self._workers = workers

    def presets(self) -> Mapping[str, ReleasePlan]:
        """The strategies that have a name."""
        return PRESETS

    def deployment(self, deployment_id: str) -> Deployment:
        """One deployment with its events; raises `NotFound`."""
        return _releases.find_deployment(self._session.reader, deployment_id)

    def plan_for(self, name: str, model: str, version: int) -> ReleasePlan:
        """The strategy of a deployment for which none is named: `progressive` where it changes
        the model version that a production endpoint serves, else a quick canary."""
        rows = self._session.reader.rows(
            "SELECT e.environment, r.model, r.version FROM endpoints e JOIN revisions r"
            " ON r.endpoint = e.name WHERE e.name = :name AND r.state = 'stable'",
            name=name,
        )
        if rows and rows[0]["environment"] == "production":
            serves = rows[0]["model"], rows[0]["version"]
            return DEFAULT_PLAN if serves == (model, version) else PRESETS["progressive"]
        return DEFAULT_PLAN

    def deploy(
        self,
        name: str,
        model: str,
        version: str,
        *,
        strategy: Written | ReleasePlan | None = None,
        workers: tuple[int, int] | None = None,
        port: int = 0,
        environment: str | None = None,
        override: bool = False,
        force_alarms: bool = False,
        reason: str = "",
    ) -> Deployment:
        """Ask for a deployment of a model version (number or alias) by a strategy.

        `strategy` is a preset's name, a list of steps or a mapping. `workers` bounds the new
        version's workers in each server, whatever the strategy or the endpoint says. A new
        endpoint belongs to `environment` (default: the workspace's). Raises `NotFound`,
        `BadInput` (the strategy), `WrongState` (another one is open), `Refused` where the model
        reads features of data that the actor may not see whole, and `NotAllowed` where the
        version was asked approval for and has none, unless `override` says to go past the gate,
        which the journal keeps with the reason. An alarm of the workspace that the strategy names
        must be there (`NoSuchAlarm`), and not be in ALARM (`AlarmInAlarm`) unless
        `force_alarms` says so, with a reason.
        """
        from core.releases import rows
        from core.releases.endpointrows import is_deleted
        from core.releases.environments import environment_of

        self._session.refuse_when_read_only("endpoints deploy")
        check_name(name)
        found = _models.find_version(self._session.reader, model, version)
        refuse_unreadable(self._session, name, self._session.workspace.state_dir / found.path)
        plan = with_workers(self._plan(strategy, name, model, found.version), workers)
        deployment_id = new_id()
        if force_alarms and not reason.strip():
            raise BadInput("force_alarms: no reason", "say why with --reason")
        if plan.rollback_alarms:
            from core.alarms.syncing import sync

            sync(self._session)  # what a file names just now is there
        with self._session.change("endpoints deploy") as tx:
            check_gate(tx, model, found.version, override, reason)
            if plan.rollback_alarms:
                from core.alarms.deployments import check_alarms

                check_alarms(tx, name, plan, force_alarms)
            known = None if is_deleted(tx, name) else environment_of(tx, name)
            rows.create_deployment(
                tx,
                deployment_id,
                endpoint=name,
                model=model,
                version=found.version,
                strategy=plan,
                port=port,
                environment=environment or known or self._session.workspace.environment,
                reason=reason,
            )
            tx.outbox("deployment.start", deployment_id)
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment_id)

    def preview_deploy(
        self,
        name: str,
        model: str,
        version: str,
        *,
        strategy: Written | ReleasePlan | None = None,
        workers: tuple[int, int] | None = None,
        environment: str | None = None,
    ) -> ChangePreview:
        """What `deploy` would do; raises what it would raise, but for the gate, which is told."""
        check_name(name)
        found = _models.find_version(self._session.reader, model, version)
        plan = with_workers(self._plan(strategy, name, model, found.version), workers)
        target = self.environment_for(name, environment)
        preview = previews.of_deploy(
            self._session, name, model, found.version, plan, target, environment
        )
        with contextlib.suppress(NotFound):  # a new one has no consumers, and nothing to differ
            endpoint = _releases.find_endpoint(self._session.reader, name)
            preview = touched.of_change(self._session, preview, endpoint, self._glance(name)[1])
        if plan.workers is None:
            return preview
        low, high = plan.workers
        many = f"always {low}" if low == high else f"{low} to {high}, as its load asks for"
        words = f"workers of version {found.version} in each server process: {many}"
        return replace(preview, consequences=(*preview.consequences, words))

    def environment_for(self, name: str, wanted: str | None = None) -> str:
        """The environment that a deployment to this endpoint would go to."""
        rows = self._session.reader.rows(
            "SELECT environment FROM endpoints WHERE name = :name AND status <> 'deleted'",
            name=name,
        )
        if rows:
            return str(rows[0]["environment"])
        return wanted or self._session.workspace.environment

    def promote(
        self,
        name: str,
        *,
        full: bool = False,
        reason: str = "",
        seen: tuple[str, int] | None = None,
    ) -> Deployment:
        """End the present pause of the open deployment, or (`full`) all of its steps.

        `seen` is the deployment (its id) and the step (its index) that the person looked at: a
        promotion is for the pause that was seen, never for the next one. Raises `WrongState`
        when nothing is being deployed, when it stands elsewhere than `seen`, and, unless
        `full`, when it neither pauses nor is held, or bakes.
        """
        from core.releases import holding, rows

        command = "promote_full" if full else "promote"
        with self._session.change("endpoints promote") as tx:
            deployment = self._open(tx, name)
            holding.check_seen(deployment, seen, full=full)
            holding.check_promotable(deployment, full=full)
            holding.let_pass(tx, deployment, full=full)
            rows.event(tx, deployment["id"], command, reason or "asked for")
            tx.journal(
                f"deployment.{command}",
                f"endpoint/{name}",
                deployment=deployment["id"],
                step=deployment["step_index"],
                reason=reason,
            )
            tx.outbox(
                "control",
                f"deployment:{deployment['id']}",
                command=command,
                index=deployment["step_index"],
            )
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment["id"])

    def hold(self, name: str, reason: str = "") -> Deployment:
        """Stop the open deployment where it is, until somebody promotes it.

        Raises `WrongState` when nothing is being deployed, or it is still loading.
        """
        from core.releases import holding

        with self._session.change("endpoints hold") as tx:
            deployment = self._open(tx, name)
            holding.check_holdable(deployment)
            words = f"held by {tx.actor}" + (f": {reason}" if reason else "")
            holding.hold(tx, deployment, words)
            tx.outbox("control", f"deployment:{deployment['id']}", command="hold")
        return _releases.find_deployment(self._session.reader, deployment["id"])

    def weight(self, name: str, percent: float, reason: str = "") -> Deployment:
        """Give the version that is being deployed this share of the traffic, and hold it there.

        At once and without a worker. Raises `BadInput`, `WrongState`, `EndpointUnavailable`.
        """
        from core.releases.byhand import set_weight

        self._session.refuse_when_read_only("endpoints weight")
        deployment_id = set_weight(self._session, name, percent, reason)
        return _releases.find_deployment(self._session.reader, deployment_id)

    def abort(self, name: str, reason: str = "") -> Deployment:
        """End the open deployment at once, with all traffic on the stable version.

        Raises `WrongState` when nothing is being deployed. A first deployment has no stable
        version to go back to: it ends all the same.
        """
        from core.releases.abort import abort_deployment

        self._session.refuse_when_read_only("endpoints abort")
        deployment_id = abort_deployment(self._session, name, reason)
        self._workers.wake()
        return _releases.find_deployment(self._session.reader, deployment_id)

    def preview(
        self,
        action: str,
        name: str,
        *,
        full: bool = False,
        percent: float | None = None,
        force: bool = True,
    ) -> ChangePreview:
        """What promote, hold, weight, abort or delete (`force`: also while it serves) would do;
        raises what they would raise, and `BadInput` for another action."""
        endpoint = _releases.find_endpoint(self._session.reader, name)
        info = self._control(name).info()
        routed = bool(info and info.alive and info.variants)
        found = previews.of_change(
            action, endpoint, full=full, percent=percent, force=force, routed=routed
        )
        return touched.of_change(self._session, found, endpoint, self._glance(name)[1])

    def preview_rollback(self, name: str, to_version: int | None = None) -> RollbackPreview:
        """What a rollback would move; raises `WrongState` when there is nothing to go to."""
        # All but the rate and the consumers is of the rows and of files: what hangs must not
        # hold up the way back.
        endpoint = _releases.find_endpoint(self._session.reader, name)
        found = previews.of_rollback(endpoint, self._control(name).info(), to_version)
        return touched.of_rollback(self._session, found, *self._glance(name))

    def rollback(
        self,
        name: str,
        to_version: int | None = None,
        reason: str = "",
        *,
        seen: int | None = None,
    ) -> Receipt:
        """Go back to the last good version (or to one named) at once.

        `seen` is the revision that a preview showed as the one to be taken away
        (`from_revision`): where another serves by now, nothing is done. Raises `WrongState`,
        `NotFound`, `EndpointUnavailable`, `ReadOnly`.
        """
        self._session.refuse_when_read_only("endpoints rollback")
        receipt = roll_back(self._session, name, to_version, reason, seen)
        with contextlib.suppress(WorkerUnavailable):  # done is done; the mirror can wait
            self._workers.wake()
        return receipt

    def _plan(
        self, strategy: Written | ReleasePlan | None, name: str, model: str, version: int
    ) -> ReleasePlan:
        if strategy is None:
            return self.plan_for(name, model, version)
        return strategy if isinstance(strategy, ReleasePlan) else parse_plan(strategy)

    def _control(self, name: str) -> EndpointControl:
        return EndpointControl(self._session.workspace.endpoints_dir / name)

    def _glance(self, name: str) -> tuple[float | None, tuple[Consumer, ...] | None]:
        """Requests per second and who calls, where the endpoint says so at once."""
        info = self._control(name).info()
        if info is None or not info.alive:
            return None, None
        return touched.glance(self._control(name), GLANCE_SECONDS)

    def _open(self, tx: Any, name: str) -> Mapping[str, Any]:
        from core.releases import rows

        _releases.find_endpoint(self._session.reader, name)
        deployment = rows.open_deployment(tx, name)
        if deployment is None:
            raise WrongState(f"endpoint {name}: nothing is being deployed")
        return deployment
