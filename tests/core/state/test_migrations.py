"""The schema: what the migrations make is what the code expects, however they are run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from core.errors import OpsdeckError, StateCorrupt, StateVersion
from core.ops import open_ops
from core.reads.releases import find_deployment
from core.state import migrations, schema
from core.state.migrations import current_version, head_version
from core.state.reading import open_reader
from core.state.store import Store, make_engine
from tests.support.opened import OpenAs, raw, write_workspace


def migrate(url: str) -> None:
    store = Store(url)
    store.migrate()
    store.close()


def test_the_migrations_make_the_schema_of_the_code(database_url: str) -> None:
    migrate(database_url)
    engine = make_engine(database_url)
    with engine.connect() as connection:
        # On SQLite alembic takes DEFAULT '' for another one than ''; see the next test.
        defaults = engine.dialect.name == "postgresql"
        options = {"compare_type": True, "compare_server_default": defaults}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
        assert current_version(connection) == head_version()
        unique = sa.inspect(connection).get_unique_constraints("runs")
        assert [u["column_names"] for u in unique] == [["number"]]
    engine.dispose()


def test_on_sqlite_every_column_is_as_the_code_would_make_it(tmp_path: Path) -> None:
    made, wanted = f"sqlite:///{tmp_path / 'made.db'}", f"sqlite:///{tmp_path / 'wanted.db'}"
    migrate(made)
    engine = make_engine(wanted)
    schema.metadata.create_all(engine)
    engine.dispose()
    for table in schema.metadata.tables:
        columns = (
            f"SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info('{table}')"
        )
        assert raw(made, columns) == raw(wanted, columns), table


def test_upgrading_again_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    store = Store(database_url)
    with store.transaction("author") as tx:
        tx.journal("test.write", "run/1")
    store.migrate()
    store.close()
    migrate(database_url)
    assert len(raw(database_url, "SELECT * FROM journal")) == 1


def test_a_state_of_the_first_schema_is_brought_up_to_date(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    raw(
        database_url,
        "INSERT INTO endpoints (name, environment, status, host, created_at, updated_at)"
        " VALUES ('bike', 'production', 'in_service', '127.0.0.1', 1, 1)",
    )
    raw(
        database_url,
        "INSERT INTO deployments (id, endpoint, model, version, revision, status, strategy, actor,"
        " created_at) VALUES ('d1', 'bike', 'demand', 1, 1, 'succeeded',"
        """ '[{"kind": "set_weight", "weight": 100.0, "seconds": null}]', 'author', 1)""",
    )
    engine.dispose()
    migrate(database_url)
    assert raw(database_url, "SELECT id, promoted FROM deployments") == [("d1", 0)]
    assert raw(database_url, "SELECT count(*) FROM alerts") == [(0,)]
    reader = open_reader(database_url)
    deployment = find_deployment(reader, "d1")
    reader.close()
    assert deployment.plan is not None
    assert deployment.plan.steps == deployment.strategy
    assert [step.words() for step in deployment.strategy] == ["set weight 100 %"]


def test_processes_that_migrate_at_once_all_succeed(database_url: str) -> None:
    program = "import sys; from core.state.store import Store; Store(sys.argv[1]).migrate()"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, database_url], stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
    assert raw(database_url, "SELECT version_num FROM alembic_version") == [(head_version(),)]


def test_a_newer_schema_is_refused_and_left_alone(database_url: str, open_as: OpenAs) -> None:
    migrate(database_url)
    raw(database_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateVersion, match=rf"has schema 9999.*knows up to {head_version()}"):
        open_as().runs.start("chain", {})
    assert raw(database_url, "SELECT version_num FROM alembic_version") == [("9999",)]
    assert raw(database_url, "SELECT count(*) FROM runs") == [(0,)]


def one_line(error: OpsdeckError, *words: str) -> None:
    text = error.one_line()
    assert "\n" not in text
    assert "Traceback" not in text
    for word in words:
        assert word in text


@pytest.mark.parametrize("content", [b"not a database\n" * 300, b"SQLite format 3\0" + b"x" * 5000])
def test_a_file_that_is_no_database_is_said_in_one_line(
    tmp_path: Path, woken: list[object], content: bytes
) -> None:
    root = write_workspace(tmp_path / "space")
    (root / ".opsdeck").mkdir()
    file = root / ".opsdeck" / "state.db"
    file.write_bytes(content)
    with open_ops(root) as ops:
        for action in (
            lambda: ops.runs.list(),
            lambda: ops.audit.verify(),
            lambda: ops.version(),
            lambda: ops.runs.start("chain", {}),
        ):
            with pytest.raises(StateCorrupt) as caught:
                action()
            one_line(caught.value, str(file))
    assert file.read_bytes() == content, "what is there is left as it is"
    assert not woken


def test_a_state_folder_that_is_a_file_is_said_in_one_line(
    tmp_path: Path, woken: list[object]
) -> None:
    root = write_workspace(tmp_path / "space")
    (root / ".opsdeck").write_text("")
    with open_ops(root) as ops:
        with pytest.raises(OpsdeckError) as caught:
            ops.runs.start("chain", {})
        one_line(caught.value, str(root / ".opsdeck"))


def test_a_database_that_is_not_there_reads_as_empty_and_is_not_made(tmp_path: Path) -> None:
    root = write_workspace(tmp_path / "space")
    with open_ops(root) as ops:
        assert ops.runs.list() == ()
        assert ops.audit.verify().ok
        assert ops.pulse.snapshot().running == ()
        ops.version()
    assert not (root / ".opsdeck").exists()


def test_a_server_that_does_not_answer_is_said_without_the_password(
    tmp_path: Path, woken: list[object]
) -> None:
    url = "postgresql://author:sesame@127.0.0.1:1/none?password=sesame"
    root = write_workspace(tmp_path / "space", url)
    with open_ops(root) as ops:
        for action in (lambda: ops.runs.list(), lambda: ops.runs.start("chain", {})):
            with pytest.raises(StateCorrupt) as caught:
                action()
            one_line(caught.value)
            assert "sesame" not in caught.value.one_line()


def test_a_reader_goes_on_after_its_server_came_back(postgres_url: str) -> None:
    migrate(postgres_url)
    reader = open_reader(postgres_url)
    assert reader.rows("SELECT 1 AS one") == [{"one": 1}]
    raw(
        postgres_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
    with pytest.raises(StateCorrupt):
        reader.rows("SELECT 1 AS one")
    assert reader.rows("SELECT 1 AS one") == [{"one": 1}]
    reader.close()


def test_a_reader_cannot_write(database_url: str) -> None:
    migrate(database_url)
    reader = open_reader(database_url)
    with pytest.raises(StateCorrupt, match=r"read-?only"):
        reader.rows("DELETE FROM journal")
    reader.close()
