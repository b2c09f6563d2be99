"""`opsdeck alerts` on the command line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from core.alerting import raise_incident
from core.state.store import Store

Cli = Any

CONFIG = """
alerts:
  targets:
    chat: {url: "json://127.0.0.1:%d/x", time_limit: 5s}
    pager: {url: "${NO_SUCH_VARIABLE}"}
  people:
    engineer: {notify: [chat]}
    reviewer: {notify: [pager]}
  schedules:
    primary: {people: [engineer, reviewer], every: 1w, starts: 2026-11-02, zone: Europe/Berlin}
  owners: [{target: "endpoint/*", owner: oncall/primary}]
  escalation: {default: [{notify: [chat]}, {after: 15m, notify: [reviewer]}]}
"""


@pytest.fixture
def got() -> Iterator[tuple[int, list[Any]]]:
    """An address: its port, and what it was sent."""
    sent: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1], sent
    server.shutdown()
    server.server_close()


@pytest.fixture
def alerts(seeded: Path, got: tuple[int, list[Any]]) -> dict[str, str]:
    """Three alerts in a workspace with a section `alerts:`; their ids by cause."""
    file = seeded / "opsdeck.yaml"
    file.write_text(file.read_text() + CONFIG % got[0])
    store = Store(f"sqlite:///{seeded / '.opsdeck' / 'state.db'}")
    store.migrate()
    with store.transaction("opsdeck") as tx:
        made = {}
        for key, kind, severity, target in (
            ("mae", "model_quality", "critical", "endpoint/demand"),
            ("shift", "drift", "info", "endpoint/shop"),
            ("late", "freshness", "warning", "dataset/rentals"),
        ):
            made[key] = raise_incident(
                tx, cause_key=key, kind=kind, target=target, title=f"{key} is off",
                message="3 of 3", severity=severity, evidence={"open": [target], "value": 61.25},
            )  # fmt: skip
    store.close()
    return made


def test_the_worst_comes_first_and_what_is_hidden_is_counted(
    cli: Cli, alerts: dict[str, str]
) -> None:
    shown = cli("alerts", "list").out
    assert [line.split()[0] for line in shown.splitlines()[1:4]] == [
        alerts["mae"], alerts["late"], alerts["shift"],
    ]  # fmt: skip
    made = cli(
        "alerts", "silence", alerts["late"], "--for", "2h", "-m", "being rebuilt", "--json"
    ).json()
    assert made["matcher"]["target"] == "dataset/rentals"
    assert cli("alerts", "snooze", alerts["shift"], "--for", "30m").status == 0
    shown = cli("alerts", "list").out
    assert "not shown: 1 silenced, 1 snoozed" in shown
    assert alerts["late"] not in shown
    assert alerts["late"] in cli("alerts", "list", "--all").out
    assert "being rebuilt" in cli("alerts", "silences").out
    assert cli("alerts", "silences", "--end", made["id"]).status == 0
    assert cli("alerts", "silences").out.strip() == "nothing is silenced"
    assert len(cli("alerts", "list", "--json").json()["alerts"]) == 2
    assert cli("alerts", "list", "--target", "dataset/rentals", "--json").json()["alerts"]


def test_show_has_what_one_needs_at_night(cli: Cli, alerts: dict[str, str]) -> None:
    shown = cli("alerts", "show", alerts["mae"]).out
    for words in (
        "critical: mae is off", "endpoint/demand", "value=61.25", "oncall/primary",
        "Runbook: The model is worse than it was", "opsdeck endpoints rollback demand",
        "default: ✓chat → reviewer", "Timeline",
    ):  # fmt: skip
        assert words in shown, words
    document = cli("alerts", "show", alerts["mae"], "--json").json()
    assert document["steps"][1]["due_at"].endswith("Z")
    assert {action["id"] for action in document["actions"]} >= {"evidence", "rollback"}


def test_each_verb_does_it_and_says_so(cli: Cli, alerts: dict[str, str]) -> None:
    ref = alerts["mae"]
    for verb, *rest in (
        ("ack", "-m", "looking"), ("assign", "--to", "reviewer"), ("comment", "feed is silent"),
        ("escalate", "-m", "help"), ("resolve", "-m", "restarted"),
    ):  # fmt: skip
        result = cli("alerts", verb, ref, *rest)
        assert result.status == 0, result.err
        assert ref in result.out
    timeline = cli("alerts", "show", ref).out.partition("Timeline")[2]
    for words in ("looking", "to reviewer", "feed is silent", "to level 2 (reviewer): help"):
        assert words in timeline
    again = cli("alerts", "escalate", ref)
    assert again.status == 1
    assert "E202" in again.err
    assert "resolved already" in again.err


def test_on_call_says_who_and_who_is_next(cli: Cli, alerts: dict[str, str]) -> None:
    found = cli("alerts", "oncall", "--at", "2026-11-12T12:00", "--json").json()["on_call"][0]
    assert (found["who"], found["next"]) == ("reviewer", "engineer")
    assert found["until_at"] == "2026-11-16T08:00:00.000Z"
    assert "reviewer" in cli("alerts", "oncall", "--at", "2026-11-12T12:00").out


def test_a_test_goes_out_or_says_why_not(
    cli: Cli, alerts: dict[str, str], got: tuple[int, list[Any]]
) -> None:
    done = cli("alerts", "notify", "--test", "chat")
    assert (done.status, "it took the test" in done.out) == (0, True), done.err
    assert got[1][0]["title"].startswith("[test] Opsdeck can reach you from ")
    missing = cli("alerts", "notify", "--test", "pager")
    assert (missing.status, "NO_SUCH_VARIABLE is not set" in missing.err) == (4, True)
    unknown = cli("alerts", "notify", "--test", "pagr")
    assert (unknown.status, "known: chat, pager" in unknown.err) == (2, True)
    listed = cli("alerts", "notify").out
    assert "from the environment" in listed
    assert "127.0.0.1" not in listed


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("snooze", "REF", "--for", "soon"), 2, "--for 'soon': not a length of time"),
        (("snooze", "REF"), 2, "--for"),
        (("silence", "--for", "1h", "-m", "x"), 2, "a silence of everything is none"),
        (("silence", "REF", "--kind", "drift", "--for", "1h", "-m", "x"), 2, "exclude each other"),
        (("silence", "--label", "x", "--for", "1h", "-m", "x"), 2, "must be KEY=VALUE"),
        (("silences", "--end", "zz"), 3, "no such silence"),
        (("list", "--endpoint", "a", "--target", "b"), 2, "exclude each other"),
        (("oncall", "--at", "noon"), 2, "--at 'noon'"),
        (("comment", "REF", " "), 2, "must not be empty"),
    ],
)
def test_bad_input_is_said_in_one_line(
    cli: Cli, alerts: dict[str, str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = cli("alerts", *(alerts["mae"] if each == "REF" else each for each in arguments))
    assert (result.status, said in result.err) == (status, True), result.err
    assert "Traceback" not in result.err


def test_a_wrong_section_is_told_where_it_matters(
    cli: Cli, alerts: dict[str, str], seeded: Path
) -> None:
    file = seeded / "opsdeck.yaml"
    file.write_text(file.read_text().replace("escalation:", "escalations:"))
    result = cli("alerts", "oncall")
    assert (result.status, "did you mean escalation?" in result.err) == (2, True)
    assert "E630" in cli("alerts", "list").out
    assert cli("alerts", "ack", alerts["mae"]).status == 0
