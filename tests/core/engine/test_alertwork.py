"""Alerts with a real worker and no console: told, escalated, and told after a worker's death."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core.alerting import raise_incident
from tests.core.alerting.conftest import Mailbox, make_mailbox
from tests.support.engine import Site

__all__ = ["make_mailbox"]


@pytest.mark.slow
def test_a_worker_tells_escalates_and_is_followed_by_another(
    site: Site, make_mailbox: Callable[[], Mailbox]
) -> None:
    first, second = make_mailbox(), make_mailbox()
    file = site.root / "opsdeck.yaml"
    file.write_text(
        file.read_text()
        + f"""
alerts:
  targets: {{first: "{first.url}", second: "{second.url}"}}
  escalation: {{default: [{{notify: first}}, {{after: 2s, notify: second}}]}}
"""
    )

    def see(cause: str) -> str:
        with site.ops.session.change("test") as tx:
            return raise_incident(
                tx, cause_key=cause, kind=cause, target="endpoint/bike", title=f"{cause} is off",
                severity="critical",
            )  # fmt: skip

    alert = see("mae")  # the worker runs since before the file said whom to tell
    site.wait_for(lambda: len(first.got) == 1, 30)
    site.wait_for(lambda: len(second.got) == 1, 30)
    assert "nobody acknowledged" in second.titles()[0]
    assert site.ops.alerts.get(alert).level == 1
    site.ops.alerts.acknowledge(alert)
    site.kill_worker()
    see("latency")
    site.start_worker()
    site.wait_for(lambda: len(first.got) == 2, 30)
    assert "latency is off" in first.titles()[1]
    assert all("mae" not in title for title in first.titles()[1:])
