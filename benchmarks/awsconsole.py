"""What the console on an AWS account costs: the first screen with data, and the first commands.

The simulated account runs in a process of its own, so that only the console's CPU seconds are
counted: from the start of the process until the first list has been drawn.

    python benchmarks/awsconsole.py [--mode deploys]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 1.0
CHILD = """
import asyncio, resource, sys
from core.aws.account import Account
from core.aws.context import AwsContext
from console.app import OpsdeckApp
from screens.aws.backend import AwsBackend

def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

async def main():
    account = Account(AwsContext("bench", region="eu-west-1", endpoint_url=sys.argv[1]))
    app = OpsdeckApp(AwsBackend(account), start_mode=sys.argv[2])
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        frame = spent()
        while not app.readings or "reading" in str(app.mode_screen.status()):
            await asyncio.sleep(0.01)
        await pilot.pause()
        print(f"{frame:.3f} {spent():.3f} {'boto3' in sys.modules}")
        app.stop_reading()

asyncio.run(main())
"""


def measured(url: str, mode: str) -> tuple[float, float]:
    """CPU seconds until the first frame, and until the first data stand on the screen."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, url, mode],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    frame, data, _ = done.stdout.split()
    return float(frame), float(data)


def command(url: str, *args: str) -> float:
    """CPU seconds of a command."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "contexts.yaml"
        config.write_text(f"contexts: {{bench: {{region: eu-west-1, endpoint_url: '{url}'}}}}\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "console.main", "--context", "bench", *args],
            cwd=ROOT,
            env={**os.environ, "OPSDECK_CONFIG_DIR": folder},
            stdout=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure, print, and exit 1 where a budget is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", action="append", default=[])
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "-m", "core.simulated", "--parent"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    good = True
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        for mode in asked.mode or ["pulse", "runs", "deploys"]:
            runs = [measured(url, mode) for _ in range(asked.runs)]
            frame, data = (min(values) for values in zip(*runs, strict=True))
            good = good and data <= BUDGET
            print(f"{mode:<10} first frame {frame:.2f} s, first data {data:.2f} s CPU")
        print(f"aws list endpoints: {command(url, 'aws', 'list', 'endpoints'):.2f} s CPU")
    finally:
        server.terminate()
        server.wait(10)
    print(f"budget of the first data: {BUDGET:g} s: {'met' if good else 'NOT met'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
