"""Who is told, when and how often: through a real HTTP server, as Apprise calls it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from core.alerting import raise_incident, resolve_incident, silencing
from core.domain.alert import Matcher
from core.ops import Ops
from tests.core.alerting.conftest import Duty, Mailbox
from tests.support.opened import raw

OnDuty = Callable[[str], Duty]


def see(ops: Ops, key: str = "a", **given: Any) -> str:
    told: dict[str, Any] = {
        "kind": "model_quality",
        "target": "endpoint/bike",
        "title": f"{key} is worse",
        "severity": "critical",
    }
    with ops.session.change("test") as tx:
        return raise_incident(tx, cause_key=key, **{**told, **given})


def targets(**boxes: Mailbox) -> str:
    lines = [f"    {name}: {{url: {box.url}, time_limit: 5s}}" for name, box in boxes.items()]
    return "  targets:\n" + "\n".join(lines) + "\n"


def later(duty: Duty, seconds: float, *columns: str) -> None:
    """Let time pass: put back what the rows say."""
    for column in columns:
        table, name = column.split(".")
        url = duty.ops.workspace.database_url
        raw(url, f"UPDATE {table} SET {name} = {name} - {seconds}")


def deliveries(duty: Duty, columns: str = "target, kind") -> list[tuple[Any, ...]]:
    return raw(
        duty.ops.workspace.database_url, f"SELECT {columns} FROM alert_deliveries ORDER BY id"
    )


def timeline(duty: Duty, alert: str) -> list[tuple[Any, ...]]:
    return raw(
        duty.ops.workspace.database_url,
        "SELECT kind, message FROM alert_events WHERE alert_id = ? ORDER BY id",
        [alert],
    )


def test_a_storm_is_one_message_and_its_end_another(on_duty: OnDuty, mailbox: Mailbox) -> None:
    duty = on_duty(targets(chat=mailbox))
    with duty.ops.session.change("test") as tx:
        for n in range(500):
            raise_incident(
                tx, cause_key=f"f{n}", kind="drift", target="endpoint/bike",
                title=f"f{n} drifts", severity="warning",
            )  # fmt: skip
    duty.until(lambda: mailbox.got)
    assert mailbox.titles() == ["[warning] endpoint/bike: f0 drifts (and 499 more)"]
    assert "opsdeck alerts show" in mailbox.got[0]["message"]
    assert mailbox.got[0]["type"] == "warning"
    with duty.ops.session.change("test") as tx:
        for n in range(500):
            resolve_incident(tx, f"f{n}")
    duty.until(lambda: len(mailbox.got) == 2)
    assert mailbox.titles()[1].startswith("[resolved] endpoint/bike: resolved: ")
    assert mailbox.got[1]["type"] == "success"
    duty.settle()
    assert len(mailbox.got) == 2


def test_an_address_that_hangs_is_cut_off_and_holds_up_no_other(
    on_duty: OnDuty, make_mailbox: Callable[[], Mailbox]
) -> None:
    well, hangs = make_mailbox(), make_mailbox()
    hangs.delay = 60.0
    # Apprise's own patience is longer than what the file gives this one.
    duty = on_duty(
        "  targets:\n"
        f"    well: {{url: {well.url}}}\n"
        f'    hangs: {{url: "{hangs.url}?rto=50&cto=50", time_limit: 2s}}\n'
    )
    begun = time.monotonic()
    alert = see(duty.ops)
    duty.until(lambda: well.got)
    assert time.monotonic() - begun < 10
    duty.until(lambda: any(kind == "not told" for kind, _ in timeline(duty, alert)))
    assert time.monotonic() - begun < 15
    said = dict(timeline(duty, alert))
    assert said["not told"] == "target hangs: no answer within 2 s; it is tried again"
    assert said["told"] == "well (opened)"


def test_what_was_refused_is_tried_again_later_and_later(on_duty: OnDuty, mailbox: Mailbox) -> None:
    mailbox.answer = 503
    duty = on_duty(targets(chat=mailbox))
    see(duty.ops)
    duty.until(lambda: deliveries(duty, "attempts") == [(1,)])
    ((wait, error),) = deliveries(duty, "due_at - created_at, error")
    assert 15 <= wait < 30
    assert "503" in error
    later(duty, 30, "alert_deliveries.due_at")
    duty.until(lambda: deliveries(duty, "attempts") == [(2,)])
    mailbox.answer = 200
    later(duty, 60, "alert_deliveries.due_at")
    duty.until(lambda: mailbox.got)
    assert deliveries(duty, "attempts, error") == [(3, "")]


def test_after_a_day_it_is_given_up_and_the_timeline_says_so(
    on_duty: OnDuty, mailbox: Mailbox
) -> None:
    mailbox.answer = 500
    duty = on_duty(targets(chat=mailbox))
    alert = see(duty.ops)
    duty.until(lambda: deliveries(duty, "attempts") == [(1,)])
    later(duty, 25 * 3600, "alert_deliveries.due_at", "alert_deliveries.created_at")
    duty.until(lambda: deliveries(duty, "attempts") == [(2,)])
    assert any(message.startswith("given up: ") for _, message in timeline(duty, alert))


def test_a_sender_that_died_is_followed_by_another(on_duty: OnDuty, mailbox: Mailbox) -> None:
    duty = on_duty("  targets: {}\n")
    see(duty.ops)
    duty.settle()
    raw(
        duty.ops.workspace.database_url,
        "INSERT INTO alert_deliveries (target, alert_id, kind, severity, created_at, due_at,"
        " taken_by, taken_at)"
        " SELECT 'chat', id, 'opened', severity, at, at, 'dead', at FROM alerts",
    )
    duty = on_duty(targets(chat=mailbox))
    duty.settle()
    assert mailbox.got == [], "it may still be on its way"
    later(duty, 200, "alert_deliveries.taken_at")
    duty.until(lambda: mailbox.got)


def test_more_than_the_throttle_lets_through_goes_out_together(
    on_duty: OnDuty, mailbox: Mailbox
) -> None:
    duty = on_duty(targets(chat=mailbox) + "  throttle: 1 per 10m\n")
    see(duty.ops, "a", severity="warning")
    duty.until(lambda: len(mailbox.got) == 1)
    for n in range(5):
        see(duty.ops, f"b{n}", severity="warning", target=f"endpoint/e{n}")
    duty.settle()
    assert len(mailbox.got) == 1
    see(duty.ops, "c", target="endpoint/c")
    duty.until(lambda: len(mailbox.got) == 2)
    assert mailbox.titles()[1] == "[critical] endpoint/c: c is worse", "that does not wait"
    later(duty, 700, "alert_deliveries.due_at", "alert_deliveries.sent_at")
    duty.until(lambda: len(mailbox.got) == 3)
    assert mailbox.titles()[2].startswith("[warning] 5 alerts in ")
    assert "endpoint/e4: b4 is worse" in mailbox.got[2]["message"]


def test_quiet_hours_hold_back_all_but_what_is_critical(on_duty: OnDuty, mailbox: Mailbox) -> None:
    duty = on_duty(targets(chat=mailbox) + '  quiet_hours: ["00:00-12:00", "12:00-24:00"]\n')
    # Open all day: after eight days without a gap there is no waiting; a real window has one.
    now = time.gmtime()
    window = f"{now.tm_hour:02}:00-{(now.tm_hour + 1) % 24:02}:30"
    duty = on_duty(targets(chat=mailbox) + f'  quiet_hours: "{window}"\n')
    see(duty.ops, "a", severity="warning")
    see(duty.ops, "b", target="endpoint/shop")
    duty.until(lambda: mailbox.got)
    assert mailbox.titles() == ["[critical] endpoint/shop: b is worse"]
    ((wait,),) = deliveries(duty, "due_at - created_at")[:1]
    assert 1700 < wait <= 5400


def test_low_severities_are_told_once_a_day_together(on_duty: OnDuty, mailbox: Mailbox) -> None:
    digest = '  digest: {at: "09:00", severities: [info], notify: [chat]}\n'
    duty = on_duty(targets(chat=mailbox) + digest)
    duty.settle()  # the first day begins
    for n in range(3):
        see(duty.ops, f"d{n}", kind="drift", severity="info", target=f"endpoint/e{n}")
    duty.settle()
    assert mailbox.got == []
    url = duty.ops.workspace.database_url
    raw(url, "UPDATE alert_settings SET value = ? WHERE key = 'digest'",
        [repr(time.time() - 86_400)])  # fmt: skip
    duty.until(lambda: mailbox.got)
    assert mailbox.titles() == [f"[info] 3 alerts in {duty.ops.workspace.name}, local"]
    duty.settle()
    assert len(mailbox.got) == 1


POLICY = """\
  people:
    engineer: {notify: [pager]}
    reviewer: {notify: [chat]}
  schedules:
    primary: {people: [engineer], every: 1w, starts: 2020-01-06}
  escalation:
    default:
      levels:
        - {notify: [oncall/primary]}
        - {after: 15m, notify: [reviewer]}
        - {after: 30m, notify: [pager, chat]}
