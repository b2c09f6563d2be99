"""The actions of the console."""

from __future__ import annotations

from screens.actions import GLOBAL, Action, Context, Registry
from screens.alerts.actions import ACTIONS as ALERTS
from screens.aws.actions import ACTIONS as AWS
from screens.aws.actions import PULSE as AWS_PULSE
from screens.data.actions import ACTIONS as DATA
from screens.data.actions import RECIPE, ROWS
from screens.features.actions import ACTIONS as FEATURES
from screens.labels.actions import ACTIONS as LABELS
from screens.lineage.actions import ACTIONS as LINEAGE
from screens.monitors.actions import ACTIONS as MONITORS
from screens.query.actions import ACTIONS as QUERY

MODE_KEYS = {
    "pulse": "1", "runs": "2", "models": "3", "approvals": "4", "deploys": "5", "audit": "6",
    "data": "7", "query": "8", "features": "9", "alerts": "0",
    "monitors": "minus",
}  # fmt: skip
"""The modes and the key of each, in the order of the keyboard."""

MODES = tuple(MODE_KEYS)
SHOWN_KEYS = {"minus": "-"}
"""How keys with a name are written."""

_ABOUT = {
    "pulse": "what runs, what waits for a person, what is wrong",
    "runs": "runs of the pipelines",
    "models": "models, their versions and aliases",
    "approvals": "requests that wait for a decision, with their evidence",
    "deploys": "endpoints, revisions, deployments and rollbacks",
    "audit": "the journal of everything that was done",
    "data": "datasets: versions, profiles, quality, quarantine, lineage",
    "query": "SQL over datasets",
    "features": "feature views: freshness, skew, values by key",
    "alerts": "what is wrong, who looks after it, what to do about it",
    "monitors": "what watches: drift, quality, bias, over windows and by feature",
}


def _run(context: Context) -> str | None:
    return None if context.run else "no run is selected"


def _cancel(context: Context) -> str | None:
    run = context.run
    if run is None:
        return "no run is selected"
    if run.status.ended:
        return f"{run.label} has already ended ({run.status})"
    return f"{run.label} is being cancelled already" if run.cancel_requested else None


def _resume(context: Context) -> str | None:
    run = context.run
    if run is None:
        return "no run is selected"
    if run.status in ("failed", "cancelled"):
        return None
    return f"{run.label} is {run.status}: only a failed or cancelled run can be resumed"


def _rerun(context: Context) -> str | None:
    if context.run is None:
        return "no run is selected"
    if context.step is None:
        return None
    if context.run.status.ended:
        return None
    return f"{context.run.label} is still {context.run.status}: rerun it once it has ended"


def _approval(context: Context) -> str | None:
    approval = context.approval
    if approval is None:
        return "no approval request is selected"
    if approval.status.ended:
        return f"this request is {approval.status} already"
    if not approval.requester_may_decide and approval.requested_by == context.actor:
        return f"{context.actor} asked for this, and the gate wants somebody else to decide"
    return None


def _selected_approval(context: Context) -> str | None:
    return None if context.approval else "no approval request is selected"


def _version(context: Context) -> str | None:
    return None if context.version else "no model version is selected"


def _endpoint(context: Context) -> str | None:
    return None if context.endpoint else "no endpoint is selected"


def _rollout(context: Context) -> str | None:
    if context.endpoint is None:
        return "no endpoint is selected"
    deployment, analysis = context.endpoint.deployment, context.endpoint.analysis
    if deployment is None or deployment.status.ended:
        return f"no deployment of {context.endpoint.name} is under way"
    if analysis is None or analysis.acted is None or analysis.deployment != deployment.id:
        return None
    acted = analysis.acted
    if acted.kind == "rolled_back":
        return f"v{deployment.version} was rolled back by itself: {acted.reason}"
    return None


def _promote(context: Context) -> str | None:
    why_not = _rollout(context)
    if why_not or context.endpoint is None or context.endpoint.deployment is None:
        return why_not
    deployment = context.endpoint.deployment
    if deployment.status in ("queued", "loading"):
        return f"v{deployment.version} is {deployment.status} still"
    place, steps = deployment.step_index, deployment.strategy
    baking = place < len(steps) and steps[place].kind == "bake" and deployment.status != "held"
    return "a bake is not cut short: P promotes in full" if baking else None


def _hold(context: Context) -> str | None:
    why_not = _rollout(context)
    if why_not or context.endpoint is None or context.endpoint.deployment is None:
        return why_not
    deployment = context.endpoint.deployment
    if deployment.status in ("queued", "loading"):
        return f"v{deployment.version} is {deployment.status} still: there is nothing to hold"
    return "it is held already: p lets it go on" if deployment.status == "held" else None


def _weight(context: Context) -> str | None:
    why_not = _rollout(context)
    if why_not or context.endpoint is None or context.endpoint.deployment is None:
        return why_not
    deployment = context.endpoint.deployment
    loading = deployment.status in ("queued", "loading")
    return f"v{deployment.version} is {deployment.status} still" if loading else None


