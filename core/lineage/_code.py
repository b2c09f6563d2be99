"""The state of a workspace's code when a run starts: commit, branch, changes on top."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from core.lineage._content import ContentUnreadable, hash_file
from core.lineage._environment import environment_lock
from core.lineage._redact import redact_secrets, strip_credentials

MAX_DIFF_BYTES = 1024 * 1024
MAX_UNTRACKED = 200
MAX_UNTRACKED_BYTES = 16 * 1024 * 1024

_TIMEOUT = 10.0
_READ = 64 * 1024
# One hash over everything; a diff much larger than this is data, not code.
_MAX_DIFF_READ = 64 * 1024 * 1024

CodeStatus = Literal["ok", "no-commits", "no-repository", "no-git", "unreadable"]


@dataclass(frozen=True, slots=True)
class UntrackedFile:
    """A file git doesn't know and doesn't ignore; `sha256` is "" when it was not read."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CodeState:
    """What the code was.

    `status` says how much is known: "ok"; "no-commits" (no `commit`, no `diff`);
    "no-repository"; "no-git" (not installed); "unreadable", with git's words in `detail`.
    `dirty`: there are changes to tracked files, or untracked ones. `diff` is that of tracked
    files against `commit`, with obvious secrets redacted and cut at `MAX_DIFF_BYTES`
    (`diff_truncated`); `diff_sha256` is over git's full diff as it came, "" when there is
    none. `untracked` holds at most `MAX_UNTRACKED` files of `untracked_count`, hashed up to
    `MAX_UNTRACKED_BYTES` together. Paths are relative to the workspace, which may lie below
    the repository's root; changes outside of it are not looked at.
    `environment_sha256` is the environment lock's, "" when no interpreter was given.
    """

    status: CodeStatus
    commit: str = ""
    branch: str = ""
    remote: str = ""
    dirty: bool = False
    diff: str = ""
    diff_sha256: str = ""
    diff_truncated: bool = False
    untracked: tuple[UntrackedFile, ...] = ()
    untracked_count: int = 0
    environment_sha256: str = ""
    detail: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


class _GitFailed(Exception):
    """git can't be run, takes too long, or refuses."""


def capture_lineage(workspace_root: Path, python: str | None = None) -> CodeState:
    """The code state of a workspace, and of the environment of `python` where given.

    Never raises for what git says (see `CodeState.status`), so that a run starts without it;
    each git call ends after 10 s. Raises `BadInput` when `python` can't be run.
    """
    environment = environment_lock(python).sha256 if python is not None else ""
    try:
        return _capture(workspace_root, environment)
    except FileNotFoundError:
        return CodeState("no-git", environment_sha256=environment, detail="git is not installed")
    except (_GitFailed, OSError) as error:
        return CodeState("unreadable", environment_sha256=environment, detail=str(error))


def _capture(root: Path, environment: str) -> CodeState:
    if not root.is_dir():
        raise _GitFailed(f"{root}: not a folder")
    prefix, words = _git(root, "rev-parse", "--show-prefix")
    if words is not None:
        if "not a git repository" in words:
            return CodeState(
                "no-repository",
                environment_sha256=environment,
                detail=f"{root}: not in a git repository",
            )
        raise _GitFailed(words)
    options = ("--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--no-renames")
    status, words = _git(root, "status", *options, "--", ".")
    if words is not None:
        raise _GitFailed(words)
    commit, branch, changed, untracked = _parse_status(status)
    remote = _remote(root)
    # git names untracked files from the repository's root, wherever it is asked.
    untracked = [path.removeprefix(prefix.rstrip("\n")) for path in untracked]
    files = _untracked(root, untracked)
    dirty = changed or bool(untracked)
    if not commit:
        return CodeState(
            "no-commits",
            "",
            branch,
            remote,
            dirty,
            untracked=files,
            untracked_count=len(untracked),
            environment_sha256=environment,
            detail="the repository has no commit yet",
        )
    diff, digest, truncated = _diff(root) if changed else ("", "", False)
    return CodeState(
        "ok",
        commit,
        branch,
        remote,
        dirty,
        diff,
        digest,
        truncated,
        files,
        len(untracked),
        environment,
    )