"""


def test_who_does_not_acknowledge_is_not_the_last_to_be_told(
    on_duty: OnDuty, make_mailbox: Callable[[], Mailbox]
) -> None:
    pager, chat = make_mailbox(), make_mailbox()
    duty = on_duty(targets(pager=pager, chat=chat) + POLICY)
    alert = see(duty.ops)
    duty.until(lambda: pager.got)
    assert chat.got == []
    later(duty, 16 * 60, "alerts.level_at")
    duty.until(lambda: chat.got)
    assert "nobody acknowledged: a is worse" in chat.titles()[0]
    assert duty.ops.alerts.get(alert).level == 1
    assert ("escalated", "to level 2 (reviewer): not acknowledged for 15 min") in timeline(
        duty, alert
    )
    duty.ops.alerts.acknowledge(alert)
    later(duty, 16 * 60, "alerts.level_at")
    duty.settle()
    assert duty.ops.alerts.get(alert).level == 1, "somebody looks after it"
    assert deliveries(duty, "target, kind, person") == [
        ("pager", "opened", "engineer"),
        ("chat", "escalated", "reviewer"),
    ]


def test_what_is_silenced_tells_nobody_until_the_silence_is_over(
    on_duty: OnDuty, mailbox: Mailbox
) -> None:
    duty = on_duty(targets(chat=mailbox))
    with duty.ops.session.change("test") as tx:
        silencing.silence(tx, Matcher(target="endpoint/*"), tx.now + 3600, "moving house")
    alert = see(duty.ops)
    duty.settle()
    assert deliveries(duty) == []
    later(duty, 3700, "alert_silences.ends_at")
    duty.until(lambda: mailbox.got)
    assert mailbox.titles() == ["[critical] endpoint/bike: again: a is worse"]
    assert ("back", "the silence is over") in timeline(duty, alert)
    duty.settle()
    assert len(mailbox.got) == 1, "once"


def test_no_secret_of_an_address_is_kept_or_said(
    on_duty: OnDuty, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setenv("CHAT_TOKEN", "sesame-open-1234")
    mailbox.answer = 404
    url = f"json://bot:${{CHAT_TOKEN}}@127.0.0.1:{mailbox.port}/x/${{CHAT_TOKEN}}"
    duty = on_duty(f'  targets:\n    chat: {{url: "{url}"}}\n')
    alert = see(duty.ops)
    duty.until(lambda: deliveries(duty, "attempts") == [(1,)])
    kept = str((timeline(duty, alert), deliveries(duty, "*"), caplog.text))
    kept += str(raw(duty.ops.workspace.database_url, "SELECT * FROM journal"))
    assert "404" in kept
    assert "sesame" not in kept
    monkeypatch.delenv("CHAT_TOKEN")
    later(duty, 60, "alert_deliveries.due_at")
    duty.until(lambda: deliveries(duty, "attempts") == [(2,)])
    ((error,),) = deliveries(duty, "error")
    assert error == "alerts.targets.chat.url: the variable CHAT_TOKEN is not set here"


def test_a_file_that_is_wrong_from_the_start_loses_nothing(
    on_duty: OnDuty, mailbox: Mailbox
) -> None:
    duty = on_duty("  targts: {}\n")
    see(duty.ops)
    duty.settle()
    file = duty.ops.workspace.root / "opsdeck.yaml"
    file.write_text(file.read_text().replace("  targts: {}\n", targets(chat=mailbox)))
    duty.until(lambda: mailbox.got)
    file.write_text(file.read_text().replace("  targets:", "  targts:"))
    see(duty.ops, "b", target="endpoint/shop")
    duty.until(lambda: len(mailbox.got) == 2)
    assert mailbox.titles()[1] == "[critical] endpoint/shop: b is worse", "as it was before"


def test_what_was_open_before_anybody_was_told_wakes_nobody(
    on_duty: OnDuty, mailbox: Mailbox
) -> None:
    duty = on_duty(
        targets(chat=mailbox)
        + "  escalation: {default: [{notify: chat}, {after: 15m, notify: chat}]}\n"
    )
    see(duty.ops)
    raw(
        duty.ops.workspace.database_url,
        "INSERT INTO alerts (id, at, severity, kind, target, title) VALUES"
        " ('old', 1, 'critical', 'rollback', 'endpoint/x', 'long ago')",
    )
    duty.until(lambda: mailbox.got)
    duty.settle()
    assert [title.rpartition(": ")[2] for title in mailbox.titles()] == ["a is worse"]
