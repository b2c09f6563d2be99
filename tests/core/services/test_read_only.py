"""A read-only session changes nothing: every method of every service is tried.

A method is a read only where it stands in `READS`; any other, and so every new one, has to
refuse. The reads are called too, and must leave the state as it is.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from core.errors import ModelUnusable, NotFound, OpsdeckError, ReadOnly
from core.ops import Ops
from core.quality.errors import NoExpectations
from core.state.migrations import upgrade
from core.state.schema import metadata
from tests.support.opened import OpenAs, raw

READS = {
    "alarms.get",
    "alarms.history",
    "alarms.list",
    "alarms.series",
    "series.latest",
    "series.list",
    "series.read",
    "slos.get",
    "slos.list",
    "alerts.count",
    "alerts.deliveries",
    "alerts.detail",
    "alerts.get",
    "alerts.list",
    "alerts.oncall",
    "alerts.people",
    "alerts.silences",
    "alerts.targets",
    "alerts.triage",
    "alerts.waiting",
    "approvals.get",
    "approvals.list",
    "captures.export",  # writes where it is told to, not here
    "captures.list",
    "captures.logs",
    "captures.summary",
    "labels.coverage",
    "audit.count",
    "audit.list",
    "audit.verify",
    "explaining.explain",
    "explaining.explain_row",
    "explaining.of_model",
    "explore.card",
    "explore.diff",
    "explore.kept",
    "explore.profile",
    "explore.sample",
    "explore.write_card",
    "quality.expectations",
    "quality.export_constraints",
    "quality.export_held",
    "quality.held",
    "quality.held_rows",
    "quality.lint",
    "quality.preview_hold",
    "quality.quarantined",
    "quality.validate",
    "quality.validation",
    "quality.validations",
    "data.catalogue",
    "data.close",
    "data.get",
    "data.list",
    "data.refs",
    "data.rollback_preview",
    "data.schema",
    "data.schema_difference",
    "data.snapshot",
    "data.snapshots",
    "governance.close",
    "queries.close",
    "ingest.get",
    "ingest.list",
    "crawls.get",
    "crawls.list",
    "intakes.get",
    "intakes.list",
    "endpoints.config",
    "endpoints.deployment",
    "endpoints.disagreements",
    "endpoints.environment_for",
    "endpoints.get",
    "endpoints.invoke",  # asks what is served; what it does not do is change it
    "endpoints.list",
    "endpoints.plan_for",
    "endpoints.presets",
    "endpoints.preview",
    "endpoints.preview_deploy",
    "endpoints.preview_rollback",
    "governance.grants",
    "governance.handed_on",
    "governance.labels",
    "governance.whocan",
    "fairness.of_model",
    "fairness.report",  # writes where it is told to, not here
    "features.find",
    "features.get",
    "features.history",
    "features.join_table",
    "features.list",
    "features.names",
    "features.problems",
    "features.skews",
    "features.versions",
    "labelling.due",
    "labelling.get",
    "labelling.queue",
    "labelling.queues",
    "labelling.status",
    "lineage.downstream",
    "lineage.events",
    "lineage.find",
    "lineage.impact",
    "lineage.send",  # writes where it is told to, not here
    "lineage.upstream",
    "models.get",
    "models.list",
    "models.versions",
    "monitors.baselines",
    "monitors.compare_baselines",
    "monitors.definition",
    "monitors.distribution",
    "monitors.due",
    "monitors.export",  # writes where it is told to, not here
    "monitors.find",
    "monitors.get",
    "monitors.list",
    "monitors.measurements",
    "monitors.problems",
    "monitors.runs",
    "monitors.show_baseline",
    "monitors.suggest",
    "pipelines.compiled",
    "pipelines.list",
    "pipelines.show",
    "pipelines.validate",
    "pulse.snapshot",
    "queries.catalogue",
    "queries.explain",
    "queries.export",  # writes where it is told to, not here
    "queries.history",
    "queries.run",
    "queries.table",
    "queries.write",  # the same
    "recipes.categories",
    "recipes.files",
    "recipes.preview",
    "recipes.transformation",
    "recipes.transformations",
    "recipes.validate",
    "remote.due",
    "runs.count",
    "runs.debug",
    "runs.get",
    "runs.list",
    "runs.logs",
    "runs.metrics",
    "runs.trials",
    "runs.wait",
    "splits.leaks",
    "triggers.firing",
    "triggers.firings",
    "triggers.get",
    "triggers.list",
    "triggers.outlook",
    "triggers.problems",
    "views.due",
    "views.files",
    "views.get",
    "views.in_order",
    "views.list",
    "workers.alive",
    "workers.list",
}
NO_SERVICES = {"aside"}


def methods(ops: Ops) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public method of every service, by its name in the facade."""
    for service, kind in vars(type(ops)).items():
        if isinstance(kind, cached_property) and service not in NO_SERVICES:
            for name, _ in inspect.getmembers(type(getattr(ops, service)), inspect.isfunction):
                if not name.startswith("_"):
                    yield f"{service}.{name}", getattr(getattr(ops, service), name)


