"""Bringing a version to an endpoint: load beside the traffic, then weight by weight.

Every function here is one durable step: it may run twice, and checks under the endpoint's
routing lock whether the deployment is still open before it moves any traffic, so that a
rollback made meanwhile is never undone.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.domain.plans import plan_from_json
from core.domain.release import DeploymentStatus, StrategyStep
from core.engine.context import STATE_AWAY, SYSTEM, Engine
from core.engine.rungs import CANCELLED, has_ended, load_row, run_cancelled, take_events
from core.errors import OpsdeckError, StepFailed, WrongState
from core.releases import endpointrows, rows, standing
from core.releases.events import pending_events
from core.releases.lock import release_lock
from core.releases.sendback import SentBack, leave_receipt, send_back
from core.serving.control import EndpointControl
from core.state import schema
from core.state.store import Transaction

log = logging.getLogger("opsdeck.worker")

ALL = 100.0
OVERTAKEN_SECONDS = 15.0  # a supervisor waits so long at most for what is in flight


def load_version(engine: Engine, deployment_id: str) -> str:
    """Start the endpoint where it does not run, and load the new revision (and the stable
    one, where it is not loaded); returns the deployment's state then."""
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = load_row(tx, deployment_id)["endpoint"]
    take_events(engine, endpoint)
    with engine.store.transaction(SYSTEM) as tx:
        deployment = load_row(tx, deployment_id)
        if has_ended(deployment):
            return str(deployment["status"])
        rows.set_progress(tx, deployment, DeploymentStatus.LOADING, message="loading the model")
        port = endpointrows.port_of(tx, deployment["endpoint"])
    try:
        control = _control(engine, deployment["endpoint"])
        info = control.ensure_running(deployment["endpoint"], port)
        routed = {variant.revision for variant in info.variants}
        if deployment["from_revision"] is None and routed - {deployment["revision"]}:
            # A first version that failed while no supervisor was there to be told.
            control.clear_table("no version has been let pass yet")
        plan = plan_from_json(deployment["strategy"])
        if plan.workers is not None:
            control.set_workers(deployment["revision"], plan.workers)
        loaded = set(info.loads)
        wanted = [deployment["revision"], deployment["from_revision"]]
        for number in [n for n in wanted if n is not None and n not in loaded]:
            path, revision = _model_path(engine, deployment["endpoint"], number)
            report = control.load(number, path, revision["model"], revision["version"])
            with engine.store.transaction(SYSTEM) as tx:
                rows.event(
                    tx,
                    deployment_id,
                    "loaded",
                    f"revision {number} in {report.seconds:.1f} s as {report.flavour}: "
                    f"{report.detail}",
                )
        standing.arm(control, deployment)
        with engine.store.transaction(SYSTEM) as tx:
            endpointrows.set_address(tx, deployment["endpoint"], info.host, info.port)
            status = _loaded(tx, deployment_id)
        if status != DeploymentStatus.PROGRESSING:
            _leave(engine, deployment)
        return status
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        engine.hold_if_stopping()
        return fail(engine, deployment_id, error.one_line())


def _loaded(tx: Transaction, deployment_id: str) -> str:
    """The deployment progresses, unless it has ended while it loaded."""
    deployment = load_row(tx, deployment_id)
    if not has_ended(deployment):
        rows.set_progress(tx, deployment, DeploymentStatus.PROGRESSING, message="loaded")
    return str(load_row(tx, deployment_id)["status"])


def _leave(engine: Engine, deployment: Mapping[str, Any]) -> None:
    """Take back what was begun for a deployment that was ended while it loaded: nobody
    watches it, and an endpoint that was deleted meanwhile does not come back."""
    control = _control(engine, deployment["endpoint"])
    standing.stand_down(control, deployment["id"], plan_from_json(deployment["strategy"]))
    with engine.store.transaction(SYSTEM) as tx:
        deleted = endpointrows.is_deleted(tx, deployment["endpoint"])
    if deleted:
        with _locked(engine, deployment["endpoint"]):
            control.stop()
            shutil.rmtree(control.folder.root, ignore_errors=True)


