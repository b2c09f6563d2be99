"""Deployments whose workflow was lost with a worker, between two writes or by a fault of ours:
they go on or end by themselves, and bar nobody."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from core.domain.release import Deployment
from core.errors import WrongState
from tests.support.engine import MakeSite, Site, statuses

pytestmark = pytest.mark.slow

CODE = """\
def train():
    import pandas
    from sklearn.linear_model import LinearRegression
    x = pandas.DataFrame({"hour": [float(i) for i in range(24)]})
    return LinearRegression().fit(x, x.hour * 2.0), x.head(2)
"""
TRAIN = """
train: {function: 'steps:train', outputs: [model, input_example]}
register: {register: {model: train.model, name: demand}}
"""
DEPLOY = """
deploy: {after: [register], deploy: {endpoint: %s, strategy: %s}}
"""
HOLD = "[{pause: null}, {set_weight: 100}]"
BY_HAND = [{"pause": None}, {"set_weight": 100}]
ENDPOINTS = ("cancelled", "resumed", "ended", "unstarted", "broken")


@pytest.fixture
def site(make_site: MakeSite) -> Iterator[Site]:
    """A site whose endpoints serve the first version each, and a living worker."""
    made = make_site()
    made.write("steps.py", CODE)
    made.pipeline("demand", TRAIN)
    made.start_worker()
    detail = made.run("demand", seconds=120)
    assert detail.run.status == "succeeded", made.told(detail)
    for name in ENDPOINTS:
        made.ops.endpoints.deploy(name, "demand", "1", environment="production")
    for name in ENDPOINTS:
        made.wait_for(lambda name=name: deployment(made, name).status == "succeeded", 60)  # type: ignore[misc]
    yield made
    for endpoint in made.ops.endpoints.list():
        made.ops.endpoints.control(endpoint.name).stop()


def deployment(site: Site, endpoint: str) -> Deployment:
    """The newest deployment of an endpoint."""
    found = site.ops.endpoints.get(endpoint).deployment
    assert found is not None
    return found


def until(site: Site, endpoint: str, status: str, seconds: float = 60) -> Deployment:
    """Wait for a deployment to be in a state."""
    site.wait_for(
        lambda: deployment(site, endpoint).status == status,
        seconds,
        lambda: f"{deployment(site, endpoint)}\n{site.worker_log()[-3000:]}",
    )
    return deployment(site, endpoint)


def released(site: Site, endpoint: str) -> str:
    """A run whose deployment waits for a person before it moves anything; the run's id."""
    run = site.start(site.pipeline(endpoint, TRAIN + DEPLOY % (endpoint, HOLD)))
    until(site, endpoint, "paused")
    return run


def forget(site: Site, deployment_id: str, step: str = "") -> None:
    """What a worker leaves that dies after the deployment's row and before DBOS's of it."""
    with contextlib.closing(sqlite3.connect(site.state / "dbos.db", timeout=10)) as database:
        for table in ("operation_outputs", "workflow_status"):
            database.execute(
                f"DELETE FROM {table} WHERE workflow_uuid = ?", (f"deployment:{deployment_id}",)
            )
        database.execute("DELETE FROM operation_outputs WHERE workflow_uuid = ?", (step,))
        database.commit()
    change(
        site,
        "UPDATE deployments SET status = 'queued', step_index = 0, next_at = NULL, message = '',"
        " created_at = created_at - 60 WHERE id = ?",
        deployment_id,
    )


def change(site: Site, sql: str, value: str, database_name: str = "state.db") -> None:
    """Change one row behind everybody's back."""
    with contextlib.closing(sqlite3.connect(site.state / database_name, timeout=10)) as database:
        assert database.execute(sql, (value,)).rowcount == 1, sql
        database.commit()


def test_whatever_a_dead_worker_left_open_goes_on_or_ends(site: Site) -> None:
    runs = {name: released(site, name) for name in ("cancelled", "resumed", "ended")}
    for name in ("unstarted", "broken"):
        site.ops.endpoints.deploy(
            name, "demand", "1", strategy=[{"pause": None}, {"set_weight": 100}]
        )
        until(site, name, "paused")
    ids = {name: deployment(site, name).id for name in ENDPOINTS}
    site.kill_worker()

    # Its run is cancelled before the next worker finds out that it had been opened.
    forget(site, ids["cancelled"], f"{runs['cancelled']}:1:deploy")
    site.ops.runs.cancel(runs["cancelled"])
    # Its run has ended without it, by a fault of ours; one of the two is resumed.
    for name in ("resumed", "ended"):
        forget(site, ids[name], f"{runs[name]}:1:deploy")
        ended = "UPDATE {} SET status = 'failed', ended_at = 1.0 WHERE {} = ?"
        change(site, ended.format("step_runs", "step = 'deploy' AND run_id"), runs[name])
        change(site, ended.format("runs", "id"), runs[name])
    site.ops.runs.resume(runs["resumed"])
    ours = "UPDATE workflow_status SET status = 'ERROR' WHERE workflow_uuid = ?"
    change(site, ours, f"{runs['ended']}:1:deploy", "dbos.db")
    # It was opened by hand, and what asks for its workflow is gone.
    forget(site, ids["unstarted"])
    # Its workflow ended by a fault of ours.
    change(site, ours, f"deployment:{ids['broken']}", "dbos.db")

    with pytest.raises(WrongState, match=r"version 1 .* \(paused until promoted; by tester\)"):
        site.ops.endpoints.deploy("broken", "demand", "1")
    with pytest.raises(WrongState, match=r"version 2 .* \(queued; run #2\)"):
        site.ops.endpoints.deploy("cancelled", "demand", "1")
    site.start_worker()
    detail = site.finish(runs["cancelled"])
    assert (detail.run.status, statuses(detail)["deploy"]) == ("cancelled", "cancelled")
    assert deployment(site, "cancelled").status == "aborted"
    until(site, "unstarted", "paused")
    assert "internal error" in until(site, "broken", "failed").message
    assert "its run ended before" in until(site, "ended", "failed").message
    site.wait_for(lambda: old(site, ids["resumed"]).status == "aborted", 60, site.worker_log)
    until(site, "resumed", "paused")
    assert deployment(site, "resumed").id != ids["resumed"]

    for name in ("cancelled", "broken", "ended"):  # none bars anybody
        site.ops.endpoints.deploy(name, "demand", "1", strategy=BY_HAND[1:])
        until(site, name, "succeeded")
    assert site.ops.audit.verify().ok


def old(site: Site, deployment_id: str) -> Deployment:
    """A deployment by its id."""
    from core.reads.releases import find_deployment

    return find_deployment(site.ops.session.reader, deployment_id)
