"""The steps of the loop, each with the check that makes its outcome count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from console.demo.ledger import CheckFailed, Ledger, check
from console.demo.replay import Replay
from core.quiet import QUIET_ENVIRONMENT

if TYPE_CHECKING:
    from core.domain.gate import Approval
    from core.domain.run import Run
    from core.ops import Ops

PIPELINE = MODEL = ENDPOINT = "bike-demand"
DATA_PIPELINE, DATASET = "bike-data", "bike_hours"
RUN_SECONDS = 180.0
PARITY = 1e-6
"""How far the endpoint may be from `mlflow models predict`, relatively."""


def gather(ops: Ops, ledger: Ledger) -> None:
    """Three sources into one dataset, without code."""
    with ledger.step(f"run {DATA_PIPELINE}") as line:
        run = ops.runs.start(DATA_PIPELINE, {}, reason="demo")
        run = ops.runs.wait(run.id, timeout=RUN_SECONDS)
        check(run.status == "succeeded", f"run #{run.number} is {run.status}: {run.message}")
        dataset = ops.data.get(DATASET)
        sources = [b.node.name for b in ops.lineage.upstream(DATASET).walk()]
        check({"rentals", "weather", "calendar"} <= set(sources), f"it is made from {sources}")
        line.outcome = f"{DATASET} #{dataset.number}, {dataset.rows or 0:,} hours of three sources"


def train(ops: Ops, ledger: Ledger, month: str) -> Run:
    """Run the pipeline for a month up to its gate."""
    with ledger.step(f"run {PIPELINE} for {month}") as line:
        run = ops.runs.start(PIPELINE, {"month": month}, reason="demo")
        run = ops.runs.wait(run.id, timeout=RUN_SECONDS)
        check(run.status == "waiting", f"run #{run.number} is {run.status}: {run.message}")
        series = {s.key: len(s) for s in ops.runs.metrics(run.id)}
        check(series.get("train_loss", 0) > 1, "no training curve was logged")
        version = ops.models.get(MODEL)
        mae = version.metrics.get("mae", float("nan"))
        line.outcome = (
            f"run #{run.number}, {MODEL} v{version.version}, MAE {mae:.1f},"
            f" curves of {series['train_loss']} points"
        )
    return run


def pending(ops: Ops, run: Run) -> Approval:
    """The open approval request of a run."""
    for approval in ops.approvals.list():
        if approval.run_id == run.id:
            return approval
    raise CheckFailed(f"run #{run.number} has no open approval request")


def approve(ops: Ops, ledger: Ledger, run: Run, comment: str) -> None:
    """Approve, bound to the evidence, and see the version through to production."""
    approval = pending(ops, run)
    title = f"approve v{approval.version} and release it"
    with ledger.step(title) as line:
        check("mae" in approval.evidence["metrics"], "the evidence has no metrics")
        check(len(approval.evidence["figures"]) >= 2, "the evidence has no figures")
        ops.approvals.approve(approval.id, comment, evidence_hash=approval.evidence_hash)
        done = ops.runs.wait(run.id, timeout=RUN_SECONDS, through_gates=True)
        check(done.status == "succeeded", f"run #{run.number} is {done.status}: {done.message}")
        champion = ops.models.get(MODEL, "champion")
        check(champion.version == approval.version, f"the champion is v{champion.version}")
        endpoint = ops.endpoints.get(ENDPOINT)
        line.outcome = f"champion is v{champion.version}, served at {endpoint.url}"


def reject(ops: Ops, ledger: Ledger, run: Run) -> None:
    """Ask again from the gate on, and reject: the run ends as rejected, nothing is released."""
    with ledger.step("ask again, and reject") as line:
        champion = ops.models.get(MODEL, "champion").version
        again = ops.runs.wait(ops.runs.rerun(run.id, "gate").id, timeout=RUN_SECONDS)
        ops.approvals.reject(pending(ops, again).id, "not before the holidays")
        done = ops.runs.wait(again.id, timeout=60, through_gates=True)
        check(done.status == "rejected", f"run #{again.number} is {done.status}")
        check(ops.models.get(MODEL, "champion").version == champion, "the champion has changed")
        line.outcome = f"run #{again.number} is rejected, champion is still v{champion}"


def parity(ops: Ops, ledger: Ledger, month: str) -> None:
    """`mlflow models predict` on the champion gives the numbers that the endpoint gives."""
    with ledger.step("compare with mlflow models predict") as line:
        body = _bodies(ops.workspace.root, month)
        reply = ops.endpoints.invoke(ENDPOINT, body)
        check(reply.status == 200, f"the endpoint answered {reply.status}")
        served = json.loads(reply.body)["predictions"]
        version = ops.models.get(MODEL, "champion").version
        expected = _mlflow_predict(ops, version, body)
        check(len(served) == len(expected) > 0, f"{len(served)} against {len(expected)} numbers")
        worst = max(abs(a - b) / max(1e-12, abs(b)) for a, b in zip(served, expected, strict=True))
        check(worst <= PARITY, f"they differ by {worst:.2e}")
        line.outcome = f"{len(served)} predictions equal to within {worst:.0e}"


def roll_back(ops: Ops, ledger: Ledger) -> None:
    """Back to the previous version at once, under traffic."""
    with ledger.step("roll back under traffic") as line:
        before = ops.models.get(MODEL, "champion").version
        good = ops.models.get(MODEL, "previous").version
        receipt = ops.endpoints.rollback(ENDPOINT, reason="demo: going back under traffic")
        check(receipt.requests_failed == 0, f"{receipt.requests_failed} requests failed")
        check((receipt.from_version, receipt.to_version) == (before, good), "wrong versions")
        check(ops.models.get(MODEL, "champion").version == good, "the alias did not move")
        body = _bodies(ops.workspace.root, "2012-03")
        variant = ops.endpoints.invoke(ENDPOINT, body).revision
        stable = next(r for r in ops.endpoints.get(ENDPOINT).revisions if r.state == "stable")
        check(variant == stable.revision, f"revision {variant} answered, not {stable.revision}")
        line.outcome = (
            f"v{before} → v{good} in {receipt.milliseconds:.1f} ms, 0 requests failed,"
            f" receipt {receipt.id}"
        )


def traffic_counts(ledger: Ledger, replay: Replay) -> None:
    """What the client has seen so far: a canary, a promotion and a rollback."""
    with ledger.step("count what the client saw") as line:
        counts = replay.counts
        check(counts.sent > 50, f"only {counts.sent} requests were sent")
        check(counts.failed == 0, f"{counts.failed} requests failed: {counts.errors}")
        check(len(counts.variants) > 1, f"only {counts.variants} answered")
        shares = ", ".join(f"{name} {n}" for name, n in sorted(counts.variants.items()))
        line.outcome = f"{counts.sent} requests, 0 failed ({shares})"


def prove(ops: Ops, ledger: Ledger) -> None:
    """The journal's chain holds, and MLflow says what the state says."""
    with ledger.step("verify the journal") as line:
        report = ops.audit.verify()
        check(report.ok, f"entry {report.broken_seq} {report.reason}")
        line.outcome = f"{report.entries} entries, head {report.head[:12]}"
    with ledger.step("compare the aliases with MLflow's") as line:
        from core.tracking import open_reader

        ours = {m.name: dict(m.aliases) for m in ops.models.list()}[MODEL]
        reader = open_reader(ops.workspace.tracking_uri)
        try:
            wait_for(lambda: reader.aliases(MODEL) == ours, 20.0)
            check(reader.aliases(MODEL) == ours, f"MLflow has {reader.aliases(MODEL)}")
        finally:
            reader.close()
        line.outcome = ", ".join(f"{alias} v{version}" for alias, version in ours.items())


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until the condition holds, or the time is up; says whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _bodies(root: Path, month: str) -> bytes:
    """One request with 24 hours of a month."""
    code = (
        "import sys; from bike.traffic import requests;"
        f" sys.stdout.buffer.write(next(requests({month!r}, 24)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, timeout=30, check=True
    )
    return done.stdout


def _mlflow_predict(ops: Ops, version: int, body: bytes) -> list[float]:
    """The same rows through MLflow's own command."""
    folder = ops.workspace.state_dir / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    given, made = folder / "demo-in.json", folder / "demo-out.json"
    given.write_bytes(body)
    command = [sys.executable, "-m", "mlflow", "models", "predict", "--env-manager", "local"]
    command += ["-m", f"models:/{MODEL}/{version}", "-i", str(given), "-o", str(made)]
    env = {
        **os.environ,
        "MLFLOW_TRACKING_URI": ops.workspace.tracking_uri,
        **QUIET_ENVIRONMENT,
    }
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    try:
        last = done.stderr.strip().splitlines()[-1:] or ["no output"]
        check(done.returncode == 0, f"mlflow models predict failed: {last[0]}")
        loaded = json.loads(made.read_text())
    finally:
        given.unlink(missing_ok=True)
        made.unlink(missing_ok=True)
    rows = loaded["predictions"] if isinstance(loaded, dict) else loaded
    return [float(next(iter(row.values())) if isinstance(row, dict) else row) for row in rows]