def apply_weight(engine: Engine, deployment_id: str, index: int, weight: float) -> str:
    """Give the canary `weight` percent of the traffic, unless the deployment has ended.

    Where the supervisor has taken the traffic away from it by itself, that is waited for to be
    on record, and never undone.
    """
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = load_row(tx, deployment_id)["endpoint"]
    deadline = time.monotonic() + OVERTAKEN_SECONDS
    try:
        while True:
            take_events(engine, endpoint)
            with engine.store.transaction(SYSTEM) as tx:
                deployment = load_row(tx, deployment_id)
            if has_ended(deployment):  # with an endpoint that was deleted, too: leave it so
                return str(deployment["status"])
            _control(engine, endpoint).ensure_running(endpoint)  # may take long: not locked
            with _locked(engine, endpoint):
                state = _apply_locked(engine, deployment_id, index, weight)
            if state is not None:
                return state
            engine.hold_if_stopping()
            if time.monotonic() > deadline:
                message = "the endpoint has stopped to send it any traffic"
                return fail(engine, deployment_id, message)
            time.sleep(0.2)
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        engine.hold_if_stopping()
        return fail(engine, deployment_id, error.one_line())


def _apply_locked(engine: Engine, deployment_id: str, index: int, weight: float) -> str | None:
    """The state then; `None`, with nothing moved, where the supervisor was quicker."""
    with engine.store.transaction(SYSTEM) as tx:
        deployment = load_row(tx, deployment_id)
        cancelled = run_cancelled(tx, deployment)
    if has_ended(deployment):
        return str(deployment["status"])
    if cancelled:
        return CANCELLED
    if deployment["status"] == DeploymentStatus.HELD:
        return DeploymentStatus.HELD
    if pending_events(engine.workspace.endpoints_dir / deployment["endpoint"]):
        return None  # what the supervisor did goes on record first
    if not _wanted(deployment, index, weight):
        return DeploymentStatus.PROGRESSING
    control = _control(engine, deployment["endpoint"])
    info = control.info()
    routed = {variant.revision for variant in info.variants} if info else set()
    if deployment["set_weight"] > 0 and routed and deployment["revision"] not in routed:
        return None
    try:
        control.set_table(_table(deployment, weight), f"deployment {deployment_id}")
    except WrongState:  # it has been taken back in this very moment
        return None
    with engine.store.transaction(SYSTEM) as tx:
        rows.set_progress(tx, deployment, DeploymentStatus.PROGRESSING, step_index=index)
        rows.record_weight(tx, deployment, weight, f"{weight:g} % of the traffic")
    return DeploymentStatus.PROGRESSING


def _wanted(deployment: Mapping[str, Any], index: int, weight: float) -> bool:
    """Whether a weight is still to be set: not where a person let it pass, or has given the
    canary more by hand already. All of the traffic always is."""
    skipped = deployment["promoted"] > index or deployment["set_weight"] > weight
    return weight == ALL or not skipped


def finish(engine: Engine, deployment_id: str) -> str:
    """The new version is in production: aliases, receipts of state, old revisions unloaded."""
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = load_row(tx, deployment_id)["endpoint"]
    take_events(engine, endpoint)  # it may have been taken away just now
    # Under the lock: whoever aborts it moves the traffic before the rows.
    with (
        _locked(engine, endpoint),
        engine.store.transaction(SYSTEM) as tx,
    ):
        deployment = load_row(tx, deployment_id)
        if has_ended(deployment):
            return str(deployment["status"])
        retired = rows.finish_deployment(tx, deployment)
    control = _control(engine, endpoint)
    try:
        info = control.info()
        for revision in retired:
            if info is not None and info.alive and revision in info.loads:
                control.unload(revision)
    except OpsdeckError as error:  # they stay loaded: that costs memory only
        with engine.store.transaction(SYSTEM) as tx:
            rows.event(tx, deployment_id, "warning", error.one_line())
    return DeploymentStatus.SUCCEEDED


def fail(engine: Engine, deployment_id: str, message: str) -> str:
    """End the deployment as failed, with all traffic on the stable version; that leaves a
    receipt and an alert, once, however often this is repeated."""
    return _withdraw(engine, deployment_id, DeploymentStatus.FAILED, message)


