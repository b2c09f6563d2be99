"""click's groups as Opsdeck wants them: lazy nouns, verbs that take the shared options."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from console.session import shared_options
from core.errors import BadInput

_NEGATIVE = re.compile(r"-[0-9][0-9.,]*%?")


class UnknownCommand(click.UsageError):
    """A noun or verb that does not exist, with what was probably meant."""

    def __init__(self, name: str, known: Sequence[str], ctx: click.Context) -> None:
        super().__init__(f"no such command '{name}'", ctx)
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        self.suggestion = f"did you mean {ctx.command_path} {close[0]}?" if close else ""


class Verb(click.Command):
    """A command that takes the shared options after its own name as well."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = {name for param in self.params for name in param.opts}
        self.params.extend(
            # An option of the verb's own goes before a shared one, which the root still takes.
            each
            for each in shared_options(hidden=True)
            if not own.intersection(each.opts)
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; a negative number is told for what it is, and not for an option."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            number = next((each for each in given if _NEGATIVE.fullmatch(each)), None)
            if number is None or not number.startswith(error.option_name):
                raise
            hint = f"see: {ctx.command_path} --help"
            message = f"{number} is a negative number, which nothing here takes"
            raise BadInput(message, hint) from None


class Noun(click.Group):
    """A group of verbs; an unknown verb is answered with the nearest one."""

    command_class = Verb

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the first argument names; raises `UnknownCommand`."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise UnknownCommand(name, self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)


class LazyGroup(Noun):
    """The root: knows every noun's place and one line of help, imports a noun when used."""

    def __init__(
        self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(shared_options(hidden=False))
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The nouns, in the order in which they were declared."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The noun, imported now; `None` where there is no such noun."""
        if cmd_name not in self._lazy:
            return None
        module = importlib.import_module(self._lazy[cmd_name][0])
        command = module.command
        if not isinstance(command, click.Command):
            raise TypeError(f"{module.__name__}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of nouns in the help, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._lazy.items()])


def noun(help: str) -> Callable[[Callable[[], None]], click.Group]:
    """Decorator: the function becomes a noun whose help is `help`."""
    return click.group(cls=Noun, help=help)
