"""A workspace, a state with something in it, and a way to run command lines."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.main import run
from console.starter import make_workspace
from core.domain.gate import evidence_hash
from core.state import schema
from core.state.store import Store

NOW = 1_780_000_000.0
EVIDENCE = {
    "metrics": {"mae": 40.5, "r2": 0.93},
    "champion": {"version": 1, "metrics": {"mae": 45.0, "r2": 0.91}},
    "lineage": {"commit": "0123abcd"},
}


@dataclass(frozen=True)
class Result:
    """How a command line ended and what it printed."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)


Cli = Callable[..., Result]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run one command line in this process."""

    def call(*args: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        status = run([str(each) for each in args])
        out, err = capsys.readouterr()
        return Result(status, out, err)

    return call


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small workspace, which is also the present folder; no worker is ever started in it."""
    root = tmp_path / "hello-space"
    make_workspace(root, None)
    monkeypatch.chdir(root)
    monkeypatch.setattr("core.services.workers.start_worker", lambda _workspace: 0)
    return root


@pytest.fixture
def seeded(workspace: Path) -> Path:
    """The workspace with four runs, a model, an open request and an endpoint in its state."""
    store = Store(f"sqlite:///{workspace / '.opsdeck' / 'state.db'}")
    store.migrate()
    with store.transaction("author") as tx:
        for number, status in enumerate(("succeeded", "failed", "cancelled", "waiting"), start=1):
            tx.execute(schema.runs.insert().values(_run(number, status)))
            tx.execute(schema.step_runs.insert().values(_step(number, status)))
            tx.journal("run.request", f"run/{number}", pipeline="hello")
        for version in (1, 2):
            tx.execute(schema.model_versions.insert().values(_version(version)))
        for alias, version in (("champion", 1), ("candidate", 2)):
            values = {"name": "demand", "alias": alias, "version": version, "updated_at": NOW}
            tx.execute(schema.model_aliases.insert().values(values))
        for name, environment in (("a1b2c3", "production"), ("d4e5f6", "staging")):
            tx.execute(schema.approvals.insert().values(_approval(name, environment)))
        tx.execute(
            schema.endpoints.insert().values(
                name="demand",
                environment="local",
                status="stopped",
                host="127.0.0.1",
                port=0,
                created_at=NOW,
                updated_at=NOW,
            )
        )
    store.close()
    return workspace


def _run(number: int, status: str) -> dict[str, Any]:
    return {
        "id": f"{number:08x}-run",
        "number": number,
        "pipeline": "hello",
        "status": status,
        "params": json.dumps({"count": number}),
        "spec": "{}",
        "created_at": NOW,
        "started_at": NOW + 1,
        "ended_at": None if status == "waiting" else NOW + 5,
        "requested_by": "author",
        "message": "step total failed" if status == "failed" else "",
    }


def _step(number: int, status: str) -> dict[str, Any]:
    return {
        "run_id": f"{number:08x}-run",
        "step": "total",
        "position": 0,
        "kind": "function",
        "needs": "[]",
        "status": status,
        "attempt": 1,
        "started_at": NOW + 1,
        "ended_at": None if status == "waiting" else NOW + 5,
    }


def _version(version: int) -> dict[str, Any]:
    return {
        "name": "demand",
        "version": version,
        "run_id": f"{version:08x}-run",
        "step": "register",
        "path": f"artifacts/{version}",
        "digest": "ab" * 32,
        "created_at": NOW,
        "metrics": json.dumps({"mae": 40.0 + version}),
    }


def _approval(name: str, environment: str) -> dict[str, Any]:
    return {
        "id": name,
        "gate": "gate",
        "run_id": "00000004-run",
        "step": "gate",
        "model": "demand",
        "version": 2,
        "environment": environment,
        "status": "open",
        "evidence": json.dumps(EVIDENCE),
        "evidence_hash": evidence_hash(EVIDENCE),
        "requested_by": "author",
        "opened_at": NOW,
        "workflow_id": f"w-{name}",
    }
