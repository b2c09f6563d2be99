"""Errors as people and scripts see them: one line or one JSON object, and an exit status."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence

import click

from core.errors import BadInput, OpsdeckError, PipelineInvalid

BUG_CODE = "E999"
EXIT_REFUSED = 1
EXIT_BAD_INPUT = 2
EXIT_TIMED_OUT = 5
EXIT_WAITING = 6
"""The run waits at a gate, or the deployment is held, for somebody's decision."""
EXIT_ROLLED_BACK = 7
"""The deployment that was waited for went back to the version before."""
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141


def wants(args: Sequence[str], flag: str) -> bool:
    """Whether `flag` stands among the arguments, before any `--`.

    Looked up by hand because an error in parsing the options must itself obey them.
    """
    before = args[: args.index("--")] if "--" in args else args
    return flag in before


def prepare_streams() -> None:
    """Let output never fail for a character that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def refuse_undecodable(args: Sequence[str]) -> None:
    """Raise `BadInput` for an argument that is not valid text in the locale's encoding."""
    for position, argument in enumerate(args, start=1):
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise BadInput(
                f"argument {position} is not UTF-8 text: {argument!a}", "give it as UTF-8"
            ) from error


def exit_status_of(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Report `error` (on standard error, or with `--json` on standard output) and say
    what the process exits with."""
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        if sys.stderr.isatty():
            click.echo(err=True)  # closes the line on which the terminal echoed ^C
        return EXIT_INTERRUPTED
    if isinstance(error, click.exceptions.Exit):
        return _flushed(error.exit_code)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _silence_stdout()
        return EXIT_PIPE_CLOSED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.ctx.get_help(), err=True)
        return EXIT_BAD_INPUT
    shown = _as_opsdeck_error(error)
    if debug:
        import traceback

        traceback.print_exception(error)
    try:
        _print(shown, as_json=as_json)
    except OSError:
        _silence_stdout()  # nobody can be told any more; the exit status still says it
    return shown.exit_status


class SystemRefused(OpsdeckError):
    """The operating system refused a file or folder: its mode, name, kind or file system."""

    code = "E303"
    exit_status = 4


_REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EMFILE,
        errno.EIO,
    }
)


class Bug(OpsdeckError):
    """Something that should not have escaped."""

    code = BUG_CODE
    exit_status = EXIT_BUG


def _as_opsdeck_error(error: BaseException) -> OpsdeckError:
    if isinstance(error, OpsdeckError):
        return error
    if isinstance(error, click.ClickException):
        return _from_click(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        from core.errors import DiskFull

        where = error.filename or "standard output"
        _silence_stdout()
        return DiskFull(f"{where}: no space left on the device", "make room and try again")
    if isinstance(error, OSError) and error.errno in _REFUSALS and error.filename:
        name = str(error.filename)
        shown = name if len(name) < 200 else f"{name[:80]}…"
        return SystemRefused(f"{shown}: {error.strerror}", "check the path and its permissions")
    return Bug(described(error), "this is a bug: run again with --debug for the trace")


def described(error: BaseException) -> str:
    """An unexpected error on one line: its kind, and what it says."""
    text = " ".join(str(error).split()) or "no message"
    return f"{type(error).__name__}: {text}"


def _from_click(error: click.ClickException) -> BadInput:
    """click's complaint in our shape: lower case, no full stop, what to do as the hint."""
    message = " ".join(error.format_message().split())
    hint = getattr(error, "suggestion", "")
    if isinstance(error, click.NoSuchOption):
        message = f"no such option {error.option_name}"
        if error.possibilities:
            hint = f"did you mean {error.possibilities[0]}?"
    if not hint and isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"see: {error.ctx.command_path} --help"
    message = message.rstrip(".")
    return BadInput(message[:1].lower() + message[1:], hint)


def _print(error: OpsdeckError, *, as_json: bool) -> None:
    if as_json:
        body: dict[str, object] = {
            "code": error.code,
            "message": error.message,
            "hint": error.hint,
        }
        if isinstance(error, PipelineInvalid):
            from console.output import to_json

            body["problems"] = to_json(error.problems)
        click.echo(json.dumps({"error": body}, ensure_ascii=False))
        sys.stdout.flush()
        return
    if isinstance(error, PipelineInvalid):
        for problem in error.problems:
            line = getattr(problem, "one_line", None)
            click.echo(line() if line is not None else str(problem), err=True)
    click.echo(f"error {' '.join(error.one_line().split())}", err=True)


def _flushed(status: int) -> int:
    """`status`, once what was printed has really gone out."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return exit_status_of(error, as_json=False, debug=False)
    return status


def _silence_stdout() -> None:
    """Keep the interpreter's last flush from complaining about the closed pipe."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return  # no real file behind it (a test's capture): nothing to silence
