"""Nothing but datasets can be reached, however it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from core.errors import OpsdeckError
from core.governance import Access
from core.ops import open_ops
from core.query.config import QueryLimits
from core.query.errors import QueryInvalid, QueryRefused
from core.query.runner import Queries
from core.query.sandbox import Sandbox
from core.query.statement import read_statement
from tests.support.governed import PEOPLE, Memory, own

SECRET = "the-secret-of-the-file"


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queries]:
    """One workspace for all attacks: none of them may leave anything."""
    root = tmp_path_factory.mktemp("space")
    (root / "opsdeck.yaml").write_text("name: space\n")
    with open_ops(root, actor="olga") as ops:
        own(ops.session, "people")
        yield Queries(ops.session, Access(ops.session, Memory({"people": PEOPLE})))


ATTACKS = [
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_blob('{file}')",
    "SELECT * FROM READ_CSV_AUTO('{file}')",
    "SELECT * FROM main.read_csv('{file}')",
    "SELECT * FROM \"read_csv\"('{file}')",
    "SELECT * FROM/**/read_csv/**/('{file}')",
    "SELECT * FROM sniff_csv('{file}')",
    "SELECT * FROM read_parquet('{file}')",
    "SELECT * FROM parquet_metadata('{file}')",
    "SELECT * FROM read_json('{file}')",
    "SELECT * FROM read_duckdb('{file}')",
    "SELECT * FROM '{file}'",
    "FROM '{file}'",
    'FROM "{file}"',
    "DESCRIBE '{file}'",
    "SUMMARIZE '{file}'",
    "EXPLAIN ANALYZE FROM '{file}'",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM query('FROM ''{file}''')",
    "SELECT * FROM query_table('{file}')",
    "SELECT * FROM query_table(['people'])",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('FROM ''{file}'''))",
    "WITH x AS (FROM '{file}') SELECT * FROM x",
    "WITH people AS (FROM read_text('{file}')) SELECT * FROM people",
    "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM read_text('{file}')) FROM x",
    "SELECT (SELECT content FROM read_text('{file}'))",
    "SELECT * FROM people WHERE EXISTS (FROM read_text('{file}'))",
    "SELECT * FROM people, LATERAL (FROM read_text('{file}'))",
    "SELECT * FROM people POSITIONAL JOIN read_text('{file}')",
    "SELECT unnest([content]) FROM read_text('{file}')",
    "PIVOT read_text('{file}') ON size IN (1)",
    "SELECT 1 UNION ALL SELECT content FROM read_text('{file}')",
    "SELECT 1 ORDER BY (SELECT content FROM read_text('{file}'))",
    "SELECT * FROM people LIMIT (SELECT size FROM read_text('{file}'))",
    "COPY (SELECT 1) TO '{out}'",
    "COPY people TO '{out}'",
    "COPY (FROM people) TO '{out}' (FORMAT parquet)",
    "EXPORT DATABASE '{out}'",
    "ATTACH '{out}' AS x",
    "ATTACH ':memory:' AS x",
    "CREATE TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "INSERT INTO people VALUES (1)",
    "DELETE FROM people",
    "UPDATE people SET id = 1",
    "DROP VIEW people",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM 'https://example.invalid/x.csv'",
    "SELECT * FROM read_csv('https://example.invalid/x.csv')",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SET memory_limit='100GB'",
    "SET enable_external_access=true",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "CALL enable_logging()",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM enable_profiling()",
    "CREATE SECRET s (TYPE s3)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM pragma_table_info('people')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM python_arrow_scan(1)",
    "SELECT getenv('HOME')",
    "SELECT GetEnv('HOME')",
    "SELECT main.getenv('HOME')",
    "SELECT current_setting('home_directory')",
    "SELECT write_log('x')",
    "SELECT pg_sleep(100)",
    "SELECT list_transform([1], lambda x: getenv('HOME'))",
    "SELECT nextval('x')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM memory.main.people",
    "SELECT * FROM duckdb_tables",
    "SELECT * FROM sqlite_master",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SELECT 1; COPY (SELECT 1) TO '{out}'",
    "SELECT 1;\n-- harmless\nATTACH '{out}'",
    "-- SELECT 1\nATTACH '{out}'",
    "/* SELECT */ COPY (SELECT 1) TO '{out}'",
    "EXPLAIN COPY (SELECT 1) TO '{out}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "USE memory",
    "SELECT * FROM people\u037e ATTACH '{out}'",
    "ＳＥＬＥＣＴ * FROM ｒｅａｄ_ｔｅｘｔ('{file}')",
    "SELECT * FROM rea\u200bd_text('{file}')",
    "SELECT * FROM U&\"read\\005ftext\"('{file}')",
    "SELECT * FROM people@'{file}'",
    'SELECT * FROM "people@{file}"',
    "SELECT * FROM people AT (VERSION => '../../x')",
    "SELECT ?",
    "SELECT $1",
    "\0SELECT 1",
    "",
    ";",
    "EXPLAIN",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT " + "+".join(["1"] * 40_000),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
def test_an_attack_is_refused_in_one_line(queries: Queries, tmp_path: Path, attack: str) -> None:
    file, out = tmp_path / "secret.csv", tmp_path / "out"
    file.write_text(SECRET)
    sql = attack.replace("{file}", str(file)).replace("{out}", str(out))
    try:
        result = queries.run(sql, seconds=20)
    except OpsdeckError as error:
        assert error.code in {"E530", "E531", "E120", "E535", "E100"}, error.one_line()
        assert "\n" not in error.one_line() and len(error.one_line()) < 600
        assert SECRET not in error.one_line()
    else:
        assert SECRET not in str(result.rows)
        # Any text may be a version's name; which there are is the lake's to say.
        assert "people@" in attack or "AT (VERSION" in attack or "+1" in attack, result.rows
    assert not out.exists()


@pytest.mark.parametrize("attack", ATTACKS[:85], ids=range(85))
def test_the_sandbox_holds_without_the_checks(tmp_path: Path, attack: str) -> None:
    """The checks are for clear answers: behind them nothing can be reached either."""
    if any(word in attack for word in ("arrow_scan", "pandas_scan", "pg_sleep")):
        pytest.skip("takes addresses of memory, or time: the list of functions keeps these out")
    file, out = tmp_path / "secret.csv", tmp_path / "out"
    file.write_text(SECRET)
    sandbox = Sandbox(QueryLimits(256, 5, 1))
    try:
        rows = sandbox.connection.execute(
            attack.replace("{file}", str(file)).replace("{out}", str(out))
        ).fetchall()
        assert SECRET not in str(rows)
        locked = sandbox.connection.execute(
            "SELECT current_setting('enable_external_access'), current_setting('memory_limit')"
        ).fetchall()
        assert locked == [(False, "256.0 MiB")]
    except (duckdb.Error, RuntimeError) as error:
        assert SECRET not in str(error)
    finally:
        sandbox.close()
    assert not out.exists()


def test_harmless_statements_are_read() -> None:
    for sql in (
        "select 1;",
        "-- a comment\nFROM people",
        "/* COPY */ SELECT 'COPY x TO y', \"id\" FROM people",
        "VALUES (1), (2)",
        "TABLE people",
        "DESCRIBE people",
        "SUMMARIZE SELECT * FROM people",
        "EXPLAIN SELECT 1",
        "explain analyze FROM people",
        "(SELECT 1) UNION (SELECT 2)",
        "SELECT * FROM range(3), unnest([1, 2])",
    ):
        read_statement(sql)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(QueryRefused) as refused:
        read_statement("copy people to 'x'")
    assert refused.value.code == "E531" and "COPY is not allowed" in refused.value.message
    with pytest.raises(QueryInvalid) as invalid:
        read_statement("SELECT 1; SELECT 2")
    assert invalid.value.code == "E530" and "2 statements" in invalid.value.message
    with pytest.raises(QueryInvalid, match="several statements"):
        read_statement("SELECT 'a;b'; DROP TABLE people")
    with pytest.raises(QueryInvalid, match="PIVOT"):
        read_statement("PIVOT people ON region USING count(*)")