def _parse_status(output: str) -> tuple[str, str, bool, list[str]]:
    """Commit ("" if none), branch ("" if detached), changes to tracked files, untracked paths."""
    commit, branch, changed, untracked = "", "", False, []
    for entry in output.split("\0"):
        if entry.startswith("# branch.oid "):
            oid = entry.removeprefix("# branch.oid ")
            commit = "" if oid == "(initial)" else oid
        elif entry.startswith("# branch.head "):
            head = entry.removeprefix("# branch.head ")
            branch = "" if head == "(detached)" else head
        elif entry.startswith("? "):
            untracked.append(entry[2:])
        elif entry and not entry.startswith("#"):
            changed = True
    return commit, branch, changed, sorted(untracked)


def _remote(root: Path) -> str:
    output, words = _git(root, "config", "--get-regexp", r"^remote\..*\.url$")
    if words is not None:  # no remote at all is git's exit status 1, without a word
        return ""
    urls = dict(line.split(" ", 1) for line in output.splitlines() if " " in line)
    url = urls.get("remote.origin.url") or next(iter(urls.values()), "")
    return strip_credentials(url)


def _untracked(root: Path, paths: list[str]) -> tuple[UntrackedFile, ...]:
    files: list[UntrackedFile] = []
    room = MAX_UNTRACKED_BYTES
    for path in paths[:MAX_UNTRACKED]:
        full = root / path
        # A name that isn't UTF-8 can't go into a database or JSON as it stands.
        shown = os.fsencode(path).decode("utf-8", errors="backslashreplace")
        try:
            size = full.lstat().st_size
            digest = ""
            if size <= room and full.is_file() and not full.is_symlink():
                digest = hash_file(full)
                room -= size
        except OSError:  # gone since git looked
            size, digest = 0, ""
        except ContentUnreadable:  # not for us to read: listed, without a hash
            digest = ""
        files.append(UntrackedFile(shown, size, digest))
    return tuple(files)


def _diff(root: Path) -> tuple[str, str, bool]:
    """The diff's text (redacted and cut), the hash of the full diff, and whether it was cut."""
    command = _command(
        root,
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        "--relative",
        "HEAD",
        "--",
        ".",
    )
    digest, kept, total = hashlib.sha256(), bytearray(), 0
    deadline = time.monotonic() + _TIMEOUT
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
    ) as process:
        # A kill ends the output, and with it the loop: git can't hang us.
        alarm = threading.Timer(_TIMEOUT, process.kill)
        alarm.daemon = True
        alarm.start()
        assert process.stdout is not None
        while block := process.stdout.read(_READ):
            digest.update(block)
            total += len(block)
            if len(kept) < MAX_DIFF_BYTES:
                kept += block[: MAX_DIFF_BYTES - len(kept)]
            if total > _MAX_DIFF_READ:
                process.kill()
                break
        status = process.wait()
        alarm.cancel()
    if total > _MAX_DIFF_READ:
        # No hash: it would not be of the full diff.
        return _shown(kept), "", True
    if status != 0:
        late = time.monotonic() >= deadline
        raise _GitFailed(f"git diff {'took too long' if late else f'ended with {status}'}")
    return _shown(kept), digest.hexdigest(), total > MAX_DIFF_BYTES


def _shown(kept: bytearray) -> str:
    if len(kept) >= MAX_DIFF_BYTES:  # cut between lines: half a secret looks like nothing
        del kept[kept.rfind(b"\n") + 1 :]
    return redact_secrets(kept.decode("utf-8", errors="replace"))


def _git(root: Path, *arguments: str) -> tuple[str, str | None]:
    """Output, and None or git's complaint."""
    try:
        done = subprocess.run(
            _command(root, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _GitFailed(f"git {arguments[0]} took more than {_TIMEOUT:g} s") from error
    if done.returncode != 0:
        words = " ".join(done.stderr.decode(errors="replace").split())
        return "", words or f"git {arguments[0]} ended with {done.returncode}"
    return done.stdout.decode("utf-8", errors="surrogateescape"), None


def _command(root: Path, *arguments: str) -> list[str]:
    # A repository's own settings must not make a look at it run programs.
    return [
        "git",
        "-C",
        str(root),
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.quotePath=false",
        *arguments,
    ]


def _environment() -> dict[str, str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        # A git hook or alias that starts us would otherwise point us at its own repository.
        if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    }
    environment.update(GIT_OPTIONAL_LOCKS="0", GIT_TERMINAL_PROMPT="0", LC_ALL="C")
    return environment
