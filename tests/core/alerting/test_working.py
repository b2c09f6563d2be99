"""What people do with alerts through the facade: who may what when, what is beside an alert."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import click
import pytest

from console.main import COMMANDS, root
from core.alerting import raise_incident
from core.alerting.errors import NobodyToTell
from core.alerting.runbook import runbook_of
from core.alerting.settings import AlertSettings
from core.domain.alert import Alert, AlertState, Matcher, Severity
from core.errors import BadInput, NotFound, ReadOnly, WrongState
from core.ops import Ops
from core.workspace import open_workspace
from tests.support.opened import OpenAs, raw


def see(ops: Ops, key: str = "a", **given: Any) -> str:
    told: dict[str, Any] = {
        "kind": "model_quality",
        "target": "endpoint/bike",
        "title": f"{key} is worse",
        "severity": "critical",
    }
    with ops.session.change("test") as tx:
        return raise_incident(tx, cause_key=key, **{**told, **given})


def test_who_comes_late_hears_who_was_first(ops: Ops, open_as: OpenAs) -> None:
    ref = see(ops)
    open_as("reviewer").alerts.acknowledge(ref, "on it")
    with pytest.raises(WrongState, match=rf"alert {ref} is acknowledged already, by reviewer 0 s"):
        ops.alerts.acknowledge(ref)
    open_as("reviewer").alerts.resolve(ref)
    for late in (ops.alerts.resolve, ops.alerts.acknowledge):
        with pytest.raises(WrongState, match="resolved already, by reviewer"):
            late(ref)
    with pytest.raises(WrongState):
        ops.alerts.snooze(ref, 60.0)
    with pytest.raises(NotFound):
        ops.alerts.resolve("zz")
    with pytest.raises(ReadOnly):
        open_as("guest", read_only=True).alerts.assign(ref, "guest")


def test_what_is_given_to_somebody_is_theirs_once(ops: Ops) -> None:
    ref = see(ops, labels={"owner": "reviewer"})
    assert ops.alerts.get(ref).owner == "reviewer", "whom the definition names"
    assert ops.alerts.assign(ref, "engineer").owner == "engineer"
    with pytest.raises(WrongState, match="engineer's already"):
        ops.alerts.assign(ref, "engineer")
    with pytest.raises(BadInput):
        ops.alerts.assign(ref, "  ")


def test_silences_hide_what_fits_and_end(ops: Ops, database_url: str) -> None:
    bad = see(ops)
    see(ops, "b", kind="anomaly", severity="info")
    see(ops, "c", target="endpoint/shop", severity="warning", labels={"team": "web"})
    assert [alert.severity for alert in ops.alerts.triage().alerts] == [
        "critical", "warning", "info",
    ]  # fmt: skip
    made = ops.alerts.silence(Matcher(target="endpoint/b*", severity="critical"), 3600, "known")
    shown = ops.alerts.triage()
    assert (len(shown.alerts), shown.silenced) == (2, 1)
    hidden = {a.id: a for a in ops.alerts.triage(hidden=True).alerts}
    assert hidden[bad].silence == made
    assert ops.alerts.silence(Matcher(labels={"team": "web"}), 60, "known")
    assert ops.alerts.triage().silenced == 2
    ops.alerts.unsilence(made.id[:5])
    assert ops.alerts.triage().silenced == 1
    with pytest.raises(WrongState, match="was ended already, by author"):
        ops.alerts.unsilence(made.id)
    raw(database_url, "UPDATE alert_silences SET ends_at = ends_at - 100")
    assert ops.alerts.triage().silenced == 0, "by itself"
    assert len(ops.alerts.silences()) == 0
    assert len(ops.alerts.silences(all_=True)) == 2


@pytest.mark.parametrize(
    ("matcher", "seconds", "reason"),
    [
        (Matcher(), 60, "x"),
        (Matcher(target="x"), 0, "x"),
        (Matcher(target="x"), 91 * 86_400, "x"),
        (Matcher(target="x"), 60, " "),
        (Matcher(severity="loud"), 60, "x"),
    ],
)
def test_a_silence_of_everything_or_for_ever_is_refused(
    ops: Ops, matcher: Matcher, seconds: float, reason: str
) -> None:
    with pytest.raises(BadInput):
        ops.alerts.silence(matcher, seconds, reason)


def test_without_a_policy_nobody_can_be_told_more(ops: Ops) -> None:
    ref = see(ops)
    with pytest.raises(NobodyToTell, match=r"no policy of alerts\.escalation fits it"):
        ops.alerts.escalate(ref)


def test_a_wrong_file_is_said_and_alerts_can_be_worked_on(ops: Ops, open_as: OpenAs) -> None:
    ref = see(ops)
    file = ops.workspace.root / "opsdeck.yaml"
    file.write_text(file.read_text() + "alerts: {targts: {}}\n")
    other = open_as("engineer")
    assert "did you mean targets?" in other.alerts.triage().unattended
    assert other.alerts.acknowledge(ref).acked_by == "engineer"


def test_no_worker_is_said_where_somebody_would_be_told(ops: Ops, open_as: OpenAs) -> None:
    see(ops)
    assert ops.alerts.triage().unattended == ""
    file = ops.workspace.root / "opsdeck.yaml"
    file.write_text(file.read_text() + 'alerts: {targets: {x: "json://127.0.0.1:1/"}}\n')
    assert "no worker is running" in open_as("engineer").alerts.triage().unattended


def test_the_nearest_change_is_the_most_suspicious(ops: Ops, database_url: str) -> None:
    now = time.time()
    ref = see(ops)
    raw(
        database_url,
        "INSERT INTO endpoints (name, environment, status, host, created_at, updated_at)"
        " VALUES ('bike', 'production', 'in_service', 'h', 1, 1),"
        " ('shop', 'production', 'in_service', 'h', 1, 1)",
    )
    for id_, endpoint, ago in (("d1", "bike", 600), ("d2", "shop", 300), ("d3", "bike", 90_000)):
        raw(
            database_url,
            "INSERT INTO deployments (id, endpoint, model, version, revision, status, strategy,"
            " actor, created_at) VALUES (?, ?, 'demand', 2, 2, 'succeeded', '[]', 'author', ?)",
            [id_, endpoint, now - ago],
        )
    folder = ops.workspace.root
    git = ["git", "-C", str(folder), "-c", "user.name=author", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "another learning rate"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    found = ops.alerts.detail(ref).related
    assert found[0].what == "demand v2 to bike: succeeded"
    assert found[0].why == "the target itself"
    assert {change.kind for change in found} == {"deployment", "code"}
    assert any("another learning rate" in change.what for change in found)
    assert not any(now - change.at > 86_400 for change in found)
    assert [c.suspicion for c in found] == sorted((c.suspicion for c in found), reverse=True)


def test_what_can_be_done_says_the_command_or_why_not(ops: Ops) -> None:
    actions = {a.id: a for a in ops.alerts.detail(see(ops)).actions}
    assert actions["evidence"].command == "opsdeck endpoints show bike"
    assert "no version to go back to" in actions["rollback"].reason
    ref = see(ops, "m", target="endpoint/shop", evidence={"open": "monitor/shop-drift@7"})
    actions = {a.id: a for a in ops.alerts.detail(ref).actions}
    assert actions["evidence"].command == "opsdeck monitors show shop-drift"


def test_a_runbook_of_the_workspace_takes_the_place_of_the_built_in_one(ops: Ops) -> None:
    ref = see(ops)
    built_in = ops.alerts.detail(ref).runbook
    assert (built_in.source, built_in.title) == ("built in", "The model is worse than it was")
    assert "`opsdeck endpoints rollback bike`" in built_in.text
    folder = ops.workspace.root / "runbooks"
    folder.mkdir()
    (folder / "model_quality.md").write_text("# Ours\n\nCall the bike shop.\n")
    ours = ops.alerts.detail(ref).runbook
    assert (ours.source, ours.title, ours.text) == (
        "runbooks/model_quality.md", "Ours", "Call the bike shop.",
    )  # fmt: skip


@pytest.mark.parametrize("named", ["../outside.md", "gone.md", "binary.md"])
def test_a_runbook_that_cannot_be_read_leaves_the_built_in_one(ops: Ops, named: str) -> None:
    (ops.workspace.root / "binary.md").write_bytes(b"\xff\xfe\x00")
    (ops.workspace.root.parent / "outside.md").write_text("secret")
    found = ops.alerts.detail(see(ops, runbook=named)).runbook
    assert found.source == "built in"
    assert "endpoints rollback" in found.text
    assert f"runbook {named}:" in found.text
    assert "secret" not in found.text


KINDS = (
    "drift", "data_quality", "quarantine", "model_quality", "bias", "attribution", "anomaly",
    "service", "slo", "rollback", "rollback_failed", "held", "frozen", "deployment_failed",
    "crash_loop", "trigger", "relapse", "monitor_failed", "something-else", "drift-test",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_text_whose_commands_exist(tmp_path: Path, kind: str) -> None:
    (tmp_path / "opsdeck.yaml").write_text("")
    alert = Alert(
        *("a1", 0.0, Severity.WARNING, kind, "endpoint/bike", None, None, "t", "m"),
        AlertState.OPEN,
    )
    book = runbook_of(alert, open_workspace(tmp_path), AlertSettings())
    assert book.title
    commands = re.findall(r"`opsdeck ([a-z]+) ([a-z]+)", book.text)
    assert commands
    context = root.make_context("opsdeck", [], resilient_parsing=True)
    for noun, verb in commands:
        assert noun in COMMANDS, noun
        group = root.get_command(context, noun)
        assert isinstance(group, click.Group)
        assert group.get_command(context, verb) is not None, (noun, verb)


def test_the_folder_of_texts_has_no_stray_one() -> None:
    folder = Path(runbook_of.__code__.co_filename).parent / "runbooks"
    assert {file.stem for file in folder.glob("*.md")} <= {*KINDS, "default", "monitor"}


def test_every_command_that_shows_evidence_exists() -> None:
    from core.alerting.actions import SHOW

    context = root.make_context("opsdeck", [], resilient_parsing=True)
    for command in SHOW.values():
        noun, verb = command.split()[1:3]
        group = root.get_command(context, noun)
        assert isinstance(group, click.Group)
        assert group.get_command(context, verb) is not None, command
