"""What one invocation of the command line knows: its options and the workspace it acts on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.aws.account import Account
    from core.errors import BadInput
    from core.ops import Ops


@dataclass
class Session:
    """The options that every command shares, filled in as click meets them.

    `no_color` also holds when the environment sets `NO_COLOR` or the terminal is dumb.
    """

    workspace: Path | None = None
    context: str | None = None
    region: str | None = None
    actor: str | None = None
    read_only: bool = False
    debug: bool = False
    json: bool = False
    no_color: bool = False
    _ops: Ops | None = field(default=None, repr=False)
    _account: Account | None = field(default=None, repr=False)

    def ops(self, *, any_schema: bool = False, beside_aws: bool = False) -> Ops:
        """The workspace's operations, opened on first use and closed with the command.

        With `any_schema` also where the state is of another version than this Opsdeck's.
        `beside_aws`: the command is about the workspace and an AWS account; any other raises
        `BadInput` where `--context` or `--region` was given.
        """
        if self._ops is None:
            if not beside_aws and (self.context or self.region):
                raise not_on_aws(self.context)
            from core.ops import open_ops

            self._ops = open_ops(
                self.workspace,
                actor=self.actor,
                read_only=self.read_only,
                any_schema=any_schema,
            )
            click.get_current_context().find_root().call_on_close(self._ops.close)
        return self._ops

    def account(self) -> Account:
        """The AWS account of `--context`, or of the environment; closed with the command.

        Raises `BadInput` where no context is named, and `NoAwsExtra` without boto3.
        """
        if self._account is None:
            from console.contexts import open_account

            self._account = open_account(self)
            click.get_current_context().find_root().call_on_close(self._account.close)
        return self._account

    @property
    def terminal(self) -> bool:
        """Whether a person reads standard output."""
        return sys.stdout.isatty()

    @property
    def colour(self) -> bool:
        """Whether standard output may be coloured."""
        plain = self.no_color or bool(os.environ.get("NO_COLOR"))
        return self.terminal and not plain and os.environ.get("TERM") != "dumb"

    def say(self, text: str) -> None:
        """A remark for the person, on standard error; left out with `--json`."""
        if not self.json:
            click.echo(text, err=True)


def not_on_aws(context: str | None) -> BadInput:
    """A command about a workspace was given an AWS context."""
    from core.errors import BadInput

    noun = click.get_current_context().command_path.removeprefix("opsdeck").strip()
    option = "--context" if context else "--region"
    instead = f"opsdeck --context {context or 'NAME'} aws kinds"
    return BadInput(
        f"{noun}: is about a workspace, and {option} names an AWS account",
        f"leave it out, or use {instead}",
    )


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep an option's value when it was given, at the root or after the verb."""
    session = ctx.ensure_object(Session)
    if value is not None and param.name is not None:
        setattr(session, param.name, value)


def shared_options(*, hidden: bool) -> list[click.Option]:
    """The options of the root, which every verb takes too (where help leaves most out)."""

    def option(*names: str, shown: bool = False, **settings: Any) -> click.Option:
        return click.Option(
            names,
            expose_value=False,
            is_eager=True,
            default=None,
            callback=_store,
            hidden=hidden and not shown,
            **settings,
        )

    def flag(*names: str, shown: bool = False, help: str) -> click.Option:
        return option(*names, shown=shown, help=help, is_flag=True, flag_value=True, type=bool)

    return [
        option(
            "-w",
            "--workspace",
            metavar="PATH",
            type=click.Path(path_type=Path),
            help="The workspace (default: this folder or the nearest above it).",
        ),
        option(
            "--context", metavar="NAME", help="An AWS account and region: opsdeck contexts list."
        ),
        option("--region", metavar="REGION", help="The context's account in another region."),
        option("--as", "actor", metavar="NAME", help="Act under this name in the journal."),
        flag("--read-only", help="Refuse every change."),
        flag("--json", shown=True, help="Print one JSON document."),
        flag("--no-color", help="Print without colours."),
        flag("--debug", help="Show the trace of an error."),
    ]


pass_session: Callable[[Any], Any] = click.make_pass_decorator(Session, ensure=True)
