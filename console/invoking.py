"""Sending one request to an endpoint from the command line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import emit
from console.session import Session
from core.errors import BadInput, RequestFailed

if TYPE_CHECKING:
    from core.serving.records import InvokeReply


TOKEN_VARIABLE = "OPSDECK_ENDPOINT_TOKEN"
MOST_TOKEN = 4096


def call_endpoint(
    session: Session,
    name: str,
    data: str,
    headers: Iterable[str],
    content_type: str,
    token_file: Path | None = None,
) -> None:
    """Send `data` and print the answer; leaves by 2 after an answer of 4xx, 4 after 5xx.

    The token comes from the file, or from the environment; an Authorization header given by
    hand goes before either.
    """
    named = split_headers(headers)
    token = os.environ.get(TOKEN_VARIABLE, "") if token_file is None else read_token(token_file)
    if token and "authorization" not in {key.lower() for key in named}:
        named |= split_headers([f"Authorization: Bearer {token}"])
    reply = session.ops().endpoints.invoke(name, read_body(data), content_type, named)
    emit(session, _document(reply), lambda: reply.body.decode(errors="replace").rstrip("\n"))
    if session.terminal:
        variant = "" if reply.revision is None else f" from revision {reply.revision}"
        session.say(f"{reply.status}{variant} in {reply.milliseconds:.1f} ms")
    if 400 <= reply.status < 500:
        hint = " (name the token's file with --token-file)" if reply.status == 401 else ""
        session.say(
            f"error {BadInput.code} the endpoint refused the request ({reply.status}){hint}"
        )
        raise click.exceptions.Exit(BadInput.exit_status)
    if not 200 <= reply.status < 300:
        session.say(f"error {RequestFailed.code} the endpoint answered {reply.status}")
        raise click.exceptions.Exit(RequestFailed.exit_status)


def read_token(path: Path) -> str:
    """The token in a file, without the line break at its end. Raises `BadInput`."""
    try:
        with path.open("rb") as stream:
            token = stream.read(MOST_TOKEN + 1).decode().strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise BadInput(f"--token-file {path}: {reason}", "name a file that can be read") from error
    if not token or len(token) > MOST_TOKEN:
        raise BadInput(f"--token-file {path}: no token in it, or more than one")
    return token


def read_body(data: str) -> bytes:
    """The body meant by `@FILE`, `-` (standard input) or the text itself."""
    if data == "-":
        return sys.stdin.buffer.read()
    if not data.startswith("@"):
        return data.encode()
    path = Path(data[1:])
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"--data {data}: {error.strerror}", "name a file that can be read"
        ) from error


def split_headers(headers: Iterable[str]) -> dict[str, str]:
    """`NAME:VALUE` arguments as a mapping; raises `BadInput`."""
    found: dict[str, str] = {}
    for text in headers:
        name, colon, value = text.partition(":")
        name, value = name.strip(), value.strip()
        valid = name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name)
        if not colon or not valid or not value.isprintable() or not value.isascii():
            raise BadInput(
                f"--header {text!r}: not NAME:VALUE",
                "for example: --header X-Amzn-SageMaker-Session-Id:42",
            )
        found[name] = value
    return found


def _document(reply: InvokeReply) -> dict[str, Any]:
    text = reply.body.decode(errors="replace")
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    return {
        "status": reply.status,
        "revision": reply.revision,
        "milliseconds": round(reply.milliseconds, 3),
        "body": body,
    }