def _rollback(context: Context) -> str | None:
    if context.endpoint is None:
        return "no endpoint is selected"
    if len(context.endpoint.revisions) < 2:
        return f"{context.endpoint.name} has had one version only: nothing to go back to"
    return None


def _alert(context: Context) -> str | None:
    return None if context.alert else "no alert is selected"


def _entry(context: Context) -> str | None:
    return None if context.entry else "no journal entry is selected"


_GO = tuple(
    Action(
        f"go.{mode}",
        key,
        mode.capitalize(),
        GLOBAL,
        _ABOUT[mode],
        group="go to",
        shown=SHOWN_KEYS.get(key, ""),
        command="",
    )
    for mode, key in MODE_KEYS.items()
)

_GENERAL = (
    Action("command", "colon", "Command", GLOBAL, "type a command", shown=":", rank=2),
    Action("filter", "slash", "Filter", GLOBAL, "filter as you type", shown="/", rank=3),
    Action("help", "question_mark", "Help", GLOBAL, "all keys of this screen", shown="?", rank=1),
    Action("palette", "", "Palette", GLOBAL, "find an action by its name", shown="^p"),
    Action("refresh", "r,ctrl+r", "Refresh", GLOBAL, "read everything again now"),
    Action("copy", "y", "Copy", GLOBAL, "copy the selected id to the clipboard"),
    Action("back", "escape", "Back", GLOBAL, "clear the filter, or go back", shown="esc"),
    Action("quit", "q", "Back or quit", GLOBAL, "go back, or quit", rank=9),
    Action("suspend", "ctrl+z", "Suspend", GLOBAL, "to the shell; `fg` comes back", shown="^z"),
)

_RUNS = (
    Action(
        "runs.open", "", "Open", "runs", "steps, charts and logs of the run",
        shown="⏎", enabled=_run, command="opsdeck runs show {run.number}", rank=1,
    ),
    Action(
        "runs.new", "n", "New run", "runs", "start a pipeline", changes=True,
        command="opsdeck runs start {pipeline}", rank=2, group="change",
    ),
    Action(
        "runs.cancel", "x", "Cancel", "runs", "stop the run: its processes are killed",
        changes=True, dangerous=True, enabled=_cancel, group="change",
        command="opsdeck runs cancel {run.number}", rank=3,
    ),
    Action(
        "runs.resume", "u", "Resume", "runs", "go on where it failed or was cancelled",
        changes=True, enabled=_resume, command="opsdeck runs resume {run.number}", rank=4,
        group="change",
    ),
    Action(
        "runs.rerun", "t", "Rerun", "runs", "repeat it as a new run with the same parameters",
        changes=True, enabled=_rerun, command="opsdeck runs rerun {run.number}", rank=5,
        group="change",
    ),
    Action(
        "runs.logs", "l", "Logs", "runs", "what the run printed", enabled=_run,
        command="opsdeck runs logs {run.number}", rank=6,
    ),
    Action("runs.failed", "f", "Failed only", "runs", "show failed runs only, or all", rank=7),
)  # fmt: skip

_RUN = (
    Action("run.charts", "c", "Charts", "run", "metrics, live", group="panes", rank=1),
    Action("run.logs", "l", "Logs", "run", "what the selected step printed", group="panes", rank=2),
    Action(
        "run.details", "d", "Details", "run", "parameters, outputs and lineage",
        group="panes", rank=3,
    ),
    Action("run.all", "a", "All logs", "run", "logs of all steps, or of one", group="panes"),
    Action(
        "run.cancel", "x", "Cancel", "run", "stop the run: its processes are killed",
        changes=True, dangerous=True, enabled=_cancel, group="change",
        command="opsdeck runs cancel {run.number}", rank=4,
    ),
    Action(
        "run.resume", "u", "Resume", "run", "go on where it failed or was cancelled",
        changes=True, enabled=_resume, command="opsdeck runs resume {run.number}", rank=5,
        group="change",
    ),
    Action(
        "run.rerun", "t", "Rerun from step", "run",
        "repeat it as a new run from the selected step on", changes=True, enabled=_rerun,
        command="opsdeck runs rerun {run.number} --from {step.step}", rank=6, group="change",
    ),
)  # fmt: skip

_MODELS = (
    Action(
        "models.run", "o", "Open run", "models", "the run that made this version",
        shown="⏎/o", enabled=_version, command="opsdeck runs show {version.run_number}", rank=1,
    ),
    Action(
        "models.deploy", "d", "Deploy", "models", "bring this version to an endpoint",
        changes=True, dangerous=True, enabled=_version, group="change", rank=2,
        command="opsdeck endpoints deploy {target} --model {version.name}"
        " --version {version.version}",
    ),
    Action(
        "models.tree", "L", "Lineage", "models", "what it was made from, where it serves",
        enabled=_version, rank=3,
        command="opsdeck lineage show model/{version.name}/{version.version}",
    ),
)  # fmt: skip

