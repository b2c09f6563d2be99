"""Printing what a resource of an AWS account has logged."""

from __future__ import annotations

import json
from dataclasses import replace

import click

from console.moments import moment
from console.output import emit, iso, to_json
from console.session import Session
from console.words import harmless
from core.aws.kind import Kind
from core.aws.logs import LogLine, LogSource, read_logs
from core.aws.logs import follow as follow_logs


def print_logs(
    session: Session,
    kind: Kind,
    id_: str,
    *,
    follow: bool,
    since: str | None,
    pattern: str,
    times: bool,
    limit: int,
) -> None:
    """Print the lines there are, or go on as they come (then `pattern` is plain text)."""
    account = session.account()
    if kind.logs is None:
        return
    source: LogSource = kind.logs(account, id_)
    begin = moment("--since", since)
    if begin is not None:
        source = replace(source, since=begin)
    if follow:
        for line in follow_logs(account, source):
            if pattern.strip('"').lower() in line.text.lower():
                _say(session, line, times)
        return
    lines = list(read_logs(account, source, pattern=pattern, limit=limit))
    if session.json:
        document = {"group": source.group, "prefix": source.prefix, "lines": lines}
        emit(session, document, str)
        return
    for line in lines:
        _say(session, line, times)
    if not lines:
        session.say(f"nothing in {source.group} {source.prefix}".rstrip())


def _say(session: Session, line: LogLine, times: bool) -> None:
    if session.json:
        click.echo(json.dumps(to_json(line), ensure_ascii=False))
        return
    head = f"{iso(line.at)} {line.stream} " if times else ""
    click.echo(f"{head}{harmless(line.text)}")
