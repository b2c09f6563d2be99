"""Workers of a variant and their schedule on the command line."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from console.endpoint_text import endpoint_text
from console.session import Session
from core.domain.release import Endpoint, Revision
from tests.console.conftest import Cli

WEEK = """\
schedule:
  - {window: Mon-Fri 12:00-13:00 UTC, min_servers: 2, max_servers: 3}
  - window: Sat,Sun 22:00-06:00 Europe/Berlin
    min_workers: 2
    max_workers: 8
    variants: {r3: "1:2"}
"""


def settings(seeded: Path) -> dict[str, object]:
    folder = seeded / ".opsdeck" / "endpoints" / "shop"
    found: dict[str, object] = json.loads((folder / "config.json").read_text())
    return found


def test_bounds_and_a_schedule_are_set_and_taken_back(
    cli: Cli, seeded: Path, tmp_path: Path
) -> None:
    week = tmp_path / "week.yaml"
    week.write_text(WEEK)
    made = cli(
        *("endpoints", "create", "shop", "--max-workers", "4", "--target-per-worker", "1.5"),
        *("--schedule", week),
    )
    assert made.status == 0, made.err
    found = settings(seeded)
    assert (found["min_workers"], found["max_workers"], found["target_per_worker"]) == (1, 4, 1.5)
    assert found["schedule"] == [
        {"window": "Mon-Fri 12:00-13:00 UTC", "min_servers": 2, "max_servers": 3,
         "min_workers": None, "max_workers": None, "variants": []},
        {"window": "Sat,Sun 22:00-06:00 Europe/Berlin", "min_servers": None, "max_servers": None,
         "min_workers": 2, "max_workers": 8,
         "variants": [{"revision": 3, "min_workers": 1, "max_workers": 2}]},
    ]  # fmt: skip
    assert cli("endpoints", "configure", "shop", "--no-schedule").status == 0
    assert settings(seeded)["schedule"] == []
    unknown = cli("endpoints", "configure", "shop", "--variant-workers", "r9=1:2")
    assert (unknown.status, "shop has no variant r9" in unknown.err) == (2, True)
    both = cli("endpoints", "configure", "shop", "--no-schedule", "--schedule", week)
    assert (both.status, "exclude each other" in both.err) == (2, True)


def test_a_variant_has_bounds_of_its_own_until_it_is_given_the_endpoints(
    cli: Cli, seeded: Path
) -> None:
    state = seeded / ".opsdeck" / "state.db"
    with contextlib.closing(sqlite3.connect(state)) as connection, connection:
        connection.execute(
            "INSERT INTO revisions (endpoint, revision, model, version, state, weight,"
            " deployment_id, created_at) VALUES ('demand', 71, 'demand', 1, 'retired', 0, 'd', 1)"
        )
    (one,) = (
        r
        for r in cli("endpoints", "show", "demand", "--json").json()["revisions"]
        if r["revision"] == 71
    )
    number = 71
    assert (one["workers"], one["worker_bounds"]) == (None, None), "it is not loaded"
    folder = seeded / ".opsdeck" / "endpoints" / "demand"
    for told, rows in (("2:3", [(2, 3)]), ("5", [(5, 5)]), ("", [])):
        done = cli("endpoints", "configure", "demand", "--variant-workers", f"r{number}={told}")
        assert done.status == 0, done.err
        found = json.loads((folder / "config.json").read_text())["variants"]
        assert [(row["min_workers"], row["max_workers"]) for row in found] == rows
    entries = cli("audit", "list", "--json").json()["entries"]
    changes = [e["detail"]["workers"] for e in entries if e["action"] == "endpoint.configure"]
    assert changes == [{f"r{number}": None}, {f"r{number}": [5, 5]}, {f"r{number}": [2, 3]}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "x", "--max-workers", "33"], "--max-workers 33 is not between 1 and 32"),
        (["create", "x", "--min-workers", "2"], "--max-workers 1 is not between 2 and 32"),
        (["create", "x", "--target-per-worker", "0"], "--target-per-worker 0 is not between"),
        (["configure", "demand", "--variant-workers", "7=4:1"], "--variant-workers 7=4:1: '4:1'"),
        (["configure", "demand", "--variant-workers", "x=1"], "x=1: not rN=MIN:MAX"),
        (["deploy", "x", "--model", "demand", "--version", "1", "--workers", "4:1"], "--workers: "),
        (["deploy", "x", "--model", "demand", "--version", "1", "--workers", "many"], "'many' is"),
        (["plan", "canary", "--workers", "0"], "--workers: '0' is not bounds"),
        (["plan", "canary", "--set", "workers=99"], "strategy.workers: bounds from 1 to 32"),
        (["plan", "canary", "--variant", "r1"], "go with --for sagemaker"),
        (["plan", "canary", "--for", "sagemaker", "--workers", "2", "--variant", "a_b"], "'a_b'"),
    ],
)
def test_bounds_that_cannot_be_are_named(
    cli: Cli, seeded: Path, arguments: list[str], said: str
) -> None:
    result = cli("endpoints", *arguments)
    assert (result.status, said in result.err) == (2, True), result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not YAML"),
        ("window: x", "a list of windows is needed"),
        ("[5]", "window 1: a mapping is needed"),
        ("[{min_servers: 2}]", "window 1: window: a text is needed"),
        ("[{window: Mon 08:00-09:00, min_server: 2}]", "window 1: unknown key min_server"),
        ("[{window: Mon 8-9, min_servers: 2, max_servers: 2}]", "'Mon 8-9' is not a time window"),
        ("[{window: 08:00-09:00}]", "08:00-09:00: it changes nothing"),
        ("[{window: 08:00-09:00, min_workers: 2, max_workers: 1}]", "min_workers 2 and max_w"),
        ("[{window: 08:00-09:00, variants: {x: 1}}]", "window 1: variants: x: no variant"),
        ("[{window: 08:00-09:00, variants: {r1: 40}}]", "variants: r1: '40' is not bounds"),
        ("[{window: 08:00-09:00, variants: 5}]", "variants: bounds by variant are needed"),
    ],
)
def test_what_is_wrong_in_a_schedule_is_named(
    cli: Cli, seeded: Path, tmp_path: Path, text: str, said: str
) -> None:
    week = tmp_path / "week.yaml"
    week.write_text(text)
    result = cli("endpoints", "configure", "demand", "--schedule", week)
    assert (result.status, said in result.err) == (2, True), result.err
    assert "week.yaml" in result.err


def test_a_dry_run_says_how_many_workers_there_would_be(cli: Cli, seeded: Path) -> None:
    deploy = ["endpoints", "deploy", "shop", "--model", "demand", "--version", "1", "--dry-run"]
    assert (
        "workers of version 1 in each server process: 1 to 4"
        in cli(*deploy, "--workers", "1:4").out
    )
    assert "in each server process: always 2" in cli(*deploy, "--workers", "2").out
    assert "workers" not in cli(*deploy).out


def test_plans_with_workers_are_auto_scaling_in_sagemakers_words(
    cli: Cli, seeded: Path, tmp_path: Path
) -> None:
    plain = cli("endpoints", "plan", "canary", "--for", "sagemaker")
    assert list(json.loads(plain.out)) == ["BlueGreenUpdatePolicy", "AutoRollbackConfiguration"]
    aws = cli("endpoints", "plan", "canary", "--workers", "1:4", "--for", "sagemaker")
    found = json.loads(aws.out)
    assert found["DeploymentConfig"] == json.loads(plain.out)
    assert found["RegisterScalableTarget"]["MaxCapacity"] == 4
    assert "ENDPOINT stands for" in aws.err
    assert "a worker is an instance there" in aws.err
    week = tmp_path / "week.yaml"
    week.write_text("[{window: Mon-Fri 08:00-18:00 Europe/Berlin, min_workers: 2, max_workers: 6}]")
    cli("endpoints", "create", "shop", "--max-workers", "3", "--schedule", week)
    mine = ["endpoints", "plan", "canary", "--for", "sagemaker", "--endpoint", "shop"]
    found = json.loads(cli(*mine, "--variant", "r2").out)
    assert found["RegisterScalableTarget"]["ResourceId"] == "endpoint/shop/variant/r2"
    opens, closes = found["PutScheduledAction"]
    assert opens["Schedule"] == "cron(0 8 ? * MON,TUE,WED,THU,FRI *)"
    assert opens["ScalableTargetAction"] == {"MinCapacity": 2, "MaxCapacity": 6}
    assert closes["ScalableTargetAction"] == {"MinCapacity": 1, "MaxCapacity": 3}
    assert cli(*mine[:-1], "nope").status == 3


def test_workers_stand_beside_each_revision() -> None:
    revisions = (
        Revision("bike", 1, "demand", 1, "stable", 90.0, "d", 0.0, 90.0, 2, 0, (1, 1)),
        Revision("bike", 2, "demand", 2, "canary", 10.0, "d", 0.0, 10.0, 5, 1, (1, 4)),
        Revision("bike", 3, "demand", 3, "retired", 0.0, "d", 0.0),
    )
    endpoint = Endpoint(
        "bike", "staging", "in_service", "127.0.0.1", 80, revisions, 0.0, 0.0, servers=2
    )
    text = endpoint_text(Session(), endpoint)
    lines = [line for line in text.splitlines() if "demand" in line]
    assert "workers" in text.lower()
    assert ["2 (1)" in lines[0], "5 (1 to 4, 1 stuck)" in lines[1]] == [True, True]
