"""A workspace whose pipelines run in the simulated account, driven look by look."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from core.aws.context import AwsContext, add_context
from core.domain.run import RunDetail
from core.ops import Ops, open_ops

if TYPE_CHECKING:
    from core.simulated.server import SimulatedAccount

BUCKET = "artifacts"
ROLE = "arn:aws:iam::123456789012:role/jobs"
PIPELINE = """
name: demand
params: {month: "2012-01", seed: 7}
sagemaker:
  role: arn:aws:iam::123456789012:role/jobs
  bucket: artifacts
  image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/work:1
  serving_image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/serve:1
defaults: {retries: 0, timeout: 10m}
steps:
  load: {function: "steps:load"}
  train:
    function: steps:train
    inputs: {rows: load.load, seed: "${params.seed}"}
    outputs: [model]
  judge:
    function: steps:judge
    inputs: {model: train.model}
    outputs: [metrics]
  register:
    register: {model: train.model, name: demand, metrics: judge.metrics}
"""
GATE = """
  gate:
    gate: {environment: production, evidence: [judge]}
"""
DEPLOY = """
  deploy:
    deploy: {endpoint: demand, strategy: [{set_weight: 100}]}
"""
STEPS = """
def load(month): return {"month": month}
def train(rows, seed): return {}
def judge(model): return {"mae": 1.0}
"""


@dataclass
class Site:
    """The workspace and the account that its runs happen in."""

    root: Path
    ops: Ops
    account: SimulatedAccount
    client: Callable[[str], Any]

    def pipeline(self, text: str, name: str = "demand") -> None:
        """Write a pipeline file."""
        (self.root / "pipelines" / f"{name}.yaml").write_text(textwrap.dedent(text))

    def start(self, on: Any = "sagemaker", name: str = "demand", **params: str) -> str:
        """Ask for a run there; its id."""
        return self.ops.runs.start(name, params, on=on, context="sim").id

    def look(self, run: str, seconds: float = 90.0) -> RunDetail:
        """Let time pass there, and have one look taken."""
        self.account.advance(seconds)
        with self.ops.session.change("test") as tx:
            from core.aws.running.rows import wake

            wake(tx, run)
        self.ops.remote.advance(run)
        return self.ops.runs.get(run)

    def until(self, run: str, done: Callable[[RunDetail], bool], looks: int = 80) -> RunDetail:
        """Look until something holds."""
        for _ in range(looks):
            found = self.look(run)
            if done(found):
                return found
        states = {step.step: str(step.status) for step in found.steps}
        raise AssertionError(f"{found.run.status} {found.run.message}: {states}")

    def ended(self, run: str) -> RunDetail:
        """Look until the run has ended."""
        return self.until(run, lambda found: found.run.status.ended)


@pytest.fixture
def site(
    tmp_path: Path,
    aws: SimulatedAccount,
    client: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    from core.services.workers import WorkersService
    from core.simulated.server import REGION

    monkeypatch.setattr(WorkersService, "wake", lambda self: None)
    monkeypatch.setenv("OPSDECK_CONFIG_DIR", str(tmp_path / "config"))
    add_context(AwsContext("sim", region=REGION, endpoint_url=aws.endpoint_url))
    root = tmp_path / "site"
    (root / "pipelines").mkdir(parents=True)
    (root / "opsdeck.yaml").write_text("name: site\n")
    (root / "steps.py").write_text(STEPS)
    client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    with open_ops(root, actor="ann") as ops:
        found = Site(root, ops, aws, client)
        found.pipeline(PIPELINE)
        yield found
