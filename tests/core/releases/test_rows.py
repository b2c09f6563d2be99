"""Endpoints' rows, whatever is done to them in whatever order: what must always hold."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.domain.release import DEPLOYMENT_ENDED, DeploymentStatus, Endpoint, Revision
from core.errors import NotFound, OpsdeckError, WrongState
from core.ids import new_id
from core.ops import Ops, open_ops
from core.releases import rows
from core.releases.rollback import Intent, record_rollback, rollback_target
from core.releases.strategy import DEFAULT_STRATEGY
from tests.support.opened import raw, write_workspace

NAME = "bike"
MODELS = ("demand", "weather")
_template: list[Path] = []


def migrated() -> Path:
    """A database with nothing in it but the schema, made once."""
    if not _template:
        from core.state.store import Store

        folder = Path(tempfile.mkdtemp(prefix="opsdeck-rows-"))
        store = Store(f"sqlite:///{folder / 'state.db'}")
        store.migrate()
        store.close()
        _template.append(folder / "state.db")
    return _template[0]


@pytest.fixture(scope="module", autouse=True)
def _take_the_template_away() -> object:
    yield
    while _template:
        shutil.rmtree(_template.pop().parent)


class Releases(RuleBasedStateMachine):
    """One endpoint through deployments, aborts, failures and rollbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="opsdeck-rows-"))
        root = write_workspace(self.folder / "space")
        (root / ".opsdeck").mkdir()
        shutil.copyfile(migrated(), root / ".opsdeck" / "state.db")
        self.ops: Ops = open_ops(root, actor="author")
        self.withdrawn: set[int] = set()
        self.served: list[int] = []  # the model: the revisions that one can go back to, in order

    def teardown(self) -> None:
        assert self.ops.audit.verify().ok
        self.ops.close()
        shutil.rmtree(self.folder)

    @property
    def endpoint(self) -> Endpoint | None:
        found = self.ops.endpoints.list()
        return found[0] if found else None

    @property
    def open_id(self) -> str | None:
        endpoint = self.endpoint
        current = endpoint.deployment if endpoint else None
        return current.id if current and current.status not in DEPLOYMENT_ENDED else None

    def stable(self) -> Revision | None:
        endpoint = self.endpoint
        found = [r for r in endpoint.revisions if r.state == "stable"] if endpoint else []
        assert len(found) <= 1, "at most one revision is in production"
        return found[0] if found else None

    def aliases(self) -> dict[tuple[str, str], int]:
        url = self.ops.workspace.database_url
        return {(n, a): v for n, a, v in raw(url, "SELECT name, alias, version FROM model_aliases")}

    @rule(model=st.sampled_from(MODELS), version=st.integers(1, 4))
    def deploy(self, model: str, version: int) -> None:
        busy = self.open_id is not None
        try:
            with self.ops.session.change("test") as tx:
                made = rows.create_deployment(
                    tx,
                    new_id(),
                    endpoint=NAME,
                    model=model,
                    version=version,
                    strategy=DEFAULT_STRATEGY,
                )
                again = rows.create_deployment(
                    tx, made["id"], endpoint=NAME, model=model, version=version, strategy=()
                )
                assert again == made, "asked twice, it is made once"
            assert not busy, "a second open deployment is refused"
        except WrongState:
            assert busy

    def current(self, tx: object) -> rows.Row:
        found = rows.open_deployment(tx, NAME)  # type: ignore[arg-type]
        assert found is not None
        return found

    @precondition(lambda self: self.open_id)
    @rule(weight=st.sampled_from([0.0, 10.0, 33.3, 50.0, 100.0]))
    def progress(self, weight: float) -> None:
        with self.ops.session.change("test") as tx:
            deployment = self.current(tx)
            if deployment["from_revision"] is None:
                weight = 100.0  # a first deployment goes all at once
            rows.set_progress(tx, deployment, DeploymentStatus.PROGRESSING, step_index=1)
            rows.record_weight(tx, deployment, weight, "more")

    @precondition(lambda self: self.open_id)
    @rule()
    def finish(self) -> None:
        before = self.stable()
        with self.ops.session.change("test") as tx:
            deployment = self.current(tx)
            leaving = rows.finish_deployment(tx, deployment)
        now = self.stable()
        assert now is not None
        assert now.revision == deployment["revision"]
        assert now.revision not in leaving
        same = before and (before.model, before.version) == (now.model, now.version)
        if same:
            self.served.pop()  # the same version again takes the other's place
        self.served.append(now.revision)

    @precondition(lambda self: self.open_id)
    @rule(
        status=st.sampled_from([DeploymentStatus.ABORTED, DeploymentStatus.FAILED]),
    )
    def withdraw(self, status: DeploymentStatus) -> None:
        before = self.stable()
        with self.ops.session.change("test") as tx:
            rows.withdraw_canary(tx, self.current(tx), status, "enough")
        after = self.stable()
        assert (after and after.revision) == (before and before.revision)

    @precondition(lambda self: self.endpoint)
    @rule(to_version=st.none() | st.integers(1, 4))
    def roll_back(self, to_version: int | None) -> None:
        endpoint, before = self.endpoint, self.stable()
        assert endpoint is not None
        was_open = self.open_id
        try:
            target = rollback_target(endpoint, to_version)
        except OpsdeckError as error:
            assert isinstance(error, WrongState if to_version is None else (WrongState, NotFound))
            if to_version is None:
                assert len(self.served) < (1 if was_open else 2), "there was something to go to"
            return
        assert target.good.state in ("stable", "previous", "retired")
        assert target.good.revision not in self.withdrawn
        if to_version is None:
            wanted = self.served[-1] if was_open else self.served[-2]
            assert target.good.revision == wanted
        else:
            assert target.good.version == to_version
        intent = Intent(
            receipt=new_id(),
            endpoint=NAME,
            bad=target.bad.revision,
            good=target.good.revision,
            actor="reviewer",
            reason="worse",
            deployment=target.deployment.id if target.deployment else None,
            at=time.time(),
        )
        numbers = {"requests_failed": 0, "in_flight": 1, "milliseconds": 0.2}
        receipt = record_rollback(self.ops.session, intent, **numbers)
        assert record_rollback(self.ops.session, intent, **numbers) == receipt
        now = self.stable()
        assert now is not None
        assert now.revision == target.good.revision
        assert self.open_id is None
        self.withdrawn.add(target.bad.revision)
        if before is not None and before.revision != now.revision:
            self.withdrawn.add(before.revision)
        after = self.endpoint
        assert after is not None
        assert [r.id for r in after.receipts].count(receipt.id) == 1
        self.served = self.good_until(after, now)

    @staticmethod
    def good_until(endpoint: Endpoint, stable: Revision) -> list[int]:
        """The revisions before this one that were good and are another version than the next."""
        found = [stable]
        for revision in sorted(endpoint.revisions, key=lambda r: -r.revision):
            good = revision.state in ("previous", "retired") and revision.revision < stable.revision
            last = found[-1]
            if good and (revision.model, revision.version) != (last.model, last.version):
                found.append(revision)
        return [revision.revision for revision in reversed(found)]

    @invariant()
    def one_open_deployment_and_its_canary(self) -> None:
        endpoint = self.endpoint
        if endpoint is not None:
            open_ones = [d for d in endpoint.history if d.status not in DEPLOYMENT_ENDED]
            canaries = [r.revision for r in endpoint.revisions if r.state == "canary"]
            assert len(open_ones) <= 1
            assert canaries == [d.revision for d in open_ones]

    @invariant()
    def weights_are_whole(self) -> None:
        endpoint, stable = self.endpoint, self.stable()
        if endpoint is not None and stable is not None:
            assert sum(r.weight for r in endpoint.revisions) == pytest.approx(100.0)
            carrying = {r.state for r in endpoint.revisions if r.weight}
            assert carrying <= {"stable", "canary"}

    @invariant()
    def aliases_tell_the_truth(self) -> None:
        endpoint, stable, aliases = self.endpoint, self.stable(), self.aliases()
        champions = {model: v for (model, alias), v in aliases.items() if alias == "champion"}
        assert champions == ({stable.model: stable.version} if stable else {})
        for model in MODELS:
            previous = aliases.get((model, "previous"))
            assert previous is None or previous != champions.get(model)
        behind = [r for r in endpoint.revisions if r.state == "previous"] if endpoint else []
        assert len(behind) <= 1
        for revision in behind:
            assert stable is not None
            assert (revision.model, revision.version) != (stable.model, stable.version)
            assert aliases[revision.model, "previous"] == revision.version

    @invariant()
    def what_was_rolled_back_stays_so(self) -> None:
        endpoint = self.endpoint
        if endpoint is not None:
            states = {r.revision: r.state for r in endpoint.revisions}
            assert {states[number] for number in self.withdrawn} <= {"rolled_back"}

    @invariant()
    def the_status_fits(self) -> None:
        found = self.ops.workspace.database_url
        status = [row[0] for row in raw(found, "SELECT status FROM endpoints")]
        if status and self.open_id is None:
            assert status == (["in_service"] if self.stable() else ["failed"])


Releases.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestReleases = Releases.TestCase


def test_a_model_served_elsewhere_keeps_its_champion(tmp_path: Path) -> None:
    root = write_workspace(tmp_path / "space")
    (root / ".opsdeck").mkdir()
    shutil.copyfile(migrated(), root / ".opsdeck" / "state.db")
    with open_ops(root, actor="author") as ops:

        def bring(endpoint: str, model: str, version: int) -> None:
            with ops.session.change("test") as tx:
                made = rows.create_deployment(
                    tx, new_id(), endpoint=endpoint, model=model, version=version, strategy=()
                )
                rows.finish_deployment(tx, made)

        def champions() -> dict[str, int]:
            sql = "SELECT name, version FROM model_aliases WHERE alias = 'champion'"
            return dict(raw(ops.workspace.database_url, sql))  # type: ignore[arg-type]

        bring("here", "demand", 1)
        bring("there", "demand", 1)
        bring("here", "weather", 1)
        assert champions() == {"demand": 1, "weather": 1}
        bring("there", "weather", 1)
        assert champions() == {"weather": 1}, "demand is in production nowhere"
