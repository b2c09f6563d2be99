"""The code state of workspaces in every state that git may be in."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from core.lineage import _code as code
from core.lineage import capture_lineage, environment_lock


def git(root: Path, *arguments: str) -> str:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@localhost",
        "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@localhost",
    }  # fmt: skip
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], env=environment, capture_output=True, timeout=20
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q", "-b", "trunk")
    (root / "train.py").write_text("depth = 3\n")
    (root / ".gitignore").write_text(".opsdeck/\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "start")
    return root


def test_a_clean_checkout(repo: Path) -> None:
    (repo / ".opsdeck").mkdir()
    (repo / ".opsdeck" / "state.db").touch()
    state = capture_lineage(repo)
    assert (state.status, state.branch, state.dirty) == ("ok", "trunk", False)
    assert state.commit == git(repo, "rev-parse", "HEAD").strip()
    assert (state.diff, state.diff_sha256, state.untracked) == ("", "", ())


def test_changes_staged_and_not(repo: Path) -> None:
    (repo / "train.py").write_text("depth = 4\n")
    (repo / "staged.py").write_text("x = 1\n")
    git(repo, "add", "staged.py")
    state = capture_lineage(repo)
    assert state.dirty
    assert "-depth = 3\n+depth = 4" in state.diff
    assert "+x = 1" in state.diff
    expected = git(repo, "diff", "--no-renames", "HEAD").encode()
    assert state.diff_sha256 == hashlib.sha256(expected).hexdigest()
    json.dumps(state.as_dict())


def test_untracked_files(repo: Path) -> None:
    (repo / "new folder").mkdir()
    (repo / "new folder" / "größe.py").write_text("x")
    (repo / "link").symlink_to("/etc/passwd")
    Path(os.fsdecode(os.fsencode(repo) + b"/\xff")).write_text("y")
    state = capture_lineage(repo)
    assert state.dirty
    assert state.diff == ""
    found = {file.path: file for file in state.untracked}
    assert set(found) == {"new folder/größe.py", "link", "\\xff"}
    assert found["new folder/größe.py"].sha256 == hashlib.sha256(b"x").hexdigest()
    assert found["link"].sha256 == "", "a link is not followed"
    json.dumps(state.as_dict()).encode()


def test_a_workspace_below_the_root(repo: Path) -> None:
    sub = repo / "ml" / "bikes"
    sub.mkdir(parents=True)
    (sub / "a.py").write_text("a = 1\n")
    git(repo, "add", ".")
    git(repo, "commit", "-qm", "more")
    (repo / "train.py").write_text("outside\n")
    assert not capture_lineage(sub).dirty, "what lies outside is not looked at"
    (sub / "a.py").write_text("a = 2\n")
    (sub / "b.py").write_text("b")
    state = capture_lineage(sub)
    assert "+a = 2" in state.diff
    assert "outside" not in state.diff
    assert "b/a.py" in state.diff
    assert [(file.path, file.sha256[:6]) for file in state.untracked] == [
        ("b.py", hashlib.sha256(b"b").hexdigest()[:6])
    ]


def test_bounds(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_DIFF_BYTES", 2000)
    monkeypatch.setattr(code, "MAX_UNTRACKED", 3)
    monkeypatch.setattr(code, "MAX_UNTRACKED_BYTES", 10)
    (repo / "train.py").write_text("".join(f"line {i}\n" for i in range(1000)))
    for name in "abcde":
        (repo / name).write_bytes(b"12345678")
    state = capture_lineage(repo)
    assert state.diff_truncated
    assert len(state.diff.encode()) <= 2000
    assert state.diff.endswith("\n")
    full = git(repo, "diff", "--no-renames", "HEAD").encode()
    assert state.diff_sha256 == hashlib.sha256(full).hexdigest()
    assert [(f.path, bool(f.sha256)) for f in state.untracked] == [
        ("a", True), ("b", False), ("c", False),
    ]  # fmt: skip
    assert state.untracked_count == 5


def test_a_detached_head(repo: Path) -> None:
    git(repo, "checkout", "-q", "--detach")
    state = capture_lineage(repo)
    assert (state.status, state.branch) == ("ok", "")
    assert len(state.commit) == 40


def test_no_commit_yet(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "a").write_text("x")
    state = capture_lineage(tmp_path)
    assert (state.status, state.commit, state.branch) == ("no-commits", "", "trunk")
    assert state.dirty
    assert [file.path for file in state.untracked] == ["a"]
    assert state.detail


def test_no_repository_no_folder_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert capture_lineage(tmp_path).status == "no-repository"
    assert capture_lineage(tmp_path / "none").status == "unreadable"
    monkeypatch.setenv("PATH", str(tmp_path))
    state = capture_lineage(tmp_path)
    assert (state.status, state.detail) == ("no-git", "git is not installed")


def test_a_broken_repository(repo: Path) -> None:
    (repo / ".git" / "index").write_bytes(b"broken")
    state = capture_lineage(repo)
    assert state.status == "unreadable"
    assert "index" in state.detail


def test_the_remote_without_its_credentials(repo: Path) -> None:
    git(repo, "remote", "add", "origin", "https://me:sekrit@git.localhost:8443/team/repo.git?t=1")
    state = capture_lineage(repo)
    assert state.remote == "https://git.localhost:8443/team/repo.git"
    assert "sekrit" not in json.dumps(state.as_dict())


def test_secrets_in_the_diff_are_taken_out(repo: Path) -> None:
    (repo / "train.py").write_text(
        'depth = 4\npassword = "hunter2"\nkey = "AKIAIOSFODNN7EXAMPLE"\n'
        "url = 'postgresql://reviewer:hunter2@db/x'\n"
    )
    state = capture_lineage(repo)
    assert "+depth = 4" in state.diff
    assert "hunter2" not in state.diff
    assert "AKIA" not in state.diff
    assert state.diff.count("[redacted]") == 3


def test_a_look_runs_no_program_and_takes_no_lock(repo: Path) -> None:
    marker = repo / "marker"
    script = repo / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.evil.textconv"):
        git(repo, "config", key, str(script))
    (repo / ".gitattributes").write_text("*.py diff=evil\n")
    (repo / "train.py").write_text("depth = 5\n")
    (repo / ".git" / "index.lock").touch()
    state = capture_lineage(repo)
    assert state.status == "ok"
    assert not marker.exists()


def test_a_hanging_git_is_given_up(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (fake / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    monkeypatch.setattr(code, "_TIMEOUT", 0.3)
    start = time.monotonic()
    state = capture_lineage(repo)
    assert (state.status, time.monotonic() - start < 5) == ("unreadable", True)
    assert "took more than" in state.detail


def test_the_environment_goes_with_it(repo: Path) -> None:
    import sys

    assert capture_lineage(repo).environment_sha256 == ""
    lock = environment_lock(sys.executable)
    assert capture_lineage(repo, sys.executable).environment_sha256 == lock.sha256
