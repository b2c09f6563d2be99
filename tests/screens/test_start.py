"""What the console loads before its first frame, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "mlflow", "pandas", "sklearn", "numpy", "dbos", "sagemaker", "boto3", "sqlalchemy", "pydantic",
    "plotext", "httpx", "click", "matplotlib", "starlette", "uvicorn", "pyarrow", "polars",
    "duckdb", "sqlglot", "pyiceberg", "pandera",
)  # fmt: skip

PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from core.ops import open_ops
from console.app import OpsdeckApp

async def main():
    app = OpsdeckApp(open_ops(Path(sys.argv[1]), actor="engineer"), start_mode=sys.argv[2])
    async with app.run_test(size=(80, 24)) as pilot:
        while app.readings < 1:
            await pilot.pause(0.02)
        await pilot.pause()
        loaded = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps(loaded))

asyncio.run(main())
"""


@pytest.fixture
def watched(workspace: Path) -> Path:
    """A workspace whose worker was stopped on purpose: a console that only looks starts none."""
    (workspace / ".opsdeck/stopped").touch()
    return workspace


@pytest.mark.parametrize("mode", ["pulse", "runs"])
def test_nothing_heavy_is_loaded_before_the_first_frame(watched: Path, mode: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(watched), mode],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    loaded = set(json.loads(done.stdout))
    assert "textual" in loaded
    assert not loaded.intersection(HEAVY)
    assert f"screens.{'runs' if mode == 'pulse' else 'pulse'}" not in done.stdout


AWS_PROGRAM = """
import asyncio, json, sys
from core.aws.account import Account
from core.aws.context import AwsContext
from console.app import OpsdeckApp
from screens.aws.backend import AwsBackend

async def main():
    account = Account(AwsContext("away", region="eu-west-1", endpoint_url="http://127.0.0.1:9"))
    app = OpsdeckApp(AwsBackend(account), start_mode="deploys")
    async with app.run_test(size=(80, 24)) as pilot:
        app._poller.pause()
        await pilot.pause()
        loaded = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps(loaded))

AwsBackend.head = lambda self: None
Account.call = Account.pages = lambda *_, **__: iter(())
asyncio.run(main())
"""


def test_the_console_on_an_account_shows_its_frame_without_boto3(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AWS_PROGRAM], env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    loaded = set(json.loads(done.stdout))
    assert "textual" in loaded
    assert not loaded.intersection({*HEAVY, "botocore"})


def test_the_data_side_is_shown_without_its_libraries(data_template: Path, tmp_path: Path) -> None:
    """Every pane of somebody who sees a dataset in part, a query's completion, features."""
    import shutil

    program = """
import asyncio, json, sys
from pathlib import Path
from core.ops import open_ops
from console.app import OpsdeckApp
from tests.support.driving import settled

async def main():
    app = OpsdeckApp(open_ops(Path(sys.argv[1]), actor="reviewer"), start_mode="data")
    async with app.run_test(size=(80, 24)) as pilot:
        for keys in ["j"] * 5, *"ospdchal", "L", ["escape"], "8", "e", "sel", ["escape"], "9", "ms":
            await pilot.press(*keys)
            await settled(pilot)
    print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))

asyncio.run(main())
"""
    workspace = shutil.copytree(data_template, tmp_path / "seen")
    (workspace / ".opsdeck/stopped").touch()
    done = subprocess.run(
        [sys.executable, "-c", program, str(workspace)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert not set(json.loads(done.stdout)).intersection(HEAVY)


def test_it_quits_within_a_second_while_a_backend_hangs(watched: Path) -> None:
    program = """
import asyncio, sys, time
from pathlib import Path
from core.ops import open_ops
from console.app import OpsdeckApp

ops = open_ops(Path(sys.argv[1]), actor="engineer")
ops.runs.count = lambda **_: time.sleep(60)

async def main():
    app = OpsdeckApp(ops, start_mode="runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause(0.3)
        began = time.monotonic()
        await pilot.press("q")
    print(time.monotonic() - began)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(watched)],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert float(done.stdout) < 1.0
