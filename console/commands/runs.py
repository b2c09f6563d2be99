"""`opsdeck runs`: start, follow, cancel, resume and repeat runs."""

from __future__ import annotations

from typing import Literal

import click

from console.contexts import named_context
from console.debug_text import debug_text
from console.groups import noun
from console.output import emit
from console.run_text import log_text, run_text, runs_text, trials_text
from console.session import Session, pass_session
from console.waiting import Waiting, report_run, split_pairs, waiting_options

STATUSES = ("queued", "running", "waiting", "succeeded", "failed", "rejected", "cancelled")

SERVICES = ("sagemaker", "stepfunctions")


@noun("Start, list, show, cancel, resume and rerun runs.")
def command() -> None:
    """Group of the verbs on runs."""


@command.command("start")
@click.argument("pipeline")
@click.option("-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A parameter.")
@click.option("--no-cache", is_flag=True, help="Execute every step, whatever is cached.")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@click.option("--on", type=click.Choice(SERVICES), help="In the AWS account of --context.")
@waiting_options()
@pass_session
def start(
    session: Session,
    pipeline: str,
    params: tuple[str, ...],
    no_cache: bool,
    reason: str,
    on: Literal["sagemaker", "stepfunctions"] | None,
    waiting: Waiting,
) -> None:
    """Start a run of PIPELINE, here or (--on SERVICE --context NAME) in an AWS account.

    There it is the same run: the worker takes source and data to S3, starts it, and mirrors
    its steps, logs and gates, so that it is shown, cancelled and resumed as any other. What
    cannot happen there is refused before anything is sent.

    With --wait: exits 0 if it succeeded, 1 if it did not, 5 if the time is up, and 6 if it
    waits at a gate for a decision.
    """
    given = split_pairs(params, "-p")
    ops = session.ops(beside_aws=on is not None)
    if waiting.wait and not ops.read_only and ops.workspace.embedded and not ops.workers.alive():
        session.say("no worker is alive: one is started, which takes some seconds")
    run = ops.runs.start(
        pipeline,
        given,
        use_cache=not no_cache,
        reason=reason,
        on=on,
        context=named_context(session) or "",
        region=session.region or "",
    )
    report_run(session, run, "started", waiting)


@command.command("list")
@click.option("-n", "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True)
@click.option("--offset", type=click.IntRange(0, 2**31), default=0, help="Leave out so many.")
@click.option("--pipeline", help="Only runs of this pipeline.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs in this state.")
@click.option("--search", default="", help="Only runs that match all these words.")
@pass_session
def list_(
    session: Session,
    limit: int,
    offset: int,
    pipeline: str | None,
    status: str | None,
    search: str,
) -> None:
    """List runs, newest first."""
    ops = session.ops()
    runs = ops.runs.list(
        limit=limit, offset=offset, pipeline=pipeline, status=status, search=search
    )
    total = ops.runs.count(pipeline=pipeline, status=status, search=search)
    filtered = bool(pipeline or status or search or offset)
    emit(
        session,
        {"runs": runs, "total": total},
        lambda: runs_text(session, runs, offset, total, filtered=filtered),
    )


@command.command("show")
@click.argument("run")
@pass_session
def show(session: Session, run: str) -> None:
    """Show a run with its steps. RUN is a number or the beginning of an id."""
    ops = session.ops()
    detail = ops.runs.get(run)
    tuned = any(step.kind == "tune" for step in detail.steps) and not session.json
    trials = ops.runs.trials(run) if tuned else ()
    emit(session, detail, lambda: run_text(session, detail, trials))


@command.command("trials")
@click.argument("run")
@click.option("--step", help="Only of this tune step.")
@pass_session
def trials(session: Session, run: str, step: str | None) -> None:
    """List the trials of a run's tune steps: their values, what came of them, the best.

    A trial's log: opsdeck runs logs RUN --step STEP.TRIAL
    """
    found = session.ops().runs.trials(run, step)
    emit(session, {"trials": found}, lambda: trials_text(session, found))


@command.command("logs")
@click.argument("run")
@click.option("--step", help="Only this step's lines.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.option("--times", is_flag=True, help="Put the time before each line.")
@pass_session
def logs(session: Session, run: str, step: str | None, follow: bool, times: bool) -> None:
    """Print what a run's steps printed.

    With --json one document with all lines; with --follow too, one document a line.
    """
    log_text(session, run, step, follow=follow, times=times)


@command.command("debug")
@click.argument("run")
@click.option("--quick", is_flag=True, help="Only metrics and steps: load no model, read no rows.")
@click.option("-f", "--follow", is_flag=True, help="Tell of issues as they come until it ends.")
@click.option("--check", is_flag=True, help="Exit 1 if a rule found an issue.")
@pass_session
def debug(session: Session, run: str, quick: bool, follow: bool, check: bool) -> None:
    """Look for what goes wrong in a training RUN, by the rules of SageMaker Debugger.

    Losses that do not fall, overfitting, numbers that explode, training that stalls,
    imbalanced classes, trees too deep: by the metrics, predictions and models that the run
    has. Rules that need what a run does not have are listed with what it would be.
    """
    found = debug_text(session, run, quick=quick, follow=follow)
    if check and found.issues:
        raise click.exceptions.Exit(1)


@command.command("cancel")
@click.argument("run")
@click.option("-m", "--reason", default="", help="Why, for the journal.")
@pass_session
def cancel(session: Session, run: str, reason: str) -> None:
    """Stop a run: its processes are killed, its open approval requests become void."""
    asked = session.ops().runs.cancel(run, reason)
    report_run(session, asked, "is being cancelled", Waiting())


@command.command("resume")
@click.argument("run")
@waiting_options()
@pass_session
def resume(session: Session, run: str, waiting: Waiting) -> None:
    """Go on with a failed or cancelled run; only what did not end well runs again."""
    resumed = session.ops().runs.resume(run)
    report_run(session, resumed, "goes on", waiting)


@command.command("rerun")
@click.argument("run")
@click.option("--from", "from_step", metavar="STEP", help="Keep what the steps before it made.")
@click.option("--no-cache", is_flag=True, help="Execute every step, whatever is cached.")
@waiting_options()
@pass_session
def rerun(
    session: Session,
    run: str,
    from_step: str | None,
    no_cache: bool,
    waiting: Waiting,
) -> None:
    """Repeat a run as a new one with the same parameters, whole or from a step on."""
    again = session.ops().runs.rerun(run, from_step, use_cache=not no_cache)
    report_run(session, again, "started", waiting)


@command.command("wait")
@click.argument("run")
@waiting_options(always=True)
@pass_session
def wait_(session: Session, run: str, waiting: Waiting) -> None:
    """Wait for a run; exits as `runs start --wait` does."""
    found = session.ops().runs.get(run).run
    report_run(session, found, "", waiting)
