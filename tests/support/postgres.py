"""PostgreSQL for tests: a cluster of our own for the session, a database for each test.

No service of the machine is touched. The server cannot run as root: then it runs as
`postgres`, or else `nobody`. Without PostgreSQL's binaries such a test is skipped with a
reason; on a CI machine (`CI=true`), which must have them, it fails.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 60
_SETTINGS = {
    "fsync": "off",  # the cluster never outlives the test session
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True)
class Cluster:
    """A running server. `binaries` is the folder of psql and its kin."""

    binaries: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's and psycopg's URL of a database in this cluster."""
        return f"postgresql://tester@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """End the server without any ceremony, as a crash would."""
        self.process.kill()
        self.process.wait(timeout=30)


def find_binaries() -> Path | None:
    """The folder with PostgreSQL's server binaries, the newest version first."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda each: [int(part) for part in each.parent.name.split(".") if part.isdigit()],
        reverse=True,
    )
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    return next((each for each in folders if (each / "initdb").exists()), None)


def _owner() -> dict[str, Any]:
    """How to run the server: as ourselves, or, when we are root, as somebody harmless."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("root may not run PostgreSQL, and there is neither postgres nor nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    import psycopg

    try:
        psycopg.connect(f"postgresql://tester@127.0.0.1:{port}/postgres", connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def _serve(binaries: Path, folder: Path, owner: dict[str, Any]) -> Cluster:
    """Start the server on a free port; another process may take the port first: try again."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    for _ in range(5):
        port = _free_port()
        options = [f"-c{key}={value}" for key, value in _SETTINGS.items()]
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", "data", "-p", str(port), "-k", folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=environment,
                start_new_session=True,  # Ctrl-C in the terminal is for pytest
                **owner,
            )
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if _answers(port):
                return Cluster(binaries, port, process)
            time.sleep(0.05)
        process.kill()
        process.wait(timeout=30)
    raise RuntimeError(f"PostgreSQL does not start: {(folder / 'log').read_text()[-2000:]}")


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for this test session (one in each xdist worker)."""
    binaries = find_binaries()
    if binaries is None:
        message = "PostgreSQL's server binaries are not installed (scripts/install-postgres)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="opsdeck-pg-"))
    if owner:
        os.chown(folder, owner["user"], owner["group"])
    try:
        options = ["-U", "tester", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [binaries / "initdb", "-D", "data", *options],
            check=True,
            capture_output=True,
            timeout=120,
            cwd=folder,
            **owner,
        )
        cluster = _serve(binaries, folder, owner)
        try:
            yield cluster
        finally:
            if cluster.process.poll() is None:
                cluster.process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
                try:
                    cluster.process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    cluster.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """The URL of a database that this test has to itself."""
    make = _administer(postgres_cluster)
    name = f"test_{os.getpid()}_{time.monotonic_ns()}"
    make(f'CREATE DATABASE "{name}"')
    try:
        yield postgres_cluster.url(name)
    finally:
        if postgres_cluster.process.poll() is None:
            make(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _administer(cluster: Cluster) -> Callable[[str], None]:
    import psycopg
    from psycopg import sql

    def run(statement: str) -> None:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement))  # type: ignore[arg-type]

    return run
