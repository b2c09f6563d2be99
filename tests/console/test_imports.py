"""What a command loads: nothing heavy, and next to nothing for help."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NEVER = {"mlflow", "pandas", "sklearn", "dbos", "sagemaker", "numpy", "boto3"}
NOT_TO_READ = {*NEVER, "sqlalchemy", "alembic", "pydantic", "httpx", "textual", "rich", "plotext"}
NOT_FOR_HELP = {*NOT_TO_READ, "sqlite3", "yaml", "asyncio", "subprocess"}


def loaded_by(args: list[str], folder: Path, before: str = "") -> tuple[set[str], int]:
    """The modules that a fresh interpreter has loaded after a command, and its status."""
    script = (
        f"{before}\nimport sys\nfrom console.main import run\nstatus = run({args!r})\n"
        "import json\nprint(json.dumps([sorted(sys.modules), status]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    modules, status = json.loads(done.stdout.splitlines()[-1])
    return {name.split(".")[0] for name in modules}, status


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["rnus"]])
def test_the_root_loads_no_noun(args: list[str], tmp_path: Path) -> None:
    modules, _ = loaded_by(args, tmp_path)
    assert not modules & NOT_FOR_HELP


@pytest.mark.parametrize(
    "noun",
    ["pipelines", "runs", "models", "approvals", "endpoints", "audit", "contexts", "aws"],
)
def test_a_nouns_help_reads_nothing(noun: str, tmp_path: Path) -> None:
    modules, status = loaded_by([noun, "--help"], tmp_path)
    assert status == 0
    assert not modules & (NOT_TO_READ | {"sqlite3", "yaml"})


@pytest.mark.parametrize(
    "args",
    [
        ["runs", "list"],
        ["runs", "show", "1"],
        ["runs", "logs", "1"],
        ["models", "list"],
        ["approvals", "list"],
        ["endpoints", "list"],
        ["audit", "verify"],
        ["pipelines", "list"],
    ],
    ids=" ".join,
)
def test_reading_needs_no_database_library(args: list[str], seeded: Path) -> None:
    modules, status = loaded_by(args, seeded)
    assert status == 0
    assert not modules & NOT_TO_READ


@pytest.mark.parametrize(
    "args",
    [["contexts", "list"], ["aws", "kinds"], ["aws", "calls", "endpoints"], ["runs", "list"]],
    ids=" ".join,
)
def test_nothing_but_an_account_loads_boto3(args: list[str], seeded: Path) -> None:
    modules, status = loaded_by(args, seeded)
    assert status == 0
    assert not modules & {*NOT_TO_READ, "botocore", "moto"}


def test_changing_loads_sqlalchemy_but_nothing_heavier(seeded: Path) -> None:
    no_worker = "import core.services.workers as w\nw.start_worker = lambda _: 0"
    modules, status = loaded_by(["approvals", "approve", "d4"], seeded, no_worker)
    assert status == 0
    assert "sqlalchemy" in modules
    assert not modules & NEVER