def cancel(engine: Engine, deployment_id: str) -> str:
    """End the deployment because its run was cancelled."""
    return _withdraw(engine, deployment_id, DeploymentStatus.ABORTED, "the run was cancelled")


def give_up(engine: Engine, deployment_id: str) -> str:
    """End the deployment because its run was started again, and deploys anew."""
    return _withdraw(
        engine, deployment_id, DeploymentStatus.ABORTED, "its run was started again without it"
    )


def strategy_of(engine: Engine, deployment_id: str) -> tuple[StrategyStep, ...]:
    """The steps of a deployment."""
    with engine.store.transaction(SYSTEM) as tx:
        text = load_row(tx, deployment_id)["strategy"]
    return plan_from_json(text).steps


def _withdraw(engine: Engine, deployment_id: str, status: DeploymentStatus, message: str) -> str:
    with engine.store.transaction(SYSTEM) as tx:
        endpoint = load_row(tx, deployment_id)["endpoint"]
    _take_what_is_left(engine, endpoint)
    with _locked(engine, endpoint):
        with engine.store.transaction(SYSTEM) as tx:
            deployment = load_row(tx, deployment_id)
        if has_ended(deployment):
            return str(deployment["status"])
        control = _control(engine, endpoint)
        info = control.info()
        sent, stable = SentBack(), deployment["from_revision"]
        if info is not None and info.alive:
            try:
                weight = deployment["set_weight"]
                sent = send_back(control, deployment["revision"], stable, weight, message)
            except OpsdeckError as error:
                message = f"{message}; traffic could not be moved back: {error.one_line()}"
        # One transaction: killed before it, all is done again; after it, nothing is.
        with engine.store.transaction(SYSTEM) as tx:
            receipt = leave_receipt(tx, deployment, sent, f"deployment {status}: {message}")
            rows.withdraw_canary(tx, deployment, status, message, receipt)
        standing.stand_down(control, deployment_id, plan_from_json(deployment["strategy"]))
    return status


def _take_what_is_left(engine: Engine, endpoint: str) -> None:
    """What the supervisor did by itself keeps a receipt and an alert of its own. Where it cannot
    be put on record now, that is no reason for a deployment not to end."""
    try:
        take_events(engine, endpoint)
    except STATE_AWAY:
        raise
    except OpsdeckError as error:
        log.warning("events of %s: %s", endpoint, error.one_line())


@contextmanager
def _locked(engine: Engine, endpoint: str) -> Iterator[None]:
    """Hold the endpoint's routing lock, however long somebody else has it: that others change
    the routing is no reason for a deployment to fail, let alone to stay open for good."""
    with ExitStack() as held:
        while True:
            try:
                held.enter_context(release_lock(engine.workspace.endpoints_dir / endpoint))
                break
            except WrongState as error:
                log.warning("waiting: %s", error.one_line())
                engine.hold_if_stopping()
        yield


def _table(deployment: Mapping[str, Any], weight: float) -> dict[int, float]:
    table = {deployment["revision"]: weight}
    if deployment["from_revision"] is not None and weight < 100.0:
        table[deployment["from_revision"]] = 100.0 - weight
    return {revision: share for revision, share in table.items() if share > 0}


def _control(engine: Engine, endpoint: str) -> EndpointControl:
    return EndpointControl(engine.workspace.endpoints_dir / endpoint)


def _model_path(engine: Engine, endpoint: str, number: int) -> tuple[Path, Mapping[str, Any]]:
    revisions, versions = schema.revisions, schema.model_versions
    with engine.store.transaction(SYSTEM) as tx:
        row = tx.row(
            sa.select(revisions.c.model, revisions.c.version, versions.c.path)
            .join(
                versions,
                (versions.c.name == revisions.c.model)
                & (versions.c.version == revisions.c.version),
            )
            .where(revisions.c.endpoint == endpoint, revisions.c.revision == number)
        )
    if row is None:
        raise StepFailed(f"endpoint {endpoint}: revision {number} names no registered version")
    return engine.workspace.state_dir / row["path"], row
