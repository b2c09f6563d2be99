"""A view's file: SQL under a head of comments.

-- description: rentals with the weather of the hour
-- keys: hour
-- every: 10m
SELECT r.hour, ... FROM rentals r LEFT JOIN weather w USING (hour)
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from core.domain.view import ViewDefinition
from core.errors import NotFound
from core.lake.names import check_name
from core.units import seconds
from core.views.errors import ViewInvalid

FOLDER = "views"
_KEYS = ("description", "keys", "every", "owner")
_HEAD = re.compile(r"--\s*(\w+)\s*:\s*(.*?)\s*$")
MAX_BYTES = 1_000_000
LEAST_EVERY = 1.0


def path_of(root: Path, name: str) -> Path:
    """Where the file of a view is; raises `BadInput` for what cannot be a name."""
    return root / FOLDER / f"{check_name(name)}.sql"


def names_in(root: Path) -> tuple[str, ...]:
    """The views that have a file."""
    return tuple(sorted(path.stem for path in (root / FOLDER).glob("*.sql")))


def read_definition(root: Path, name: str) -> ViewDefinition:
    """The definition in a view's file; raises `NotFound`, `ViewInvalid`."""
    path = path_of(root, name)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ViewInvalid(f"{path}: larger than {MAX_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"view {name}: no file {path}", f"write it, or see: ls {FOLDER}/") from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ViewInvalid(f"{path}: {why}") from error
    return parse_definition(name, text, str(path))


def parse_definition(name: str, text: str, where: str) -> ViewDefinition:
    """A definition out of the text of its file; raises `ViewInvalid`, naming the line."""
    found: dict[str, tuple[int, str]] = {}
    lines = text.lstrip("\ufeff").splitlines()
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("--"):
            break
        match = _HEAD.match(line.strip())
        if match is None:
            continue
        key, value = match[1].lower(), match[2]
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            if not close:
                continue  # a comment that happens to have a colon
            raise ViewInvalid(f"{where}:{number} {key}: unknown key", f"did you mean {close[0]}?")
        if key in found:
            raise ViewInvalid(f"{where}:{number} {key}: given twice, first in line {found[key][0]}")
        found[key] = (number, value)
    sql = text.strip().rstrip(";").strip()
    if not sql or all(line.lstrip().startswith("--") for line in sql.splitlines()):
        raise ViewInvalid(f"{where}: no SQL", "write a SELECT over datasets")
    _, keys = found.get("keys", (0, ""))
    return ViewDefinition(
        name=name,
        sql=sql,
        keys=tuple(filter(None, re.split(r"[,\s]+", keys))),
        every=_every(where, found.get("every")),
        owner=found.get("owner", (0, ""))[1] or None,
        description=found.get("description", (0, ""))[1],
    )


def _every(where: str, given: tuple[int, str] | None) -> float | None:
    if given is None:
        return None
    number, value = given
    try:
        found = seconds(value)
    except ValueError as error:
        raise ViewInvalid(f"{where}:{number} every: {error}", "such as 10m or 1h") from error
    if found < LEAST_EVERY:
        raise ViewInvalid(f"{where}:{number} every: at least {LEAST_EVERY:g}s, not {value}")
    return found