def plausible(method: Callable[..., Any]) -> dict[str, Any]:
    """Arguments for every parameter that must be given."""
    values: dict[str, Any] = {"body": b"{}", "params": {}, "pipeline": "chain"}
    values |= dict.fromkeys(("name", "dataset", "ref", "which"), "nothing") | {"refs": ["nothing"]}
    values |= {"sql": "FROM nothing", "path": Path("/nowhere/rows.csv"), "format": "csv"}
    return {
        name: values.get(name, "1")
        for name, parameter in inspect.signature(method).parameters.items()
        if parameter.default is parameter.empty
    }


def state(ops: Ops) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    url = ops.workspace.database_url
    return {name: sorted(raw(url, f"SELECT * FROM {name}"), key=repr) for name in metadata.tables}


@pytest.fixture
def reading(ops: Ops, open_as: OpenAs) -> Ops:
    """A read-only session on a workspace with a run."""
    ops.runs.start("chain", {})
    return open_as("eve", read_only=True)


def test_the_list_names_methods_that_exist(reading: Ops) -> None:
    names = {name for name, _ in methods(reading)}
    assert names >= READS
    assert names - READS >= {
        "approvals.approve",
        "approvals.reject",
        "endpoints.abort",
        "endpoints.control",
        "endpoints.deploy",
        "endpoints.promote",
        "endpoints.rollback",
        "runs.cancel",
        "runs.rerun",
        "runs.resume",
        "runs.start",
        "workers.ensure",
        "workers.stop",
        "workers.wake",
    }


def test_every_change_is_refused_before_anything_else(reading: Ops, woken: list[Any]) -> None:
    before = state(reading)
    woken.clear()
    for name, method in methods(reading):
        if name not in READS:
            with pytest.raises(ReadOnly, match="this session is read-only"):
                method(**plausible(method))
                pytest.fail(f"{name} changes something, or belongs into READS")
    assert state(reading) == before
    assert not woken, "no worker was started"


def test_every_read_leaves_the_state_as_it_is(
    reading: Ops, woken: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # some write where they are told to
    before = state(reading)
    woken.clear()
    for name, method in methods(reading):
        if name in READS:
            arguments = plausible(method) | ({"timeout": 0.01} if name == "runs.wait" else {})
            try:
                method(**arguments)
            except (NotFound, NoExpectations, ModelUnusable):
                pass  # there is no such model, endpoint or dataset
            except OpsdeckError as error:
                pytest.fail(f"{name}: {error.one_line()}")
    assert state(reading) == before
    assert not woken
    assert not list(reading.workspace.root.glob(".opsdeck/endpoints/*"))


def test_the_session_itself_gives_no_transaction(reading: Ops) -> None:
    with pytest.raises(ReadOnly, match="anything"), reading.session.change("anything"):
        pytest.fail("it may not come to this")


def test_a_read_only_session_makes_no_schema(open_as: OpenAs, monkeypatch: Any) -> None:
    monkeypatch.setattr("core.state.migrations.upgrade", lambda *_: pytest.fail(str(upgrade)))
    ops = open_as("eve", read_only=True)
    assert ops.runs.list() == ()
    with pytest.raises(ReadOnly):
        ops.runs.start("chain", {})
