"""The section `alerts:`: what it says, and each fault with its key and the nearest name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.alerting.config import alert_settings
from core.alerting.errors import AlertsConfigInvalid
from core.alerting.settings import AlertSettings, Throttle
from core.errors import ConfigInvalid, OpsdeckError
from core.workspace import open_workspace

WHOLE = """
grouping: 12h
reopen: 1h
related: 2d
throttle: 3 per 5m
quiet_hours: ["22:00-07:00 Europe/Berlin"]
targets:
  chat: "${CHAT_URL}"
  hook: {url: "json://127.0.0.1:9/x", throttle: 1 per 1h, quiet_hours: [], time_limit: 5s}
  mail: {url: "mailtos://bot:${MAIL_PASSWORD}@mail.example.org"}
people:
  engineer: {notify: [chat, hook]}
  reviewer: {notify: mail}
schedules:
  primary:
    people: [engineer, reviewer]
    every: 2w
    starts: 2026-11-02
    handover: 10:30
    zone: Europe/Berlin
    overrides:
      - {from: "2026-12-24 09:00", until: 2026-12-27, who: reviewer}
owners:
  - {target: "endpoint/bike-*", owner: oncall/primary}
  - {kind: data_quality, severity: warning, labels: {team: data}, owner: reviewer}
escalation:
  bad: {for: {severity: critical}, levels: [{notify: oncall/primary}, {after: 15m, notify: [chat]}]}
  rest: [{notify: [owner, chat]}]
