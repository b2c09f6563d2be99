"""The entry point `opsdeck`: the root command, and what every way out of it means."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from console.failures import exit_status_of, prepare_streams, refuse_undecodable, wants
from console.groups import LazyGroup
from console.session import Session

COMMANDS = {
    "init": ("console.commands.init", "Make a workspace."),
    "demo": ("console.commands.demo", "Make the example workspace and play the whole loop."),
    "doctor": ("console.commands.doctor", "Check that everything needed is there and works."),
    "stop": ("console.commands.stop", "End the workspace's worker and endpoint processes."),
    "worker": ("console.commands.worker", "Execute runs and deployments of a workspace."),
    "pipelines": ("console.commands.pipelines", "List, show and validate pipelines."),
    "runs": ("console.commands.runs", "Start, list, show, cancel, resume and rerun runs."),
    "models": ("console.commands.models", "List models and show their versions."),
    "approvals": ("console.commands.approvals", "List, show and decide approval requests."),
    "endpoints": ("console.commands.endpoints", "Deploy, promote, roll back, invoke."),
    "data": ("console.commands.data", "Datasets: catalogue, versions, names, upkeep."),
    "recipes": ("console.commands.recipes", "Transformations without code: list, preview, run."),
    "features": ("console.commands.features", "Feature views: point in time, and online by key."),
    "monitors": ("console.commands.monitors", "Scheduled checks: suggest, list, show, run."),
    "alarms": ("console.commands.alarms", "Rules over any metric: list, show, test, switch."),
    "slos": ("console.commands.slos", "What is promised of endpoints, and what is left of it."),
    "alerts": ("console.commands.alerts", "What is wrong, who looks after it, who is on call."),
    "labels": ("console.commands.labels", "Have people label captured rows: queue, import."),
    "triggers": ("console.commands.triggers", "Retrain by schedule, new data, drift, alarm."),
    "views": ("console.commands.views", "Keep queries over datasets as datasets."),
    "lineage": ("console.commands.lineage", "Show where data come from and where they go."),
    "infra": ("console.commands.infra", "AWS stacks of a project: plan, deploy, drift, destroy."),
    "contexts": ("console.commands.contexts", "AWS accounts to look at: list, add, check."),
    "aws": ("console.commands.aws", "Resources of an AWS account: list, show, do, logs."),
    "audit": ("console.commands.audit", "List the journal and verify its chain."),
}

_COMPLETE = "_OPSDECK_COMPLETE"


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"opsdeck {version('opsdeck')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="'opsdeck NOUN --help' lists a noun's verbs. Exit statuses: docs/cli.md.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version.",
)
@click.pass_context
def root(ctx: click.Context) -> None:
    """Operations console for machine learning in production.

    Without a command, opens the console on the workspace.
    """
    if ctx.invoked_subcommand is None:
        from console.screen import open_console

        open_console(ctx.ensure_object(Session))


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit status; prints errors, raises nothing.

    click's own `main` is not used: it turns some errors into statuses of its own.
    """
    as_json, debug = wants(args, "--json"), wants(args, "--debug")
    try:
        refuse_undecodable(args)
        with root.make_context("opsdeck", list(args)) as context:
            root.invoke(context)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one place where every error ends
        return exit_status_of(error, as_json=as_json, debug=debug)
    return 0


def _complete(instruction: str) -> int:
    from click.shell_completion import shell_complete

    return shell_complete(root, {}, "opsdeck", _COMPLETE, instruction)


def main() -> int:
    """The console script: exits with the statuses that docs/cli.md lists."""
    prepare_streams()
    if os.environ.get(_COMPLETE):
        return _complete(os.environ[_COMPLETE])
    status = run(sys.argv[1:])
    if status and "duckdb" in sys.modules:
        import gc

        gc.collect()  # an error's trace holds a query's objects: DuckDB would name them as leaked
    return status


if __name__ == "__main__":
    sys.exit(main())
