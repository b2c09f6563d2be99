"""Releases on the command line: plans, previews, settings of an endpoint, alerts, outcomes."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.deployment_wait import deployment_status, waits_for_person
from console.strategy_options import strategy_of
from core.domain.release import Deployment, DeploymentStatus, StrategyStep
from core.errors import BadInput
from core.releases.alerts import raise_alert
from core.releases.strategy import parse_plan
from core.state.store import Store
from tests.console.conftest import Cli

TOKEN = "0123456789abcdef0123"


@pytest.mark.parametrize(
    ("strategy", "settings", "steps", "ladder"),
    [
        ("canary", ("weight=20", "bake=90s"), (), ["set weight 20 %", "bake 1m30s"]),
        (
            None,
            (),
            ("shadow=50:2m", "set_weight=10", "bake=5m", "analyse", "ask=Go on?", "pause=3s"),
            [
                "shadow 50 % for 2m",
                "set weight 10 %",
                "bake 5m",
                "analyse",
                "ask “Go on?”",
                "pause 3s",
            ],
        ),
    ],
)
def test_strategies_from_options(
    strategy: str | None, settings: tuple[str, ...], steps: tuple[str, ...], ladder: list[str]
) -> None:
    plan = parse_plan(strategy_of(strategy, settings, steps))
    assert [step.words() for step in plan.steps] == [*ladder, "set weight 100 %"]


def test_a_strategy_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "careful.yaml"
    path.write_text("strategy:\n  preset: linear\n  step: 50\n")
    plan = parse_plan(strategy_of(str(path), ("every=1m",), ()))
    assert [step.words() for step in plan.steps] == [
        "set weight 50 %",
        "bake 1m",
        "set weight 100 %",
    ]
    path.write_text("steps: [{bakee: 5m}]\nalarms: [{metric: error_rat, threshold: 5%}]\n")
    with pytest.raises(BadInput) as wrong:
        strategy_of(str(path), (), ())
    step, metric = "step 1: unknown: 'bakee'", "alarms[0].metric: unknown: 'error_rat'"
    assert wrong.value.message == f"{path}: strategy {step}; strategy.{metric}"
    path.write_text("{")
    with pytest.raises(BadInput, match=r"careful\.yaml, line 1 is not YAML: expected"):
        strategy_of(str(path), (), ())
    with pytest.raises(BadInput, match="exclude each other"):
        strategy_of("canary", (), ("pause",))
    with pytest.raises(BadInput, match="goes with --strategy"):
        strategy_of(None, ("weight=3",), ())


def test_plan_shows_presets_a_ladder_and_sagemakers_words(cli: Cli) -> None:
    listed = cli("endpoints", "plan", "--json").json()["presets"]
    assert [each["name"] for each in listed][:2] == ["all-at-once", "canary"]
    shown = cli("endpoints", "plan", "canary", "--set", "weight=25")
    assert shown.status == 0
    assert "1. set weight 25 %" in shown.out
    assert "errors: error_rate GreaterThanThreshold 0.05" in shown.out
    aws = cli("endpoints", "plan", "canary", "--for", "sagemaker")
    config = json.loads(aws.out)
    assert config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"
    assert "have to exist in CloudWatch" in aws.err
    refused = cli("endpoints", "plan", "shadow", "--for", "sagemaker")
    assert refused.status == 2
    assert "strategy step 1: shadow" in refused.err
    assert cli("endpoints", "plan", "nope.yaml").status == 2


def state_of(workspace: Path) -> Any:
    store = Store(f"sqlite:///{workspace / '.opsdeck' / 'state.db'}")
    with store.transaction("author") as tx:
        tables = ("deployments", "endpoints", "journal", "outbox", "revisions")
        found = {name: tx.connection.exec_driver_sql(f"SELECT * FROM {name}") for name in tables}
        kept = {name: sorted(map(repr, rows)) for name, rows in found.items()}
    store.close()
    return kept


def test_a_dry_run_changes_nothing(cli: Cli, seeded: Path) -> None:
    before = state_of(seeded)
    deploy = ["endpoints", "deploy", "shop", "--model", "demand", "--version", "1", "--dry-run"]
    shown = cli(*deploy, "--environment", "production")
    assert shown.status == 0, shown.err
    assert "endpoint shop is made, in production" in shown.out
    assert "champion: v1" in shown.out
    assert shown.out.rstrip().endswith("nothing was done")
    document = cli(*deploy, "--strategy", "canary", "--json").json()
    assert document["action"] == "deploy"
    assert document["consequences"]
    assert cli(*deploy, "--strategy", "cannary").status == 2
    for verb in (["promote"], ["hold"], ["abort"]):
        refused = cli("endpoints", *verb, "demand", "--dry-run")
        assert (refused.status, "nothing is being deployed" in refused.err) == (1, True)
    assert state_of(seeded) == before


def test_an_endpoint_is_made_changed_and_deleted(cli: Cli, seeded: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    made = cli(
        *("endpoints", "create", "shop", "--environment", "production", "--token-file", secret),
        *("--min-servers", "2", "--max-servers", "4", "--max-body", "1MiB"),
    )
    assert made.status == 0, made.err
    config = json.loads((seeded / ".opsdeck" / "endpoints" / "shop" / "config.json").read_text())
    assert (config["min_servers"], config["max_servers"], config["max_body"]) == (2, 4, 1 << 20)
    assert len(config["token_sha256"]) == 64
    assert TOKEN not in (seeded / ".opsdeck" / "endpoints" / "shop" / "config.json").read_text()
    assert cli("endpoints", "create", "shop").status == 1
    too_few = cli("endpoints", "configure", "shop", "--max-servers", "1")
    assert (too_few.status, "--max-servers 1 is not between 2" in too_few.err) == (2, True)
    assert cli("endpoints", "configure", "shop").status == 2
    assert cli("endpoints", "configure", "shop", "--no-token", "--max-servers", "3").status == 0
    config = json.loads((seeded / ".opsdeck" / "endpoints" / "shop" / "config.json").read_text())
    assert (config["token_sha256"], config["max_servers"]) == ("", 3)
    assert TOKEN not in json.dumps(cli("audit", "list", "--json").json())

    refused = cli("endpoints", "delete", "shop")
    assert (refused.status, "add --confirm shop" in refused.err) == (2, True)
    assert cli("endpoints", "delete", "shop", "--confirm", "shop", "-m", "moved").status == 0
    assert cli("endpoints", "show", "shop").status == 3
    assert not (seeded / ".opsdeck" / "endpoints" / "shop").exists()
    entries = cli("audit", "list", "--json").json()["entries"]
    told = [each["action"] for each in entries if each["subject"] == "endpoint/shop"]
    assert told == ["endpoint.delete", "endpoint.configure", "endpoint.create"]
    assert cli("endpoints", "create", "shop").status == 0, "its name is free again"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["create", "../x"], "endpoint name"),
        (["create", "x", "--token-file", "none"], "--token-file none: No such file"),
        (["create", "x", "--token-from-env"], "OPSDECK_ENDPOINT_TOKEN is not set"),
        (["create", "x", "--max-body", "big"], "--max-body 'big': not a size"),
        (["create", "x", "--capture-rate", "2"], "--capture-rate 2 is not between 0 and 1"),
        (["create", "x", "--min-servers", "0"], "--min-servers 0 is not between"),
        (["weight", "demand", "nan"], "is not between 0 and 100"),
        (["weight", "demand", "101"], "weight 101 is not between 0 and 100"),
        (["deploy", "x", "--model", "demand", "--version", "1", "--set", "a=1"], "--set goes with"),
        (["deploy", "x", "--model", "demand", "--version", "1", "--step", "bake"], "a duration"),
    ],
)
def test_bad_input_is_named(
    cli: Cli, seeded: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.delenv("OPSDECK_ENDPOINT_TOKEN", raising=False)
    result = cli("endpoints", *arguments)
    assert (result.status, said in result.err) == (2, True), result.err
    assert "Traceback" not in result.err


def test_a_token_that_can_be_guessed_is_refused(cli: Cli, seeded: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("hunter2")
    result = cli("endpoints", "create", "x", "--token-file", secret)
    assert (result.status, "at least 16" in result.err) == (2, True)
    assert "hunter2" not in result.err


def test_alerts_are_listed_acknowledged_and_resolved(cli: Cli, seeded: Path) -> None:
    store = Store(f"sqlite:///{seeded / '.opsdeck' / 'state.db'}")
    with store.transaction("opsdeck") as tx:
        raise_alert(tx, "rollback", "endpoint/demand", "demand went back", "errors", alert_id="a1")
        raise_alert(tx, "rollback", "endpoint/shop", "shop went back", alert_id="b2", over=True)
        raise_alert(tx, "rollback", "endpoint/shop", "again", alert_id="b2")
    store.close()
    shown = cli("alerts", "list")
    assert "demand went back" in shown.out
    assert "shop" not in shown.out
    assert len(cli("alerts", "list", "--all", "--json").json()["alerts"]) == 2
    assert cli("alerts", "list", "--endpoint", "shop", "--all", "--json").json()["alerts"]
    done = cli("alerts", "ack", "a", "-m", "looking", "--as", "operator", "--json").json()
    assert (done["state"], done["acked_by"]) == ("acknowledged", "operator")
    again = cli("alerts", "ack", "a1")
    assert (again.status, "acknowledged already, by operator" in again.err) == (1, True)
    assert cli("alerts", "resolve", "a1").status == 0
    assert cli("alerts", "resolve", "zz").status == 3
    assert cli("alerts", "list", "--all", "--state", "open").status == 2
    assert cli("alerts", "resolve", "b2", "--read-only").status == 1


STEPS = (
    StrategyStep("set_weight", weight=10.0),
    StrategyStep("pause"),
    StrategyStep("analyse"),
    StrategyStep("set_weight", weight=100.0),
)
DEPLOYMENT = Deployment(
    *("d", "bike", "demand", 2, 2, 1, DeploymentStatus.QUEUED, STEPS, 0, 0.0, "author", "", 0.0)
)


@pytest.mark.parametrize(
    ("status", "index", "exits"),
    [
        ("succeeded", 3, 0),
        ("failed", 0, 1),
        ("aborted", 0, 1),
        ("rolled_back", 0, 7),
        ("held", 2, 6),
        ("paused", 1, 6),
        ("paused", 2, 5),  # an analysis without a limit ends by itself
        ("progressing", 0, 5),
    ],
)
def test_the_exit_status_tells_the_outcome(status: str, index: int, exits: int) -> None:
    found = replace(DEPLOYMENT, status=DeploymentStatus(status), step_index=index)
    assert deployment_status(found) == exits
    assert waits_for_person(found) == (exits == 6)


@pytest.fixture
def asked(seeded: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Headers of the requests to the seeded endpoint, which a small server answers."""
    seen: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    from core.serving.control import EndpointControl
    from core.serving.records import EndpointInfo, EndpointState

    def info(self: EndpointControl) -> EndpointInfo:
        return EndpointInfo(
            name="demand",
            directory=self.folder.root,
            host="127.0.0.1",
            port=server.server_port,
            state=EndpointState.SERVING,
            alive=True,
            pid=1,
            server_pid=1,
            variants=(),
            updated_at=0.0,
        )

    monkeypatch.setattr(EndpointControl, "info", info)
    yield seen
    server.shutdown()
    server.server_close()


def test_invoke_sends_the_token_of_the_environment_or_a_file(
    cli: Cli, asked: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ["endpoints", "invoke", "demand", "-d", "{}"]
    monkeypatch.delenv("OPSDECK_ENDPOINT_TOKEN", raising=False)
    assert cli(*call).status == 0
    monkeypatch.setenv("OPSDECK_ENDPOINT_TOKEN", TOKEN)
    assert cli(*call).status == 0
    secret = tmp_path / "token"
    secret.write_text("another-token-of-mine\n")
    assert cli(*call, "--token-file", str(secret)).status == 0
    sent = [headers.get("Authorization") for headers in asked]
    assert sent == [None, f"Bearer {TOKEN}", "Bearer another-token-of-mine"]