digest: {at: "08:15", zone: Europe/Berlin, severities: [info, warning], notify: [chat]}
runbooks: {drift: runbooks/drift.md}
"""


def read(section: Any, tmp_path: Path) -> AlertSettings:
    text = section if isinstance(section, str) else yaml.safe_dump(section)
    indented = "\n".join("  " + line for line in text.strip().splitlines())
    (tmp_path / "opsdeck.yaml").write_text(f"name: x\nalerts:\n{indented}\n")
    return alert_settings(open_workspace(tmp_path))


def test_all_of_it(tmp_path: Path) -> None:
    found = read(WHOLE, tmp_path)
    assert (found.grouping, found.reopen, found.related) == (43_200, 3_600, 172_800)
    hook = found.targets["hook"]
    assert (hook.throttle, hook.quiet, hook.seconds) == (Throttle(1, 3_600), (), 5)
    assert found.targets["chat"].throttle == Throttle(3, 300)
    assert len(found.targets["chat"].quiet) == 1
    assert found.targets["chat"].scheme == "from the environment"
    assert found.targets["mail"].scheme == "mailtos"
    primary = found.schedules["primary"]
    assert (primary.days, primary.minute, primary.people) == (14, 630, ("engineer", "reviewer"))
    assert primary.overrides[0].end - primary.overrides[0].start == (3 * 24 - 9) * 3600
    assert [policy.name for policy in found.policies] == ["bad", "rest"]
    assert [level.after for level in found.policies[0].levels] == [0, 900]
    assert found.digest is not None
    assert found.digest.minute == 8 * 60 + 15


def test_none_of_it_is_well(tmp_path: Path) -> None:
    (tmp_path / "opsdeck.yaml").write_text("name: x\n")
    assert alert_settings(open_workspace(tmp_path)) == AlertSettings()
    (tmp_path / "opsdeck.yaml").write_text("name: x\nalerts:\n")
    assert alert_settings(open_workspace(tmp_path)) == AlertSettings()
    (tmp_path / "opsdeck.yaml").write_text("name: x\nalerts: [1]\n")
    with pytest.raises(ConfigInvalid, match="alerts: must be a mapping"):
        open_workspace(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": {}}, "alerts.target: unknown key (did you mean targets?)"),
        ({"grouping": "soon"}, "alerts.grouping: 'soon' is not a duration"),
        ({"targets": {"x": "nothing"}}, "alerts.targets.x.url: is no address"),
        ({"targets": {"x": {"url": "json://h", "limit": 1}}}, "did you mean time_limit"),
        ({"targets": {"x": {"url": "json://h", "time_limit": "1h"}}}, "time_limit: must be 1s"),
        ({"targets": {"9x": "json://h"}}, "'9x' is no name"),
        ({"targets": {"x": "slack://T0/B1/abcdef"}}, "has its token in the file"),
        ({"targets": {"x": "mailto://me:hunter2@h"}}, "has a password in it"),
        ({"targets": {"x": {}}}, "alerts.targets.x.url: missing"),
        ({"people": {"me": {"notify": ["chat"]}}}, "there is no target yet"),
        ({"schedules": {"s": {"people": ["x"], "starts": "2026-01-01"}}}, "no person 'x'"),
        ({"schedules": {"s": {"starts": "2026-01-01"}}}, "schedules.s.people: missing"),
        ({"owners": [{"owner": "x"}]}, "owners[0].owner: no person or schedule 'x'"),
        ({"owners": {"x": 1}}, "alerts.owners: must be a list"),
        ({"owners": [3]}, "alerts.owners[0]: must be a mapping"),
        ({"escalation": {"p": [{"notify": ["chta"]}]}}, "no target, person or oncall/NAME 'chta'"),
        ({"digest": {"at": "25:00", "notify": []}}, "digest.at: must be a time of the day"),
        ({"digest": {"severities": ["loud"], "notify": []}}, "no severity 'loud'"),
        ({"digest": {"zone": "Mars/North", "notify": []}}, "no time zone 'Mars/North'"),
        ({"digest": {"notify": ["owner"]}}, "has alerts of several owners"),
        ({"throttle": "many"}, "must be so many messages per time"),
        ({"quiet_hours": "night"}, "'night' is not a time window"),
        ({"runbooks": {"drift": 3}}, "alerts.runbooks.drift: must be text"),
    ],
)
def test_each_fault_is_said_with_its_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(AlertsConfigInvalid) as caught:
        read(change, tmp_path)
    line = caught.value.one_line()
    assert said in line
    assert "\n" not in line
    assert str(tmp_path / "opsdeck.yaml") in caught.value.message


def test_names_that_nothing_has_come_with_the_nearest(tmp_path: Path) -> None:
    section = yaml.safe_load(WHOLE)
    section["escalation"]["rest"][0]["notify"] = ["oncall/primry"]
    with pytest.raises(AlertsConfigInvalid) as caught:
        read(section, tmp_path)
    assert caught.value.hint == "did you mean oncall/primary?"
    section = yaml.safe_load(WHOLE)
    section["people"]["chat"] = {"notify": []}
    with pytest.raises(AlertsConfigInvalid, match="is the name of a target too"):
        read(section, tmp_path)


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        ([{"after": "5m", "notify": []}], "the first level is told at once"),
        ([{}, {"after": "5m"}, {"after": "5m"}], "must be later than the level before"),
        ([{"when": "5m"}], "unknown key"),
    ],
)
def test_levels_come_one_after_the_other(tmp_path: Path, levels: list[Any], said: str) -> None:
    with pytest.raises(AlertsConfigInvalid, match=said):
        read({"escalation": {"p": {"levels": levels}}}, tmp_path)


words = st.sampled_from(["json://h", "5m", "critical", "owner", "2026-01-01", "09:00"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False)
    | st.text(max_size=5) | words,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["targets", "people", "schedules", "owners", "escalation", "digest", "url", "notify",
             "levels", "after", "for", "x", "starts", "who", "from", "until", "overrides"]
        ),
        inner,
        max_size=3,
    ),
    max_leaves=12,
)  # fmt: skip
SECTIONS = st.sampled_from(
    ["targets", "people", "schedules", "owners", "escalation", "quiet_hours", "throttle",
     "digest", "runbooks", "grouping"]
)  # fmt: skip


@given(section=st.dictionaries(SECTIONS, anything, max_size=4))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_written_it_is_read_or_said_in_one_line(
    tmp_path: Path, section: dict[str, Any]
) -> None:
    try:
        read(section or "{}", tmp_path)
    except OpsdeckError as error:
        assert "\n" not in error.one_line()
