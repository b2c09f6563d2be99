"""`opsdeck data`: the datasets of the lake. Each verb's module is imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any

import click

from console.groups import Noun

VERBS: dict[str, tuple[str, str, str]] = {
    "list": ("console.commands.data_catalog", "list_", "List the datasets."),
    "show": ("console.commands.data_catalog", "show", "Show a dataset: columns, versions, names."),
    "snapshots": ("console.commands.data_catalog", "snapshots", "List a dataset's versions."),
    "schema": ("console.commands.data_catalog", "schema", "Show columns, or what changed of them."),
    "create": ("console.commands.data_change", "create", "Make an empty dataset."),
    "alter": ("console.commands.data_change", "alter", "Add, widen, rename or drop columns."),
    "ingest": ("console.commands.data_ingest", "ingest", "Take in files or a query's rows."),
    "ingests": ("console.commands.data_ingest", "ingests", "List the batches that came in."),
    "intake": ("console.commands.data_intake", "intake", "Take in records as they come."),
    "intakes": ("console.commands.data_intake", "intakes", "List the intakes."),
    "crawl": ("console.commands.data_crawl", "crawl", "Find tables in a folder or bucket."),
    "profile": ("console.commands.data_explore", "profile", "Show what is in it, by column."),
    "diff": ("console.commands.data_explore", "diff", "Show what changed between two versions."),
    "sample": ("console.commands.data_explore", "sample", "Show rows drawn by chance."),
    "card": ("console.commands.data_explore", "card", "Write a data card."),
    "expectations": ("console.commands.data_quality", "expectations", "List what is expected."),
    "suggest": ("console.commands.data_quality", "suggest", "Suggest what to expect of it."),
    "validate": ("console.commands.data_quality", "validate", "Ask it for what is expected."),
    "validations": ("console.commands.data_quality", "validations", "List what came of asking."),
    "quarantine": ("console.commands.data_quarantine", "quarantine", "Batches held back."),
    "constraints": ("console.commands.data_quality", "constraints", "Export for Model Monitor."),
    "tag": ("console.commands.data_change", "tag", "Name a version, which keeps it."),
    "branch": ("console.commands.data_change", "branch", "Begin, publish or give up a branch."),
    "rollback": ("console.commands.data_change", "rollback", "Go back to another version."),
    "split": ("console.commands.data_split", "split", "Divide it into train, valid and test."),
    "leaks": ("console.commands.data_split", "leaks", "Find what gives a target away."),
    "query": ("console.commands.data_query", "query", "Ask SQL of the datasets."),
    "grant": ("console.commands.data_governance", "grant", "Let somebody use a dataset."),
    "revoke": ("console.commands.data_governance", "revoke", "End what was granted."),
    "grants": ("console.commands.data_governance", "grants", "Show who was granted what."),
    "label": ("console.commands.data_governance", "label", "Label columns, such as pii."),
    "whocan": ("console.commands.data_governance", "whocan", "Show who can do what with it."),
    "expire": ("console.commands.data_upkeep", "expire", "Let old versions go."),
    "compact": ("console.commands.data_upkeep", "compact", "Merge small files."),
    "drop": ("console.commands.data_upkeep", "drop", "Take a dataset out of the lake."),
    "key": ("console.commands.data_upkeep", "key", "Make a key for an encrypted lake."),
}
"""A verb's module, the command in it, and one line of help; in the order of the help."""


class Verbs(Noun):
    """Knows every verb's place, and imports it when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in their order."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now; `None` where there is none."""
        if cmd_name not in VERBS:
            return None
        module, attribute, _ = VERBS[cmd_name]
        command: Any = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{attribute} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs in the help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in VERBS.items()])


@click.group(cls=Verbs, help="Datasets of the lake: catalogue, versions, names, upkeep.")
def command() -> None:
    """Group of the verbs on datasets."""
