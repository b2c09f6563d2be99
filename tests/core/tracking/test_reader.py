"""What a reader does where MLflow's client can't be asked: broken stores, cuts, imports."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput, TrackingUnavailable
from core.tracking import TrackingReader, open_reader
from core.tracking.reader import series_of


def assert_empty(reader: TrackingReader) -> None:
    assert reader.metric_keys("r") == []
    assert reader.metric_history("r", "loss").steps == ()
    assert reader.latest_metrics(["r"]) == {}
    assert reader.params("r") == reader.tags("r") == {}
    assert reader.runs() == reader.runs("e") == []
    assert reader.registered_models() == []
    assert reader.model_versions("m") == []
    assert reader.aliases("m") == {}


def test_a_store_not_created_yet_reads_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "later" / "mlflow.db"
    assert_empty(open_reader(f"sqlite:///{path}"))
    assert not path.parent.exists(), "reading must not create anything"


def test_an_empty_file_reads_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    assert_empty(open_reader(f"sqlite:///{path}"))
    assert path.stat().st_size == 0


def test_an_empty_database_in_postgres_reads_as_empty(postgres_url: str) -> None:
    import psycopg

    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE empty_one")
    reader = open_reader(postgres_url.replace("/postgres", "/empty_one"))
    assert_empty(reader)
    reader.close()


def test_a_missing_postgres_database_is_unavailable(postgres_url: str) -> None:
    reader = open_reader(postgres_url.replace("/postgres", "/no_such_one"))
    with pytest.raises(TrackingUnavailable, match="no_such_one"):
        reader.runs()


def test_postgres_statements_cannot_write(postgres_url: str) -> None:
    from core.tracking._postgres import PostgresDatabase

    database = PostgresDatabase(postgres_url)
    with pytest.raises(TrackingUnavailable, match="read-only"):
        database.rows("CREATE TABLE t (a INTEGER)")
    database.close()


def test_a_lost_postgres_connection_is_opened_again(postgres_url: str) -> None:
    import psycopg

    from core.tracking._postgres import PostgresDatabase

    database = PostgresDatabase(postgres_url)
    ((pid,),) = database.rows("SELECT pg_backend_pid()")
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    ((other,),) = database.rows("SELECT pg_backend_pid()")
    assert other != pid
    database.close()


def test_no_server_says_so_without_the_password(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound but not listening: refused at once
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for uri in (
            f"postgresql://u:sekrit@127.0.0.1:{port}/x",
            f"http://u:sekrit@127.0.0.1:{port}",
        ):
            with pytest.raises(TrackingUnavailable) as caught:
                open_reader(uri).runs()
            assert "127.0.0.1" in caught.value.one_line()
            assert "sekrit" not in caught.value.one_line()
            assert "\n" not in caught.value.one_line()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(TrackingUnavailable, match=r"mlflow\.db: file is not a database"):
        open_reader(f"sqlite:///{path}").runs()


def test_a_store_of_another_shape_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE latest_metrics (something TEXT)")
    with pytest.raises(TrackingUnavailable, match="no such column"):
        open_reader(f"sqlite:///{path}").metric_keys("r")


def test_a_replaced_store_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "mlflow.db", tmp_path / "other.db"
    for file, key in ((path, "before"), (other, "after")):
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE latest_metrics (key TEXT, run_uuid TEXT)")
            connection.execute("INSERT INTO latest_metrics VALUES (?, 'r')", (key,))
    reader = open_reader(f"sqlite:///{path}")
    assert reader.metric_keys("r") == ["before"]
    other.replace(path)
    assert reader.metric_keys("r") == ["after"]
    path.unlink()
    assert reader.metric_keys("r") == []


def answering(reply: bytes) -> tuple[socket.socket, int]:
    """A listener that gives everybody the same bytes."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return listener, listener.getsockname()[1]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "no JSON from MLflow"),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "check the credentials"),
        (b"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\n{}", "is it an MLflow server"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"),
        (b"", "is the server up"),
    ],
)
def test_what_is_no_mlflow_server_is_unavailable(reply: bytes, says: str) -> None:
    listener, port = answering(reply)
    with listener, pytest.raises(TrackingUnavailable) as caught:
        open_reader(f"http://127.0.0.1:{port}").registered_models()
    assert says in caught.value.one_line()


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.tracking._http._SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = open_reader(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(TrackingUnavailable, match="no answer within"):
            reader.metric_history("r", "loss", after_step=3)


@pytest.mark.parametrize("uri", ["mysql://h/d", "file:///tmp/mlruns", "./mlruns", "", "http://"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(BadInput, match="tracking URI"):
        open_reader(uri)


@given(
    st.lists(st.tuples(st.integers(-3, 6), st.integers(0, 5)), max_size=30).map(sorted),
    st.integers(1, 8),
)
def test_a_cut_keeps_steps_whole(points: list[tuple[int, int]], limit: int) -> None:
    series = series_of("k", [(step, time, 0.5) for step, time in points], limit)
    assert len(series) <= limit
    assert list(zip(series.steps, series.timestamps, strict=True)) == points[: len(series)]
    assert series.truncated == (len(series) < len(points))
    if series.truncated and points[len(series)][0] == series.steps[-1]:
        assert len(series) == limit  # one step alone that is larger than the limit
        assert set(series.steps) == {series.steps[0]}


def test_reading_imports_nothing_heavy(tmp_path: Path) -> None:
    script = """
import sys
from core.tracking import open_reader
open_reader("sqlite:///missing.db").runs()
heavy = {"mlflow", "sqlalchemy", "pandas", "pydantic", "httpx", "psycopg", "textual", "ssl"}
print(sorted(heavy & set(sys.modules)))
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
