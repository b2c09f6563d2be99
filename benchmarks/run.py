"""All benchmarks, one after the other: `make bench`, or `python benchmarks/run.py [NAME…]`.

Every other module of this folder is one benchmark: a script that prints a table and writes
`benchmarks/results/NAME.json`. Exits 1 if any of them failed or was over its budget.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
LIMIT_SECONDS = 1800


def names() -> list[str]:
    """The benchmarks there are, by name."""
    return sorted(each.stem for each in HERE.glob("[a-z]*.py") if each.stem != "run")


def run(name: str) -> bool:
    """Run one benchmark, its table going to standard output; whether it went well."""
    print(f"== {name}", flush=True)
    begun = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py")],
            cwd=HERE.parent,
            env={**os.environ, **QUIET},
            timeout=LIMIT_SECONDS,
            check=False,
        )
        well, said = done.returncode == 0, f"exit {done.returncode}"
    except subprocess.TimeoutExpired:
        well, said = False, f"not done after {LIMIT_SECONDS} s"
    took = f"{time.monotonic() - begun:.0f} s"
    print(f"-- {name}: {'done' if well else said} in {took}\n", flush=True)
    return well


def main(wanted: list[str]) -> int:
    """Run the benchmarks named, or all."""
    known = names()
    unknown = [name for name in wanted if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    failed = [name for name in wanted or known if not run(name)]
    if failed:
        print(f"failed or over budget: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
