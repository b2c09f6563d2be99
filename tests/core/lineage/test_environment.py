"""The environment lock."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from core.errors import BadInput
from core.lineage import environment_lock


def test_our_own() -> None:
    lock = environment_lock()
    assert lock.python == platform.python_version()
    assert f"pytest=={version('pytest')}" in lock.packages
    assert list(lock.packages) == sorted(set(lock.packages))
    assert len(lock.sha256) == 64
    assert lock.as_text().splitlines()[1:] == list(lock.packages)


def test_a_second_look_is_free_and_the_same() -> None:
    first = environment_lock(sys.executable)
    start = time.perf_counter()
    assert environment_lock(sys.executable) is first
    assert time.perf_counter() - start < 0.05


def test_installing_a_package_is_seen(tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    before = environment_lock(python)
    (site,) = (tmp_path / "venv").glob("lib/python3*/site-packages")
    info = site / "My.Package_x-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: My.Package_x\nVersion: 1.2\n")
    after = environment_lock(python)
    assert before.packages == ()
    assert after.packages == ("my-package-x==1.2",)
    assert before.sha256 != after.sha256


def test_what_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="/no/such/python"):
        environment_lock("/no/such/python")
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho this is broken >&2; exit 3\n")
    script.chmod(0o755)
    with pytest.raises(BadInput, match="this is broken"):
        environment_lock(str(script))
