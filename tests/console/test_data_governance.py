"""Granting and asking on the command line, on a dataset of a real lake."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.ops import open_ops
from tests.console.conftest import Cli


@pytest.fixture
def riders(workspace: Path, cli: Cli) -> Path:
    """A workspace with a dataset `riders`, which olga owns; ann is an analyst, root an admin."""
    with (workspace / "opsdeck.yaml").open("a") as config:
        config.write("lake: {admins: [root], groups: {analysts: [ann]}}\n")
    rows = pa.table(
        {"id": [1, 2, 3], "email": ["a@x.org", "b@x.org", "c@x.org"], "city": ["Bonn", "Rom", None]}
    )
    with open_ops(workspace, actor="olga") as ops:
        ops.data.lake.create("riders", rows.schema, owner="olga")
        ops.data.lake.append("riders", rows, by="olga")
        ops.data.lake.tag("riders", "first", by="olga")
        ops.data.lake.append("riders", rows.slice(0, 1), by="olga")
    return workspace


def test_from_a_grant_to_what_is_seen(riders: Path, cli: Cli) -> None:
    olga = ("--as", "olga")
    done = cli(
        "data", "grant", "riders", "--to", "group:analysts", "--columns", "id,email",
        "--mask", "email=partial:3", "--where", "city <> 'Rom'", "--for", "30d", *olga,
    )  # fmt: skip
    assert done.status == 0 and "email=partial:3" in done.out and "city <> 'Rom'" in done.out
    assert max(len(line) for line in done.out.splitlines()) <= 120
    seen = cli("data", "query", "FROM riders ORDER BY id", "--json", "--as", "ann").json()
    assert seen["rows"] == [[1, "***org"], [1, "***org"]] and seen["total"] == 2
    assert seen["datasets"][0]["name"] == "riders" and seen["datasets"][0]["number"] == 3
    refused = cli("data", "query", "FROM riders", "--as", "eve")
    assert refused.status == 1 and refused.err.startswith("error E520 dataset riders: eve may not")
    assert "data.refused" in cli("audit", "list").out
    who = cli("data", "whocan", "riders")
    assert "everybody else" in who.out and "group:analysts" in who.out
    one = cli("data", "whocan", "riders", "ann", "--json").json()["who"][0]
    assert one["columns"] == {"id": "clear", "email": "partial:3"} and not one["write"]
    assert cli("data", "label", "riders.city", "pii", *olga).status == 0
    shown = cli("data", "grants", "riders")
    assert "closed: only who is granted" in shown.out and "pii" in shown.out
    ended = cli("data", "revoke", "riders", "--from", "group:analysts", *olga)
    assert ended.out == "dataset riders: group:analysts may no longer read it\n"
    assert cli("data", "query", "FROM riders", "--as", "ann").status == 1
    assert cli("data", "label", "riders.city", "pii", "--remove", *olga).status == 0


def test_a_grant_names_what_it_does_not_close(riders: Path, cli: Cli) -> None:
    (riders / "views").mkdir()
    (riders / "views" / "cities.sql").write_text(
        "SELECT city, count(*) AS n FROM riders GROUP BY 1"
    )
    assert cli("views", "refresh", "cities", "--as", "olga").status == 0
    done = cli("data", "grant", "riders", "--to", "ann", "--as", "olga")
    assert "made of riders, and still open to all: cities" in done.err
    assert cli("data", "grant", "cities", "--to", "ann", "--as", "olga").status == 0
    again = cli("data", "grant", "riders", "--to", "ann", "--as", "olga", "--json")
    assert again.json()["still_open"] == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--mask", "email=bucket:3"), "E521"),
        (("--mask", "email"), "E100"),
        (("--columns", "emial"), "E521"),
        (("--where", "id IN (SELECT 1)"), "E521"),
        (("--for", "soon"), "E100"),
        (("--write", "--columns", "id"), "E100"),
        (("--read-only",), "E200"),
        (("--as", "eve"), "E520"),
    ],
)
def test_grants_that_cannot_be(riders: Path, cli: Cli, options: tuple[str, ...], code: str) -> None:
    actor = () if "--as" in options else ("--as", "olga")
    done = cli("data", "grant", "riders", "--to", "ann", *options, *actor)
    assert done.status in (1, 2) and done.err.startswith(f"error {code} ")
    assert len(done.err.splitlines()) == 1


def test_queries(riders: Path, cli: Cli, tmp_path: Path) -> None:
    table = cli("data", "query", "SELECT id, city FROM riders ORDER BY ALL")
    assert table.out.splitlines()[0].split() == ["ID", "CITY"] and "null" in table.out
    assert "4 rows of riders#3" in table.err
    cut = cli("data", "query", "FROM riders", "--limit", "1")
    assert len(cut.out.splitlines()) == 2 and "first 1 rows" in cut.err
    for asked in ("SELECT count(*) FROM riders@first", "SELECT count(*) FROM riders"):
        at = () if "@" in asked else ("--at", "riders=first")
        assert cli("data", "query", asked, *at).out.split()[-1] == "3"
    csv = cli("data", "query", "SELECT id FROM riders@first", "--format", "csv")
    assert csv.out == "id\n1\n2\n3\n" and csv.err == ""
    file = tmp_path / "out.parquet"
    assert "4 rows" in cli("data", "query", "FROM riders", "--out", str(file)).out
    assert pq.read_table(file).num_rows == 4
    assert "RIDERS" in cli("data", "query", "-", stdin=b"SELECT upper('riders') x").out.upper()
    assert "Arrow Scan" in cli("data", "query", "FROM riders", "--explain").out
    history = cli("data", "query", "--history", "riders@first")
    assert history.status == 0 and "SELECT count(*) FROM riders@first" in history.out
    assert cli("data", "query", "--history", "--all", "--as", "eve").status == 1
    assert "riders" not in cli("data", "query", "--history", "--as", "eve").out
    assert "riders" in cli("data", "query", "--history", "--all", "--as", "root").out


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("COPY riders TO 'x'",), "E531"),
        (("SELECT * FROM read_text('/etc/passwd')",), "E531"),
        (("SELEC 1",), "E530"),
        (("FROM ridres",), "E120"),
        (("FROM riders@nope",), "E120"),
        (("FROM riders", "--at", "riders"), "E100"),
        (("FROM riders", "--out", "rows.xyz"), "E100"),
        (("SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range*b.range=3",
          "--timeout", "0.3"), "E532"),
        ((), "E100"),
    ],
)  # fmt: skip
def test_queries_that_cannot_be(riders: Path, cli: Cli, args: tuple[str, ...], code: str) -> None:
    done = cli("data", "query", *args)
    assert done.status in (1, 2, 3) and done.err.startswith(f"error {code} ")
    assert len(done.err.splitlines()) == 1 and not done.out
