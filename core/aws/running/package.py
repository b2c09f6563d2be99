"""The workspace's source as one archive, the same bytes for the same files.

In a git checkout these are the files that git knows or would take; elsewhere all but hidden
ones. What begins with a dot is never taken: it may hold secrets.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from core.aws.compile.lowering import RUNNER
from core.aws.compile.requests import PACKAGE
from core.aws.running.errors import PackageFailed
from core.engine import stepchild
from core.workspace import CONFIG_NAME

CHILD, PLANS, REQUIREMENTS = "opsdeck_stepchild.py", "opsdeck_steps.json", "requirements.txt"
MOST_BYTES = 200 << 20
GIT_SECONDS = 20.0
_LEFT_OUT = frozenset({"__pycache__", "node_modules", "mlruns", CONFIG_NAME})
_ALWAYS = ("mlflow", "pandas", "pyarrow", "cloudpickle", "scikit-learn")
"""What the runner stores and loads by."""
_TRACKING = "sagemaker-mlflow"


@dataclass(frozen=True, slots=True)
class Package:
    """The archive and the runner beside it; `digest` is the SHA-256 of the archive."""

    archive: bytes
    runner: bytes
    digest: str

    @property
    def files(self) -> Mapping[str, bytes]:
        """What is put into the folder of the source."""
        return {PACKAGE: self.archive, RUNNER: self.runner}


def package(
    root: Path,
    plans: Mapping[str, Mapping[str, Any]],
    *,
    requirements: str = REQUIREMENTS,
    tracking: str = "",
) -> Package:
    """Pack the workspace; raises `PackageFailed` where it is too large or a file unreadable."""
    runner = Path(__file__).with_name("runner.py").read_bytes()
    found = {name: _bytes(root, name) for name in sorted(_names(root))}
    size = sum(len(data) for data in found.values())
    if size > MOST_BYTES:
        largest = max(found, key=lambda name: len(found[name]))
        raise PackageFailed(
            f"the source is {size / 1e6:,.0f} MB, more than {MOST_BYTES / 1e6:,.0f} MB:"
            f" {largest} is the largest",
            "keep data out of the workspace's folder, or let .gitignore name it",
        )
    wanted = found.get(requirements)
    if wanted is None:
        wanted = _pinned(found, tracking).encode()
    found |= {
        RUNNER: runner,
        CHILD: Path(stepchild.__file__).read_bytes(),
        PLANS: json.dumps(plans, sort_keys=True, indent=1, default=str).encode(),
        REQUIREMENTS: wanted,
    }
    archive = _packed(found)
    return Package(archive, runner, hashlib.sha256(archive).hexdigest())


def _packed(files: Mapping[str, bytes]) -> bytes:
    """A gzipped tar without times, owners or modes of this machine."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def _names(root: Path) -> Iterator[str]:
    for name in _by_git(root) or _by_hand(root):
        parts = PurePosixPath(name).parts
        hidden = any(part.startswith(".") or part in _LEFT_OUT for part in parts)
        path = root / name
        if not hidden and path.is_file() and path.resolve().is_relative_to(root.resolve()):
            yield name


def _by_git(root: Path) -> list[str]:
    command = ["git", "-C", str(root), "ls-files", "-z", "-c", "-o", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return (
        [each.decode() for each in done.stdout.split(b"\0") if each] if not done.returncode else []
    )


def _by_hand(root: Path) -> Iterator[str]:
    waiting = [root]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.name.startswith(".") or path.name in _LEFT_OUT or path.is_symlink():
                continue
            if path.is_dir():
                waiting.append(path)
            else:
                yield path.relative_to(root).as_posix()


def _bytes(root: Path, name: str) -> bytes:
    try:
        return (root / name).read_bytes()
    except OSError as error:
        raise PackageFailed(f"{name} can't be read: {error.strerror}") from error


# --- requirements --------------------------------------------------------------------------


def _pinned(files: Mapping[str, bytes], tracking: str) -> str:
    """What the source imports, at the versions that are installed here."""
    imported = {
        name for path, data in files.items() if path.endswith(".py") for name in _imports(data)
    }
    known = metadata.packages_distributions()
    wanted = {dist for name in imported for dist in known.get(name, ())} | set(_ALWAYS)
    if tracking.startswith("arn:"):
        wanted.add(_TRACKING)
    return "".join(f"{line}\n" for line in sorted(_lines(wanted - {"opsdeck"})))


def _imports(source: bytes) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # not for this Python: its step will say so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _lines(distributions: Iterable[str]) -> Iterator[str]:
    for name in distributions:
        try:
            yield f"{name}=={metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield name
