"""The actions of the console."""

from __future__ import annotations

from screens.actions import GLOBAL, Action, Context, Registry

MODES = ("pulse", "runs", "models", "approvals", "deploys", "audit")
"""The modes, in the order of their number keys."""

_ABOUT = {
    "pulse": "what runs, what waits for a person, what is wrong",
    "runs": "runs of the pipelines",
    "models": "models, their versions and aliases",
    "approvals": "requests that wait for a decision, with their evidence",
    "deploys": "endpoints, revisions, deployments and rollbacks",
    "audit": "the journal of everything that was done",
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
    deployment = context.endpoint.deployment
    if deployment is None or deployment.status.ended:
        return f"no deployment of {context.endpoint.name} is under way"
    return None


def _rollback(context: Context) -> str | None:
    if context.endpoint is None:
        return "no endpoint is selected"
    if len(context.endpoint.revisions) < 2:
        return f"{context.endpoint.name} has had one version only: nothing to go back to"
    return None


def _entry(context: Context) -> str | None:
    return None if context.entry else "no journal entry is selected"


_GO = tuple(
    Action(
        f"go.{mode}",
        str(number),
        mode.capitalize(),
        GLOBAL,
        _ABOUT[mode],
        group="go to",
        command="",
    )
    for number, mode in enumerate(MODES, 1)
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

_DEPLOYS = (
    Action(
        "deploys.rollback", "R", "Roll back", "deploys", "back to the previous good version",
        changes=True, dangerous=True, enabled=_rollback, group="change", rank=1,
        command="opsdeck endpoints rollback {endpoint.name} --yes",
    ),
    Action(
        "deploys.promote", "p", "Promote", "deploys", "on to the next step of the strategy",
        changes=True, enabled=_rollout, group="change", rank=2,
        command="opsdeck endpoints promote {endpoint.name}",
    ),
    Action(
        "deploys.full", "P", "Promote full", "deploys", "all traffic to the new version now",
        changes=True, dangerous=True, enabled=_rollout, group="change", rank=3,
        command="opsdeck endpoints promote {endpoint.name} --full",
    ),
    Action(
        "deploys.abort", "x", "Abort", "deploys", "all traffic back to the stable version",
        changes=True, dangerous=True, enabled=_rollout, group="change", rank=4,
        command="opsdeck endpoints abort {endpoint.name}",
    ),
    Action(
        "deploys.url", "u", "Copy URL", "deploys", "copy the endpoint's address",
        enabled=_endpoint, rank=5,
    ),
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
)

REGISTRY = Registry(
    (*_GO, *_GENERAL, *_PULSE, *_RUNS, *_RUN, *_MODELS, *_APPROVALS, *_DEPLOYS, *_AUDIT)
)
"""Every action of the console."""
