"""A release on the screen: what it tells, and what its keys ask and do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.domain.analysis import (
    Acted,
    AlarmState,
    AlarmStatus,
    AnalysisStatus,
    Comparison,
    MetricStatus,
    Verdict,
)
from core.domain.release import DeploymentStatus, StrategyStep, lasting
from core.errors import EndpointUnavailable
from screens.dialogs.base import Dialog
from screens.dialogs.confirm import Confirm, Sign
from screens.dialogs.deploy import DeploySheet
from screens.dialogs.weight import WeightSheet
from screens.health import WAITS, WRONG, concerns
from screens.rollouts.arms import role
from screens.rollouts.checks import datapoints, verdict_words
from screens.rollouts.ladder import ladder_flow, ladder_lines, next_action
from screens.rollouts.overview import overview_lines
from screens.rollouts.screen import ReleaseScreen
from screens.rollouts.words import difference, figure, margin_words, watched
from screens.widgets.lines import Line, width_of, wrapped
from screens.widgets.logview import LogView
from tests.support.driving import opened, settled, shown, until
from tests.support.releases import METRICS, SCENES
from tests.support.seed import NOW


def text(lines: list[Line]) -> str:
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in lines)


def scene(ops: Any, name: str) -> Any:
    return SCENES[name](ops.endpoints.get("bike-demand"))


# what is told


@pytest.mark.parametrize("name", SCENES)
def test_a_low_screen_shows_step_verdicts_alarms_and_what_is_next(ops: Any, name: str) -> None:
    endpoint = scene(ops, name)
    lines = overview_lines(endpoint, NOW, 79, compact=True)
    assert all(width_of(line) <= 79 for line in lines)
    seen = text(lines[:20])
    assert "ALARMS" in seen and "slow" in seen
    assert "latency" in seen
    if name not in ("rolled-back", "promoted"):
        words = {"frozen": "held:", "asking": "waits for a person:"}
        assert words.get(name, "next:") in seen


@pytest.mark.parametrize("width", [60, 79, 99, 100, 109, 119, 200])
@pytest.mark.parametrize("name", SCENES)
def test_nothing_is_wider_than_the_screen(ops: Any, name: str, width: int) -> None:
    for compact in (True, False):
        for line in overview_lines(scene(ops, name), NOW, width, compact=compact):
            assert width_of(line) <= width


def test_what_the_supervisor_did_is_told_before_it_is_on_record(ops: Any) -> None:
    said = text(overview_lines(scene(ops, "rolled-back"), NOW, 119))
    assert "rolled back by alarm errors: 2 of the last 3 datapoints" in said
    assert "next:" not in said
    assert "progressing" not in said


def test_next_names_its_condition(ops: Any) -> None:
    said = {
        name: text([next_action(scene(ops, name).deployment, NOW, scene(ops, name).analysis)])
        for name in SCENES
    }
    assert said["climbing"] == "next: set weight 60 % in 3m10s, unless an alarm goes off"
    assert said["shadowing"] == (
        "next: set weight 10 % after 188 more compared or in 6m35s, unless an alarm goes off"
    )
    assert said["analysing"] == (
        "next: set weight 40 % when all metrics are non-inferior: 1 of 2 are, about 4m;"
        " held in 18m12s if not"
    )
    assert said["asking"].startswith("waits for a person: “B is no worse than A.")
    assert "p goes on with set weight 100 %" in said["frozen"]


def test_a_long_ladder_is_folded_about_the_current_step(ops: Any) -> None:
    deployment = scene(ops, "climbing").deployment
    said = text(ladder_lines(deployment, NOW, 60))
    assert "✓ 1 to 7 done" in said
    assert "▶ 10 bake 5m" in said
    assert "· 19 set weight 100 %" in said
    assert len(ladder_lines(deployment, NOW, 60)) < 12
    assert "10/19 bake 5m" in text(ladder_flow(deployment, NOW, 79))


def test_a_mismatch_of_the_split_is_a_warning(ops: Any) -> None:
    said = " ".join(text(overview_lines(scene(ops, "frozen"), NOW, 90)).split())
    assert "MISMATCH the split is not as set: 4.1 % at the candidate, 10 % expected" in said


def test_verdicts_tell_how_far_they_are() -> None:
    few = MetricStatus("error_rate", Verdict.UNDECIDED, champion_count=900, candidate_count=62,
                       eta=38.0)  # fmt: skip
    assert verdict_words(few, 100) == "… 62/100 ~1m"
    assert verdict_words(METRICS[1], 100) == "… undecided ~4m"
    assert verdict_words(METRICS[0], 100) == "✓ non-inferior"
    assert verdict_words(replace(METRICS[0], verdict=Verdict.WORSE), 100) == "✗ worse"
    assert verdict_words(METRICS[2], 100, brief=True) == "… dry run"


def test_latencies_are_told_as_ratios_and_milliseconds() -> None:
    assert difference("latency", 0.0953) == "+10.0"
    assert margin_words(METRICS[1]) == "< +10 %"
    assert difference("error_rate", 0.0005) == "+0.05"
    assert figure("latency_p99", 8.123) == "8.1 ms"


def test_datapoints_stand_against_the_threshold() -> None:
    alarm = AlarmStatus(
        "errors", "error_rate", "candidate", AlarmState.ALARM, 0.05, Comparison.GREATER, NOW,
        datapoints=(0.0, None, 0.05, 0.051, 0.9),
    )  # fmt: skip
    low, missing, at, above, far = datapoints(alarm)
    assert (low, missing, far) == ("▁", "·", "█")
    assert at < "▅" <= above


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (42.5, "42.5s"), (300, "5m"), (190, "3m10s"), (7200, "2h"), (3900, "1h05m"),
     (604_800, "7d")],
)  # fmt: skip
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert lasting(seconds) == words


def test_steps_and_plans_in_words() -> None:
    from core.releases.presets import PRESETS

    step = StrategyStep("shadow", weight=100.0, seconds=600.0, requests=500)
    assert step.words() == "shadow 100 % for 10m or 500 compared"
    said = watched(PRESETS["progressive"])
    assert "errors (error rate > 5 %)" in said
    assert "latency against the champion" in said
    assert "rolls back by itself" in said


def test_wrapped_keeps_words_and_styles_together() -> None:
    line: Line = [("next: ", "dim"), ("set ", "text"), ("v3", "bold"), (", then more", "dim")]
    rows = wrapped(line, 12, 2)
    assert [text([row]) for row in rows] == ["next: set", "  v3, then", "  more"]
    assert all(width_of(row) <= 12 for row in wrapped([("x" * 40, "text")], 12, 2))


# pulse


def test_pulse_tells_of_what_happened_by_itself_and_of_what_is_held(ops: Any, live: Any) -> None:
    live.scene = SCENES["frozen"]
    found = {concern.key: concern for concern in concerns(ops.pulse.snapshot())}
    acted = found["acted/01kd0000000000d3"]
    assert acted.kind == WRONG
    assert acted.text == "bike-demand v3 frozen"
    assert acted.detail.startswith("by itself: alarm errors: 2 of the last 3")
    assert found["deployment/01kd0000000000d3"].kind == WAITS
    live.scene = SCENES["rolled-back"]
    found = {concern.key: concern for concern in concerns(ops.pulse.snapshot())}
    assert found["acted/01kd0000000000d3"].text == "bike-demand v3 rolled back"
    assert "deployment/01kd0000000000d3" not in found


async def test_an_alert_is_a_concern_that_opens_it(running: Any, ops: Any) -> None:
    from core.releases.alerts import raise_alert

    with ops.session.change("test") as tx:
        raise_alert(
            tx, "rollback", "endpoint/bike-demand", "bike-demand went back to v2", "alarm errors"
        )
    async with running("pulse") as pilot:
        assert "bike-demand went back to v2" in shown(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert pilot.app.current_mode == "alerts"
        assert "alarm errors" in shown(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ReleaseScreen)
        assert "ARMS" in shown(pilot)


async def test_an_alert_is_acknowledged_where_it_is_seen(running: Any, ops: Any) -> None:
    from core.releases.alerts import raise_alert

    async with running("pulse") as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert "no alert is selected" in shown(pilot)
        with ops.session.change("test") as tx:
            raise_alert(tx, "rollback", "endpoint/bike-demand", "it went back", "alarm errors")
        await settled(pilot)
        await pilot.press("g")
        await pilot.pause()
        await pilot.press("a")
        await opened(pilot, Sign)
        assert "alarm errors" in shown(pilot)
        await pilot.press(*"seen", "ctrl+s")
        await until(pilot, lambda: ops.alerts.list() == ())
        assert ops.alerts.list(state="acknowledged")[0].acked_by == "engineer"
        await settled(pilot)
        assert "it went back" not in shown(pilot).splitlines()[4]


# keys


async def test_enter_opens_the_release_and_escape_goes_back(running: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(pilot.app.screen, ReleaseScreen)
        await pilot.press("e", "escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ReleaseScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(pilot.app.screen, ReleaseScreen)


async def test_figures_that_change_are_read_once_a_second_and_on_both_screens(
    running: Any, live: Any
) -> None:
    count = 0

    def busy(endpoint: Any) -> Any:
        nonlocal count
        count += 1
        return replace(SCENES["analysing"](endpoint), requests=count, in_flight=count)

    live.scene = busy
    async with running("deploys") as pilot:
        before = pilot.app.readings
        await pilot.pause(1.2)
        assert pilot.app.readings - before <= 4
        await pilot.press("enter")
        await settled(pilot)
        before = count
        await until(pilot, lambda: count > before + 1)
        screen = pilot.app.screen
        assert isinstance(screen, ReleaseScreen)
        await until(pilot, lambda: screen.endpoint.requests > before)


async def test_disagreements_by_segment_with_their_rows(running: Any, live: Any) -> None:
    live.scene = SCENES["shadowing"]
    async with running("deploys") as pilot:
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "31 of 212 compared" in shown(pilot))
        assert "evening 16-20" in shown(pilot)
        assert "temp=21.4" in shown(pilot)


async def test_disagreements_that_cannot_be_read_do_not_hide_the_endpoint(
    running: Any, live: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_name: str) -> Any:
        raise EndpointUnavailable("endpoint bike-demand does not answer", "opsdeck doctor")

    monkeypatch.setattr(live, "disagreements", silent)
    async with running("deploys") as pilot:
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "▲ E320" in shown(pilot) or "does not answer" in shown(pilot))
        assert "RELEASE bike-demand v3" in shown(pilot)
        assert not isinstance(pilot.app.screen, Dialog)


async def test_an_endpoint_without_a_log_says_so(running: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("l")
        await until(pilot, lambda: "have printed nothing yet" in shown(pilot))


async def test_logs_of_the_servers_follow(running: Any, ops: Any) -> None:
    folder = ops.workspace.endpoints_dir / "bike-demand"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    log.write_text("2026-03-02 14:00:00 INFO serving on 8311\n")
    async with running("deploys") as pilot:
        await pilot.press("l")
        await until(pilot, lambda: "serving on 8311" in shown(pilot))
        with log.open("a") as file:
            file.write("2026-03-02 14:00:05 ERROR it broke\n")
        await settled(pilot)
        view = pilot.app.screen.query_one(LogView)
        assert [line.text[-8:] for line in view.tail(9)] == ["on 8311", "it broke"] or len(
            view
        ) == 2
        assert "it broke" in shown(pilot)


async def test_hold_asks_and_holds(running: Any, live: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("h")
        await opened(pilot, Sign)
        await pilot.press(*"odd", "ctrl+s")
        await until(pilot, lambda: live.asked != [])
        assert live.asked == [("hold", ("bike-demand",), {"reason": "odd"})]
        await until(
            pilot, lambda: "opsdeck endpoints hold bike-demand --reason odd" in shown(pilot)
        )


async def test_weight_shows_what_it_means_and_wants_a_reason_for_more(
    running: Any, live: Any
) -> None:
    async with running("deploys") as pilot:
        await pilot.press("w")
        await opened(pilot, WeightSheet)
        await pilot.press(*"100", "ctrl+s")
        await pilot.pause()
        assert "all of the traffic is a full" in shown(pilot)
        await pilot.press("backspace", "backspace", "backspace", *"25")
        await pilot.pause()
        assert "v3 25 %, v2 75 % more than now" in shown(pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "say why it may have more traffic" in shown(pilot)
        await pilot.press(*"calm", "ctrl+s")
        await until(pilot, lambda: live.asked != [])
        assert live.asked == [("weight", ("bike-demand", 25.0), {"reason": "calm"})]
        await until(pilot, lambda: "endpoints weight bike-demand 25 --reason calm" in shown(pilot))


async def test_less_weight_wants_no_reason(running: Any, live: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("w")
        await opened(pilot, WeightSheet)
        await pilot.press(*"5", "ctrl+s")
        await until(pilot, lambda: live.asked != [])
        assert live.asked == [("weight", ("bike-demand", 5.0), {"reason": ""})]


async def test_promote_in_full_wants_name_and_reason(running: Any, live: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("P")
        await opened(pilot, Sign)
        await pilot.press(*"bike-demand", "ctrl+s")
        await pilot.pause()
        assert "reason: say why" in shown(pilot)
        await pilot.press(*"measured", "ctrl+s")
        await until(
            pilot,
            lambda: any(
                e.action == "deployment.promote_full" and e.detail["reason"] == "measured"
                for e in pilot.app.ops.audit.list(limit=3)
            ),
        )


async def test_a_bake_is_not_cut_short(running: Any, live: Any) -> None:
    live.scene = SCENES["climbing"]
    async with running("deploys") as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert "a bake is not cut short: P promotes in full" in shown(pilot)
        assert not isinstance(pilot.app.screen, Dialog)


async def test_a_release_that_went_back_by_itself_takes_no_more_orders(
    running: Any, live: Any
) -> None:
    live.scene = SCENES["rolled-back"]
    async with running("deploys") as pilot:
        for key in ("p", "h", "w", "x"):
            await pilot.press(key)
            await pilot.pause()
            assert "was rolled back by itself" in shown(pilot)
            assert not isinstance(pilot.app.screen, Dialog)


async def test_a_held_release_goes_on_when_promoted(running: Any, live: Any) -> None:
    live.scene = SCENES["frozen"]
    async with running("deploys") as pilot:
        await pilot.press("h")
        await pilot.pause()
        assert "it is held already" in shown(pilot)
        await pilot.press("p")
        dialog = await opened(pilot, Confirm)
        assert "set weight 100 %" in dialog.query_one("#page").text


async def test_the_strategy_is_chosen_with_its_ladder_in_view(running: Any, live: Any) -> None:
    async with running("models", (80, 24)) as pilot:
        pilot.app.command("deploy bike-demand 3 bike-demand")
        await opened(pilot, DeploySheet)
        await until(pilot, lambda: "▸progressive" in shown(pilot))
        assert "shadow 100 % 10m → 10 % → bake 5m → analyse ≤30m" in shown(pilot)
        await pilot.press("down")
        await pilot.pause()
        assert "▸all-at-once" in shown(pilot)
        await pilot.press("down")
        await pilot.pause()
        assert "10 % → bake 5m → 100 %" in shown(pilot)
        assert "Deploy  ^s" in shown(pilot)
        await pilot.press(*"bike-demand", "enter", *"try", "ctrl+s")
        await until(pilot, lambda: live.asked != [])
        verb, args, more = live.asked[0]
        assert (verb, args[1:3]) == ("deploy", ("bike-demand", "3"))
        assert more == {"strategy": "canary", "reason": "try"}


async def test_the_endpoints_own_strategy_is_the_first_choice(running: Any, live: Any) -> None:
    async with running("models") as pilot:
        pilot.app.command("deploy bike-demand 3 another")
        await opened(pilot, DeploySheet)
        await until(pilot, lambda: "▸quick" in shown(pilot))
        assert "set weight 10 % → pause 30s → set weight 50 %" in shown(pilot)


async def test_address_is_copied(running: Any) -> None:
    async with running("deploys") as pilot:
        await pilot.press("c")
        await pilot.pause()
        assert pilot.app.clipboard == "http://127.0.0.1:8311/invocations"


async def test_an_endpoint_that_is_gone_is_said(running: Any) -> None:
    async with running("pulse") as pilot:
        pilot.app.command("release nowhere")
        await until(pilot, lambda: "E120" in shown(pilot))
        assert not isinstance(pilot.app.screen, Dialog)


def test_an_analysis_without_a_deployment_is_shown(ops: Any) -> None:
    endpoint = scene(ops, "analysing")
    bare = replace(endpoint, deployment=None, analysis=AnalysisStatus("d", NOW, 3, 2))
    assert "none is set for this release" in text(overview_lines(bare, NOW, 119))


def test_after_the_promotion_the_new_version_is_the_champion(ops: Any) -> None:
    endpoint = scene(ops, "promoted")
    roles = {r.version: role(endpoint, r).word for r in endpoint.revisions}
    assert (roles[3], roles[2]) == ("champion", "previous")
    analysis = endpoint.analysis
    assert analysis is not None
    # An alarm takes it back within its time, and nobody has recorded that yet.
    acted = Acted("rolled_back", "alarm errors", NOW - 1)
    back = replace(endpoint, analysis=replace(analysis, acted=acted))
    roles = {r.version: role(back, r).word for r in back.revisions}
    assert (roles[3], roles[2]) == ("rolled back", "champion")


def test_ended_deployments_show_their_ladder(ops: Any) -> None:
    endpoint = scene(ops, "analysing")
    for status in (DeploymentStatus.SUCCEEDED, DeploymentStatus.FAILED, DeploymentStatus.ABORTED):
        done = replace(endpoint.deployment, status=status, ended_at=NOW - 5, message="over")
        shown_ = replace(endpoint, deployment=done, analysis=None)
        for width in (79, 119):
            said = text(overview_lines(shown_, NOW, width, compact=width < 100))
            assert "LADDER" in said and "next:" not in said
