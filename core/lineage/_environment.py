"""What is installed beside an interpreter, as a list that can be hashed and compared."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadInput

_TIMEOUT = 30.0

# Run by the interpreter in question, whatever its version: old syntax, standard library only.
_PROBE = r"""
import json, platform, sys
from importlib import metadata
found = set()
for dist in metadata.distributions():
    name = dist.metadata["Name"]
    if name:
        found.add("%s==%s" % (name.lower().replace("_", "-").replace(".", "-"), dist.version))
json.dump({
    "implementation": platform.python_implementation(),
    "python": platform.python_version(),
    "platform": "%s-%s" % (platform.system().lower(), platform.machine()),
    "packages": sorted(found),
}, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class EnvironmentLock:
    """The packages of an interpreter: sorted `name==version`, names normalised.

    `sha256` is over implementation, version, platform and packages, and equal in two
    places exactly when these are.
    """

    python: str
    implementation: str
    platform: str
    packages: tuple[str, ...]
    sha256: str

    def as_text(self) -> str:
        """In the manner of a requirements file, with the interpreter in a comment."""
        head = f"# {self.implementation} {self.python} {self.platform}"
        return "\n".join((head, *self.packages)) + "\n"


_cache: dict[tuple[object, ...], EnvironmentLock] = {}
_cache_lock = threading.Lock()


def environment_lock(python: str | None = None) -> EnvironmentLock:
    """The lock of the interpreter `python` (path or name on PATH; None: our own).

    Read through importlib.metadata in a process of that interpreter (about 0.2 s), then
    cached until a package folder of it changes. Raises `BadInput` if it can't be run.
    """
    executable = python or sys.executable
    with _cache_lock:
        key = _fingerprint(executable)
        lock = _cache.get(key)
        if lock is None:
            lock = _cache[key] = _probe(executable)
        return lock


def _fingerprint(executable: str) -> tuple[object, ...]:
    # Installing or removing a package touches its site-packages folder.
    times: list[object] = [executable]
    base = Path(executable).parent.parent
    for folder in (Path(executable), *sorted(base.glob("lib/python3*/site-packages"))):
        try:
            times.append((str(folder), folder.stat().st_mtime_ns))
        except OSError:
            times.append((str(folder), None))
    return tuple(times)


def _probe(executable: str) -> EnvironmentLock:
    # -I would hide packages of PYTHONPATH which the step sees: keep them, but not our folder.
    command = [executable, "-c", f"import sys; sys.path[:] = filter(None, sys.path)\n{_PROBE}"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    hint = "give a Python 3.8 or newer that can be run"
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_TIMEOUT, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"python {executable}: could not be run: {error}", hint) from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        reason = last[0] if last else f"exit status {done.returncode}"
        raise BadInput(f"python {executable}: could not list its packages: {reason}", hint)
    found = json.loads(done.stdout)
    canonical = json.dumps(found, sort_keys=True, separators=(",", ":")).encode()
    return EnvironmentLock(
        python=found["python"],
        implementation=found["implementation"],
        platform=found["platform"],
        packages=tuple(found["packages"]),
        sha256=hashlib.sha256(canonical).hexdigest(),
    )