_APPROVALS = (
    Action(
        "approvals.approve", "a", "Approve", "approvals", "let it go on, with a comment",
        changes=True, dangerous=True, enabled=_approval, group="change", rank=1,
        command="opsdeck approvals approve {approval.id} --comment {comment}",
    ),
    Action(
        "approvals.reject", "x", "Reject", "approvals", "refuse it, with a comment",
        changes=True, dangerous=True, enabled=_approval, group="change", rank=2,
        command="opsdeck approvals reject {approval.id} --comment {comment}",
    ),
    Action(
        "approvals.figure", "o", "Figures", "approvals", "open the figures, or show their paths",
        enabled=_selected_approval, rank=3,
    ),
    Action(
        "approvals.run", "g", "Open run", "approvals", "the run that asks",
        enabled=_selected_approval, command="opsdeck runs show {approval.run_number}", rank=4,
    ),
    Action("approvals.all", "f", "Open or all", "approvals", "decided requests too", rank=5),
)  # fmt: skip


def _release(scope: str) -> tuple[Action, ...]:
    """What can be done to an endpoint and its release, in the list and on its own screen."""
    return (
        Action(
            f"{scope}.rollback", "R", "Roll back", scope, "back to the previous good version",
            changes=True, dangerous=True, enabled=_rollback, group="change", rank=1,
            command="opsdeck endpoints rollback {endpoint.name} --yes",
        ),
        Action(
            f"{scope}.promote", "p", "Promote", scope, "on to the next step of the strategy",
            changes=True, enabled=_promote, group="change", rank=2,
            command="opsdeck endpoints promote {endpoint.name}",
        ),
        Action(
            f"{scope}.full", "P", "Promote full", scope, "all traffic to the new version now",
            changes=True, dangerous=True, enabled=_rollout, group="change", rank=6,
            command="opsdeck endpoints promote {endpoint.name} --full",
        ),
        Action(
            f"{scope}.hold", "h", "Hold", scope, "stop it where it is",
            changes=True, enabled=_hold, group="change", rank=3,
            command="opsdeck endpoints hold {endpoint.name}",
        ),
        Action(
            f"{scope}.weight", "w", "Weight", scope, "the new version's share of the traffic",
            changes=True, dangerous=True, enabled=_weight, group="change", rank=4,
            command="opsdeck endpoints weight {endpoint.name} {percent}",
        ),
        Action(
            f"{scope}.abort", "x", "Abort", scope, "all traffic back to the stable version",
            changes=True, dangerous=True, enabled=_rollout, group="change", rank=5,
            command="opsdeck endpoints abort {endpoint.name}",
        ),
        Action(
            f"{scope}.logs", "l", "Logs", scope, "what its server processes printed",
            enabled=_endpoint, command="opsdeck endpoints logs {endpoint.name}", rank=7,
        ),
        Action(
            f"{scope}.url", "c,u", "Copy URL", scope, "copy the endpoint's address",
            enabled=_endpoint, rank=8,
        ),
    )  # fmt: skip


_DEPLOYS = (
    Action(
        "deploys.open", "", "Open", "deploys", "the release on a screen of its own",
        shown="⏎", enabled=_endpoint, command="opsdeck endpoints show {endpoint.name}", rank=0,
    ),
    *_release("deploys"),
)  # fmt: skip

_RELEASE = (
    Action(
        "release.overview", "o", "Overview", "release", "how it stands now", group="panes",
    ),
    Action(
        "release.events", "e", "Events", "release", "what happened, who and why",
        group="panes",
    ),
    Action(
        "release.disagreements", "d", "Disagreements", "release",
        "where a shadow differs, by segment", group="panes",
    ),
    Action(
        "release.traffic", "t", "Traffic", "release",
        "requests, latency, errors and load as they come, by arm", group="panes",
    ),
    *_release("release"),
)  # fmt: skip

_AUDIT = (
    Action(
        "audit.verify", "v", "Verify chain", "audit", "prove that no entry was changed",
        command="opsdeck audit verify", rank=1,
    ),
    Action(
        "audit.subject", "s", "Same subject", "audit", "only entries about the same thing",
        enabled=_entry, rank=2,
    ),
)  # fmt: skip

_PULSE = (
    Action("pulse.open", "", "Open", "pulse", "go to what is selected", shown="⏎", rank=1),
    Action("pulse.next", "", "Next pane", "pulse", "to the next pane", shown="tab", rank=2),
    Action(
        "pulse.acknowledge", "a", "Acknowledge", "pulse", "say that you look after this alert",
        changes=True, enabled=_alert, group="change", rank=3,
        command="opsdeck alerts ack {alert.id}",
    ),
)  # fmt: skip

REGISTRY = Registry(
    (
        *_GO, *_GENERAL, *_PULSE, *_RUNS, *_RUN, *_MODELS, *_APPROVALS, *_DEPLOYS, *_RELEASE,
        *_AUDIT, *DATA, *RECIPE, *ROWS, *LINEAGE, *LABELS, *QUERY,
        *FEATURES, *MONITORS, *ALERTS, *AWS, *AWS_PULSE,
    )
)  # fmt: skip
"""Every action of the console."""
